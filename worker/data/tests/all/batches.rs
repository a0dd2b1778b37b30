//! The same numbers give the same batches, whatever the files that hold them.

use std::fmt::Write as _;
use std::path::Path;

use rangefinder_data::{BatchOrder, Column, Dataset, Dtype, Source, load};

use crate::common::{elements, fixture, fixtures, gzip, source};

/// Integers as int64, whatever their type in the file.
fn integers(column: &Column) -> Vec<i64> {
    match column.dtype() {
        Dtype::I64 => elements(column, i64::from_le_bytes),
        Dtype::I32 => elements(column, |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::U16 => elements(column, |bytes| u16::from_le_bytes(bytes).into()),
        Dtype::U32 => elements(column, |bytes| u32::from_le_bytes(bytes).into()),
        Dtype::U8 => elements(column, |bytes| u8::from_le_bytes(bytes).into()),
        other => panic!("{other} is no type of labels here"),
    }
}

/// Inputs and targets of a step, sample by sample as a trainer gathers them.
fn batch(dataset: &Dataset, step: u64) -> Vec<(Vec<u8>, Vec<i64>)> {
    let order = BatchOrder::new(dataset.samples(), 4, true, false, 3, 1).unwrap();
    let [inputs] = dataset.inputs() else {
        panic!("{dataset:?}")
    };
    let samples = inputs.shape()[0];
    let targets = integers(dataset.targets());
    let width = targets.len() / samples;
    let sample = |index: i64| {
        let index = usize::try_from(index).unwrap();
        let (part, at) = inputs.locate(index).unwrap();
        let bytes = inputs.parts()[part].bytes();
        let size = inputs.len_bytes() / samples;
        let input = bytes[at * size..(at + 1) * size].to_vec();
        (input, targets[index * width..(index + 1) * width].to_vec())
    };
    order.batch(step).into_iter().map(sample).collect()
}

#[track_caller]
fn assert_same_batches(expected: &Dataset, source: &Source) {
    let dataset = load(source).unwrap();
    // Two epochs, the last batch of each a smaller one.
    for step in 0..4 {
        assert_eq!(
            batch(&dataset, step),
            batch(expected, step),
            "step {step} of {source:?}"
        );
    }
}

fn write(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn idx(code: u8, shape: &[usize], elements: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut content = vec![0, 0, code, u8::try_from(shape.len()).unwrap()];
    for &length in shape {
        content.extend(u32::try_from(length).unwrap().to_be_bytes());
    }
    content.extend(elements);
    content
}

#[test]
fn every_format_gives_the_batches_of_a_plain_npy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plain = load(&fixtures("inputs.npy", "targets.npy")).unwrap();
    let inputs = elements(&plain.inputs()[0], f32::from_le_bytes);
    let labels = integers(plain.targets());

    for name in ["stored.npz", "deflated.npz", "arrays.safetensors"] {
        assert_same_batches(&plain, &fixtures(name, ""));
    }
    for name in ["fortran.npy", "version2.npy", "version3.npy"] {
        assert_same_batches(&plain, &fixtures(name, "targets.npy"));
    }
    for name in ["part-*.npz", "part-{000..002}.safetensors"] {
        assert_same_batches(&plain, &source(&fixture("shards").join(name)));
    }
    assert_same_batches(&plain, &fixtures("shards/x-*.npy", "shards/y-{0..2}.npy"));
    assert_same_batches(&plain, &fixtures("shards/x-*.npy", "targets.npy"));

    let images = idx(
        0x0d,
        &[6, 2, 3],
        inputs.iter().flat_map(|n| n.to_be_bytes()),
    );
    let classes = idx(
        0x0c,
        &[6],
        labels
            .iter()
            .flat_map(|&n| i32::try_from(n).unwrap().to_be_bytes()),
    );
    for ending in ["", ".gz"] {
        let packed = |content: &[u8]| {
            if ending.is_empty() {
                content.to_vec()
            } else {
                gzip(content)
            }
        };
        assert_same_batches(
            &plain,
            &Source {
                source: write(folder, &format!("x.idx{ending}"), &packed(&images)),
                targets: write(folder, &format!("y.idx{ending}"), &packed(&classes)),
                ..Source::default()
            },
        );
    }

    let mut tables = [String::new(), String::new()];
    for (at, table) in tables.iter_mut().enumerate() {
        table.push_str("a,b,c,class,d,e,f\r\n");
        for (row, label) in inputs.chunks(6).zip(&labels).skip(at * 2).take(2 + at * 2) {
            let [a, b, c, d, e, f] = row else {
                panic!("a sample has {} numbers", row.len())
            };
            write!(table, "{a},{b:e},\"{c}\",{label}, {d} ,{e},{f:.3}\r\n").unwrap();
        }
        write(folder, &format!("t-{at}.csv"), table.as_bytes());
    }
    let table = Source {
        target_column: "class".to_owned(),
        ..source(&folder.join("t-*.csv"))
    };
    assert_same_batches(&plain, &table);
}

#[test]
fn bytes_of_images_give_the_batches_of_a_plain_npy() {
    let folder = tempfile::tempdir().unwrap();
    let raw = std::fs::read(fixture("images-idx3-ubyte")).unwrap();
    let mut npy =
        crate::npy::npy("{'descr': '|u1', 'fortran_order': False, 'shape': (6, 1, 4, 3)}");
    npy.extend_from_slice(&raw[16..]);
    let plain = load(&Source {
        source: write(folder.path(), "x.npy", &npy),
        ..fixtures("", "targets.npy")
    })
    .unwrap();
    assert_same_batches(&plain, &fixtures("images-idx3-ubyte", "labels-idx1-ubyte"));
    assert_same_batches(
        &plain,
        &fixtures("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"),
    );
}

#[test]
fn a_stream_of_tokens_gives_the_batches_of_its_samples_as_npy() {
    const CONTEXT: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let tokens: Vec<u16> = (0..20).map(|n: u16| n.wrapping_mul(40_503)).collect();
    let stream = |bytes: Vec<u8>, dtype: &str| Source {
        source: write(folder.path(), &format!("{dtype}.bin"), &bytes),
        token_dtype: dtype.to_owned(),
        context: u32::try_from(CONTEXT).unwrap(),
        ..Source::default()
    };
    let narrow = stream(tokens.iter().flat_map(|n| n.to_le_bytes()).collect(), "u16");
    let wide = tokens.iter().flat_map(|&n| u32::from(n).to_le_bytes());
    let wide = stream(wide.collect(), "u32");

    let samples = (tokens.len() - 1) / CONTEXT;
    let npy = |name: &str, first: usize| {
        let header =
            format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({samples}, {CONTEXT})}}");
        let mut content = crate::npy::npy(&header);
        let cut = &tokens[first..first + samples * CONTEXT];
        content.extend(cut.iter().flat_map(|&n| i64::from(n).to_le_bytes()));
        write(folder.path(), name, &content)
    };
    let plain = load(&Source {
        source: npy("x.npy", 0),
        targets: npy("y.npy", 1),
        ..Source::default()
    })
    .unwrap();
    for source in [narrow, wide] {
        let dataset = load(&source).unwrap();
        assert_eq!(integers(&dataset.inputs()[0]), integers(&plain.inputs()[0]));
        let targets = |dataset, step| -> Vec<Vec<i64>> {
            batch(dataset, step)
                .into_iter()
                .map(|(_, targets)| targets)
                .collect()
        };
        for step in 0..4 {
            assert_eq!(targets(&dataset, step), targets(&plain, step), "{source:?}");
        }
    }
}
