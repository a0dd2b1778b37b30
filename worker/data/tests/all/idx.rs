//! MNIST's files, as they are and in gzip.

use crate::common::{elements, fixture, fixtures, source};
use rangefinder_data::{DataError, Dtype, Source, load};

#[test]
fn images_get_a_channel_and_are_to_be_divided_by_255_labels_are_not() {
    for ending in ["", ".gz"] {
        let images = format!("images-idx3-ubyte{ending}");
        let dataset = load(&fixtures(&images, &format!("labels-idx1-ubyte{ending}"))).unwrap();
        let [images] = dataset.inputs() else {
            panic!("{dataset:?}")
        };
        assert_eq!((images.name(), images.dtype()), ("inputs", Dtype::U8));
        assert_eq!(images.shape(), [6, 1, 4, 3]);
        assert_eq!(images.divisor(), Some(255.0));
        let expected: Vec<u8> = (0..72).map(|n| n * 3).collect();
        assert_eq!(elements(images, u8::from_le_bytes), expected);
        let labels = dataset.targets();
        assert_eq!((labels.shape(), labels.divisor()), (&[6][..], None));
        assert_eq!(elements(labels, u8::from_le_bytes), [0, 1, 2, 0, 1, 2]);
    }
}

#[test]
fn files_are_known_by_the_names_under_which_they_are_spread() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "train-images-idx3-ubyte",
        "train-images.idx3-ubyte",
        "x.idx",
        "X.IDX",
    ] {
        let path = folder.path().join(name);
        std::fs::copy(fixture("images-idx3-ubyte"), &path).unwrap();
        // Browsers unpack and keep the name.
        let kept = folder.path().join(format!("{name}.gz"));
        std::fs::copy(fixture("images-idx3-ubyte"), &kept).unwrap();
        for path in [path, kept] {
            let dataset = load(&Source {
                targets: fixture("labels-idx1-ubyte").to_str().unwrap().to_owned(),
                ..source(&path)
            });
            assert_eq!(dataset.unwrap().inputs()[0].shape(), [6, 1, 4, 3], "{name}");
        }
    }
}

#[test]
fn compressed_and_plain_files_go_together() {
    let dataset = load(&fixtures("images-idx3-ubyte.gz", "labels-idx1-ubyte")).unwrap();
    assert_eq!(dataset.samples(), 6);
}

#[test]
fn every_type_of_element_is_read_and_only_bytes_are_grey_levels() {
    let numbers = -5..7_i8;
    let of = |name| load(&fixtures(name, "labels-idx1-ubyte")).unwrap();
    let check = |name, dtype| {
        let dataset = of(name);
        assert_eq!(dataset.inputs()[0].dtype(), dtype);
        assert_eq!(dataset.inputs()[0].shape(), [6, 2]);
        assert_eq!(dataset.inputs()[0].divisor(), None);
        dataset
    };
    let expect = |got: Vec<f64>| {
        assert!(
            got.into_iter().eq(numbers.clone().map(f64::from)),
            "{numbers:?}"
        );
    };
    let i1 = check("i1.idx", Dtype::I8);
    expect(elements(&i1.inputs()[0], |b| i8::from_le_bytes(b).into()));
    let i2 = check("i2.idx", Dtype::I16);
    expect(elements(&i2.inputs()[0], |b| i16::from_le_bytes(b).into()));
    let i4 = check("i4.idx", Dtype::I32);
    expect(elements(&i4.inputs()[0], |b| i32::from_le_bytes(b).into()));
    let f4 = check("f4.idx", Dtype::F32);
    expect(elements(&f4.inputs()[0], |b| f32::from_le_bytes(b).into()));
    let f8 = check("f8.idx", Dtype::F64);
    expect(elements(&f8.inputs()[0], f64::from_le_bytes));
}

/// The error of this content as the inputs.
fn error(name: &str, content: &[u8]) -> DataError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    load(&Source {
        targets: fixture("labels-idx1-ubyte").to_str().unwrap().to_owned(),
        ..source(&path)
    })
    .unwrap_err()
}

#[test]
fn damage_is_named_with_its_place() {
    let content = std::fs::read(fixture("images-idx3-ubyte")).unwrap();
    for (content, what) in [
        (&content[..9], "ends within its header, at byte 9"),
        (
            &content[..80],
            "only 64 bytes of elements from byte 16 on, where its header claims 72",
        ),
        (&[&content[..], b"x"].concat()[..], "goes on after byte 88"),
        (b"\x89PNG.....", "is not an IDX file"),
        (b"\0\0\x07\x01\0\0\0\x01x", "unknown type 0x07 at byte 2"),
        (b"\0\0\x08\x01\0\0\0\0", "no samples"),
        (b"\0\0\x08\0x", "single number"),
    ] {
        let error = error("x-ubyte", content);
        assert_eq!(error.field, "data");
        assert!(error.message.contains(what), "{error}");
        assert!(error.message.contains("x-ubyte"), "{error}");
    }
}

#[test]
fn damage_within_gzip_is_named_with_its_place() {
    let content = std::fs::read(fixture("images-idx3-ubyte.gz")).unwrap();
    let with = |at: usize, byte: u8| {
        let mut content = content.clone();
        content[at] ^= byte;
        content
    };
    let length = content.len();
    // The check sum, the length, and bytes after the end.
    for (content, what) in [
        (with(length - 8, 1), "cannot be unpacked past byte 72"),
        (with(length - 4, 1), "cannot be unpacked past byte 72"),
        ([&content[..], b"x"].concat(), "past byte 72"),
        (content[..length - 12].to_vec(), "past byte"),
        (content[..12].to_vec(), "ends within its header, at byte 12"),
    ] {
        let error = error("x-ubyte.gz", &content);
        assert!(error.message.contains(what), "{error}");
    }
    for length in 1..length {
        error("x-ubyte.gz", &content[..length]);
    }
}
