//! The zip file that `torch.save` writes: a pickle, and a member for each storage.

use rangefinder_errors::Code;
use std::io::{Cursor, Read as _};
use std::path::Path;

use bytes::Bytes;
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use crate::error::{CheckpointError, Quoted};
use crate::pickle::{Pickle, TensorRef};
use crate::tensor::StoredTensor;

/// How the format before PyTorch 1.6 begins.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9";

/// An open file of `torch.save`.
#[derive(Debug)]
pub(crate) struct Archive {
    zip: ZipArchive<Cursor<Bytes>>,
    length: u64,
    /// What stands before the names of all members, with its slash.
    folder: String,
    pub pickle: Pickle,
    /// The storage that was read last: tensors often share one.
    last: Option<(String, Bytes)>,
    /// Bytes that may still be copied from scattered views, each of which could name all of a storage.
    copies: usize,
}

/// The bytes of a file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn open(path: &Path) -> Result<Bytes, CheckpointError> {
    let unreadable = |error: std::io::Error| {
        CheckpointError::new(
            Code::of_reading(&error),
            format!("cannot be read: {error}"),
            "check the path: it is the worker's machine that reads it",
        )
    };
    // Asked before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(CheckpointError::new(
            Code::NotAFile,
            "is not a regular file",
            "give the path of the file itself",
        ));
    }
    std::fs::read(path).map(Bytes::from).map_err(unreadable)
}

impl Archive {
    /// Reads the table of contents and the pickle.
    ///
    /// # Errors
    /// When it is not a file of `torch.save` that holds data only.
    pub(crate) fn read(bytes: Bytes) -> Result<Self, CheckpointError> {
        let again =
            "save it with torch.save, the state_dict() of the model or of the optimizer alone";
        if bytes.starts_with(LEGACY) {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                "is in the format before PyTorch 1.6",
                "load it in Python and save it again with torch.save",
            ));
        }
        if !bytes.starts_with(b"PK") {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                "is not a file of torch.save: it does not begin with PK",
                again,
            ));
        }
        let length = bytes.len() as u64;
        // PyTorch writes the records of large archives in every file, and a search for the first member
        // would take the second for it where a member's header is as long as they are.
        let from_the_start = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let zip = ZipArchive::with_config(from_the_start, Cursor::new(bytes));
        let mut zip = zip.map_err(|error| {
            CheckpointError::damaged(format!(
                "has a damaged table of contents within its {length} bytes: {error}"
            ))
        })?;
        let names: Vec<String> = zip
            .file_names()
            .filter_map(|name| Some(name.ok()?.to_string()))
            .collect();
        let member = |suffix: &str| names.iter().find_map(|name| name.strip_suffix(suffix));
        if member("/constants.pkl").is_some() {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                "is a TorchScript file",
                "give it as the model, which has its weights with it, or save model.state_dict()",
            ));
        }
        let Some(folder) = member("data.pkl").map(str::to_owned) else {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                "has no data.pkl",
                again,
            ));
        };
        let order = format!("{folder}byteorder");
        if names.contains(&order) && contents(&mut zip, length, &order)? != "little" {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                "was written by a big-endian machine",
                "load it there and save it as .safetensors",
            ));
        }
        let pickle = contents(&mut zip, length, &format!("{folder}data.pkl"))?;
        Ok(Self {
            pickle: Pickle::read(&pickle)?,
            zip,
            length,
            folder,
            last: None,
            copies: usize::try_from(length).unwrap_or(usize::MAX),
        })
    }

    /// The elements of a tensor in C order.
    ///
    /// # Errors
    /// When the storage is not there or smaller than the tensor needs.
    pub(crate) fn tensor(&mut self, view: &TensorRef) -> Result<StoredTensor, CheckpointError> {
        let size = view.dtype.size();
        let needed = elements(view).ok_or_else(|| {
            CheckpointError::damaged(format!(
                "has a tensor of shape {:?} that does not fit into its storage of {} elements",
                view.shape, view.elements
            ))
        })?;
        let name = format!("{}data/{}", self.folder, view.key);
        let storage = match self.last.take() {
            Some((last, bytes)) if last == name => bytes,
            _ => contents(&mut self.zip, self.length, &name)?,
        };
        self.last = Some((name.clone(), storage.clone()));
        if Some(storage.len()) != view.elements.checked_mul(size) {
            return Err(CheckpointError::damaged(format!(
                "has {} bytes in {} where {} elements of {} were stored",
                storage.len(),
                Quoted(&name),
                view.elements,
                view.dtype
            )));
        }
        let bytes = if contiguous(view) {
            storage.slice(view.offset * size..(view.offset + needed) * size)
        } else {
            self.copies = self.copies.checked_sub(needed * size).ok_or_else(|| {
                CheckpointError::damaged("names the same elements again and again")
            })?;
            gather(view, &storage, needed)
        };
        Ok(StoredTensor {
            shape: view.shape.clone(),
            dtype: view.dtype,
            bytes,
        })
    }
}

/// Elements of a view, all of which lie within its storage and none of which is counted twice.
fn elements(view: &TensorRef) -> Option<usize> {
    let count = view
        .shape
        .iter()
        .try_fold(1_usize, |count, &n| count.checked_mul(n))?;
    if count == 0 {
        return (view.offset <= view.elements).then_some(0);
    }
    let mut last = view.offset;
    for (&n, &stride) in view.shape.iter().zip(&view.strides) {
        last = last.checked_add((n - 1).checked_mul(stride)?)?;
    }
    (last < view.elements && count <= view.elements).then_some(count)
}

fn contiguous(view: &TensorRef) -> bool {
    let mut expected = 1;
    view.shape
        .iter()
        .zip(&view.strides)
        .rev()
        .all(|(&n, &stride)| {
            let fits = n == 1 || stride == expected;
            expected *= n.max(1);
            fits
        })
}

/// Walks a view whose elements do not lie side by side, such as a transposed matrix.
fn gather(view: &TensorRef, storage: &[u8], count: usize) -> Bytes {
    let size = view.dtype.size();
    let mut gathered = Vec::with_capacity(count * size);
    let mut index = vec![0; view.shape.len()];
    for _ in 0..count {
        let at: usize = index.iter().zip(&view.strides).map(|(i, s)| i * s).sum();
        let from = (view.offset + at) * size;
        gathered.extend_from_slice(&storage[from..from + size]);
        for (index, &n) in index.iter_mut().zip(&view.shape).rev() {
            *index += 1;
            if *index < n {
                break;
            }
            *index = 0;
        }
    }
    gathered.into()
}

/// Reads a member of an archive of `length` bytes to its end, where its check sum is compared.
/// `torch.save` compresses nothing, so that no member is larger than the file.
fn contents(
    zip: &mut ZipArchive<Cursor<Bytes>>,
    length: u64,
    name: &str,
) -> Result<Bytes, CheckpointError> {
    let damaged = |what: String| CheckpointError::damaged(format!("{what} in {}", Quoted(name)));
    let index = zip
        .index_for_name(name)
        .ok_or_else(|| CheckpointError::damaged(format!("has no {}", Quoted(name))))?;
    let mut member = zip
        .by_index(index)
        .map_err(|error| damaged(format!("has an unreadable member ({error})")))?;
    let size = member.size();
    if member.compression() != zip::CompressionMethod::Stored || size > length {
        return Err(damaged(format!(
            "claims {size} bytes, compressed or more than the file has,"
        )));
    }
    let mut bytes = Vec::new();
    member
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(format!("has damaged bytes ({error})")))?;
    Ok(bytes.into())
}
