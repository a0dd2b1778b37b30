//! Tensors by name.

use rangefinder_errors::Code;
use std::path::Path;

use bytes::Bytes;
use safetensors::SafeTensors;

use crate::archive::{self, Archive};
use crate::error::{CheckpointError, Quoted};
use crate::pickle::{Object, TensorRef};
use crate::tensor::StoredTensor;
use rangefinder_data::Dtype;

/// Names that an error shows before it counts the rest.
const SHOWN: usize = 10;

/// The tensors of a file; their elements are read when they are asked for.
#[derive(Debug)]
pub struct Weights {
    source: Source,
}

#[derive(Debug)]
enum Source {
    SafeTensors(Vec<(String, StoredTensor)>),
    Torch(Box<Archive>, Vec<(String, TensorRef)>),
}

impl Weights {
    /// Opens a .safetensors file or, under any other ending, a file of
    /// `torch.save(model.state_dict())`.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or holds anything but tensors by name.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = archive::open(path)?;
        let safetensors = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"));
        let source = if safetensors {
            Source::SafeTensors(read_safetensors(&bytes)?)
        } else {
            let archive = Archive::read(bytes)?;
            let tensors = state_dict(&archive)?;
            Source::Torch(Box::new(archive), tensors)
        };
        Ok(Self { source })
    }

    /// Name and shape of each tensor, in the order of the file.
    pub fn shapes(&self) -> Vec<(&str, &[usize])> {
        match &self.source {
            Source::SafeTensors(tensors) => tensors
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
                .collect(),
            Source::Torch(_, tensors) => tensors
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
                .collect(),
        }
    }

    /// The tensor at a place of [`Self::shapes`]; `None` past their end.
    ///
    /// # Errors
    /// When its elements are not all there.
    pub fn tensor(&mut self, place: usize) -> Result<Option<StoredTensor>, CheckpointError> {
        match &mut self.source {
            Source::SafeTensors(tensors) => Ok(tensors.get(place).map(|(_, t)| t.clone())),
            Source::Torch(archive, tensors) => tensors
                .get(place)
                .map(|(_, view)| archive.tensor(view))
                .transpose(),
        }
    }
}

fn read_safetensors(bytes: &Bytes) -> Result<Vec<(String, StoredTensor)>, CheckpointError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        CheckpointError::damaged(format!(
            "is not a safetensors file, or a damaged one of {} bytes: {}",
            bytes.len(),
            error.to_string().chars().take(200).collect::<String>()
        ))
    })?;
    file.iter()
        .map(|(name, view)| {
            let dtype = Dtype::of_safetensors(view.dtype()).ok_or_else(|| {
                CheckpointError::new(
                    Code::ElementType,
                    format!("has {} in the type {:?}", Quoted(name), view.dtype()),
                    "convert it to F32",
                )
            })?;
            let tensor = StoredTensor {
                shape: view.shape().to_vec(),
                dtype,
                bytes: bytes.slice_ref(view.data()),
            };
            Ok((name.to_owned(), tensor))
        })
        .collect()
}

fn state_dict(archive: &Archive) -> Result<Vec<(String, TensorRef)>, CheckpointError> {
    let alone = "save the state dict alone, with torch.save(model.state_dict(), path)";
    let pickle = &archive.pickle;
    let Object::Dict(entries) = pickle.root() else {
        return Err(CheckpointError::new(
            Code::CheckpointKind,
            "does not hold a dictionary of tensors",
            alone,
        ));
    };
    let mut tensors = Vec::with_capacity(entries.len());
    let mut others = Vec::new();
    for (key, value) in entries {
        match (pickle.get(*key), pickle.get(*value)) {
            (Object::Text(name), Object::Tensor(view)) => {
                tensors.push((name.clone(), view.clone()));
            }
            (Object::Text(name), _) => others.push(Quoted(name).to_string()),
            _ => others.push("a key that is not text".to_owned()),
        }
    }
    if others.is_empty() {
        return Ok(tensors);
    }
    let count = others.len();
    others.truncate(SHOWN);
    Err(CheckpointError::new(
        Code::CheckpointKind,
        format!(
            "holds {count} entries that are not tensors: {}",
            others.join(", ")
        ),
        alone,
    ))
}
