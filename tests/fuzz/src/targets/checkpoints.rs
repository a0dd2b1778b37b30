//! Files of weights and of optimizers.

use super::File;
use rangefinder_checkpoint::{OptimizerState, Remembered, StoredTensor, Weights};
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A `.safetensors` file.
pub(super) fn weights(input: &[u8]) -> bool {
    read(&File::new("f.safetensors", input))
}

/// A file of `torch.save`.
pub(super) fn torch(input: &[u8]) -> bool {
    read(&File::new("f.pt", input))
}

/// The same by its parts, which a check sum keeps from being changed in the whole: two bytes are the
/// length of its pickle, which follows; the rest is the storage `0`.
pub(super) fn pickle(input: &[u8]) -> bool {
    let Some((length, rest)) = input.split_first_chunk() else {
        return false;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (pickle, storage) = rest.split_at(length);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("f/data.pkl", pickle), ("f/data/0", storage)] {
        archive.start_file(name, options).expect("a member");
        archive.write_all(content).expect("its content");
    }
    let archive = archive.finish().expect("an archive").into_inner();
    read(&File::new("f.pt", &archive))
}

/// Every tensor has the bytes that its shape needs, or is refused.
fn read(file: &File) -> bool {
    let weights = Weights::open(file.path());
    let state = OptimizerState::open(file.path());
    let read = weights.is_ok() || state.is_ok();
    if let Ok(mut weights) = weights {
        for place in 0..weights.shapes().len() {
            if let Ok(tensor) = weights.tensor(place) {
                sound(&tensor.expect("a tensor at its place"));
            }
        }
        assert!(matches!(weights.tensor(usize::MAX), Ok(None)));
    }
    if let Ok(state) = state {
        let parameters = state.groups.iter().flatten();
        for (_, remembered) in parameters.flat_map(|parameter| &parameter.entries) {
            if let Remembered::Tensor(tensor) = remembered {
                sound(tensor);
            }
        }
    }
    read
}

fn sound(tensor: &StoredTensor) {
    let elements: usize = tensor.shape.iter().product();
    assert_eq!(tensor.bytes.len(), elements * tensor.dtype.size());
    if tensor.number().is_some() {
        assert_eq!(elements, 1);
    }
}

/// A dictionary of one tensor, and pickles that are short and would have much made of them: one object
/// is named again and again.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    const STORAGE: &[u8] =
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ";
    const REBUILD: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n";
    let one = [
        b"\x80\x02}X\x01\0\0\0w",
        REBUILD,
        b"(",
        STORAGE,
        b"K\0K\x02K\x03\x86K\x01K\x02\x86\x89ccollections\nOrderedDict\n)RtRs.",
    ];
    let long = [b"X\x30\x75\0\0".as_slice(), &[b'k'; 30_000], b"q\0"].concat();
    let a_storage_again_and_again = [
        long.as_slice(),
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nh\0X\x03\0\0\0cpuK\x06tq\x01",
        &b"h\x01Q".repeat(10_000),
        b".",
    ];
    let dimensions = b"K\x01".repeat(14_000);
    let a_tensor_again_and_again = [
        REBUILD,
        b"q\0(",
        STORAGE,
        b"K\0(",
        &dimensions,
        b"tq\x01h\x01tq\x02",
        &b"h\0h\x02R".repeat(6_000),
        b".",
    ];
    let each = |before: &[u8], after: &[u8]| -> Vec<u8> {
        let numbers = (0..4_000_u16).map(|number| [before, &number.to_le_bytes(), after].concat());
        numbers.flatten().collect()
    };
    let a_state_again_and_again = [
        b"X\x03\0\0\0avgq\0}(".as_slice(),
        &b"h\0K\x01".repeat(4_000),
        b"uq\x01",
        b"}(X\x05\0\0\0state}(",
        &each(b"M", b"h\x01"),
        b"uX\x0c\0\0\0param_groups](}X\x06\0\0\0params](",
        &each(b"M", b""),
        b"eseu.",
    ];
    [
        one.concat(),
        a_storage_again_and_again.concat(),
        a_tensor_again_and_again.concat(),
        a_state_again_and_again.concat(),
    ]
    .map(|pickle| {
        let length = u16::try_from(pickle.len()).expect("a short pickle");
        [length.to_le_bytes().as_slice(), &pickle, &[0; 24]].concat()
    })
    .to_vec()
}
