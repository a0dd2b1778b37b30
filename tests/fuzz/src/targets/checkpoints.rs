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

/// A dictionary of one tensor.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut pickle = b"\x80\x02}q\x00X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage\
        ctorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQK\0K\x02K\x03\x86K\x01K\x02\x86\x89\
        ccollections\nOrderedDict\n)RtRs."
        .to_vec();
    let length = u16::try_from(pickle.len()).expect("a short pickle");
    let mut input = length.to_le_bytes().to_vec();
    input.append(&mut pickle);
    input.extend([0; 24]);
    vec![input]
}
