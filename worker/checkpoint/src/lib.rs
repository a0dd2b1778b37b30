//! Weights and optimizer states as PyTorch saves them, without libtorch and without running code.
//!
//! - [`Weights`]: tensors by name, from `.safetensors` or from `torch.save(model.state_dict())`.
//! - [`OptimizerState`]: what `torch.save(optimizer.state_dict())` remembers of each parameter.
//! - [`StoredTensor`]: shape, type and bytes; [`CheckpointError`]: what is wrong and what to do.
//! - `archive`: the zip file of `torch.save`; `pickle`: its contents.
//!
//! # Files that lie
//!
//! A pickle is a program. Of its instructions only those that build dictionaries, lists, numbers,
//! texts and tensors are known here, and of the functions it may call only PyTorch's own two that
//! make tensors; anything else is refused by name and nothing is ever called. Sizes that a file
//! claims are compared with the bytes that are there before memory is asked for.

mod archive;
mod error;
mod optimizer;
mod pickle;
mod tensor;
mod weights;

pub use error::CheckpointError;
pub use optimizer::{OptimizerState, ParameterState, Remembered};
pub use tensor::StoredTensor;
pub use weights::Weights;
