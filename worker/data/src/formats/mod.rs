//! The formats of files, one each. All read from bytes that are there already, check every size
//! that a file claims against them before memory is asked for, and answer what does not fit with
//! an error.

pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod safetensors;
