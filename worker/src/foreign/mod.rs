//! The only module that calls foreign code directly.
//!
//! - here: tensors over the data's own memory, and how the C++ shim's functions are called.
//! - [`optimizers`], [`modes`], [`script`]: the shim's parts.
//! - [`cuda`]: libtorch's CUDA half, which is opened at run time, and uploads to a GPU.

#![expect(
    unsafe_code,
    reason = "tensors over borrowed memory, the shim and libraries opened at run time have no safe interface"
)]

mod cuda;
mod modes;
mod optimizers;
mod script;

pub(crate) use cuda::{cuda_is_installed, gpu_memory, load_cuda, upload};
pub(crate) use modes::{Autocast, allow_tf32, set_deterministic};
pub(crate) use optimizers::{adam, clear_gradients, rmsprop, sgd};
pub(crate) use script::ScriptModule;

use std::ffi::{CStr, c_char, c_int};

use rangefinder_checkpoint::StoredTensor;
use rangefinder_data::{Array, Bytes, Dtype};
use tch::{Device, Kind, TchError, Tensor};

/// Ends the process without libtorch's own ending, which takes longer than a short task and after
/// which nothing is left to be done: no file of the process is open for writing.
pub fn leave(code: u8) -> ! {
    // SAFETY: `_exit` takes any number; what it skips (destructors of statics) writes nothing.
    unsafe { libc::_exit(code.into()) }
}

/// Lets glibc's allocator keep what a step frees for the next step, on one heap for all threads. As
/// it comes, it gives large blocks and a thread's heap back to the system again and again, and each
/// page of them then costs a fault: `docs/benchmarks.md`.
pub fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, 1 << 30),
        (libc::M_TRIM_THRESHOLD, c_int::MAX),
        (libc::M_ARENA_MAX, 1),
    ] {
        // SAFETY: it takes any numbers; what it refuses it leaves as it is.
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
}

/// A tensor over an array's own bytes, which may be a read-only map of a file. Nothing but copies
/// of its samples leaves this type.
pub(crate) struct Aliased {
    tensor: Tensor,
    _bytes: Bytes,
}

impl Aliased {
    /// A tensor that shares the array's memory.
    pub(crate) fn new(array: &Array) -> Result<Self, TchError> {
        let shape = array
            .shape()
            .iter()
            .map(|&n| i64::try_from(n).map_err(|_| TchError::Shape(format!("dimension {n}"))))
            .collect::<Result<Vec<_>, _>>()?;
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        let bytes = array.bytes().clone();
        // SAFETY: the bytes are aligned, in C order and as long as shape and dtype need (checked
        // when the array was made); they live as long as `bytes`, which is kept beside the tensor;
        // the tensor is private, and the methods below only read from it.
        let tensor = unsafe {
            Tensor::f_from_blob(
                bytes.as_ptr(),
                &shape,
                &strides,
                kind(array.dtype()),
                Device::Cpu,
            )?
        };
        Ok(Self {
            tensor,
            _bytes: bytes,
        })
    }

    /// Copies of the samples at `indices`.
    pub(crate) fn select(&self, indices: &Tensor) -> Result<Tensor, TchError> {
        self.tensor.f_index_select(0, indices)
    }

    /// A copy of all samples on a GPU.
    #[expect(clippy::disallowed_methods, reason = "once before the first step")]
    pub(crate) fn copy_to_gpu(&self, index: usize) -> Result<Tensor, TchError> {
        self.tensor.f_to_device(Device::Cuda(index))
    }
}

/// The tensor type of an array's elements. libtorch barely knows integers of 16 and 32 bits without
/// a sign: they are held as those with one.
pub(crate) fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::Bf16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 | Dtype::U32 => Kind::Int,
        Dtype::I16 | Dtype::U16 => Kind::Int16,
        Dtype::I8 => Kind::Int8,
        Dtype::U8 => Kind::Uint8,
        Dtype::Bool => Kind::Bool,
    }
}

/// A copy of a checkpoint's tensor.
pub(crate) fn tensor(stored: &StoredTensor) -> Result<Tensor, TchError> {
    let kind = kind(stored.dtype);
    let shape = stored
        .shape
        .iter()
        .map(|&n| i64::try_from(n).map_err(|_| TchError::Shape(format!("dimension {n}"))))
        .collect::<Result<Vec<_>, _>>()?;
    let elements = stored.shape.iter().product::<usize>();
    if elements * stored.dtype.size() != stored.bytes.len() {
        return Err(TchError::Shape(format!("{} bytes", stored.bytes.len())));
    }
    // Copies as many bytes, whatever their alignment.
    Tensor::f_from_data_size(&stored.bytes, &shape, kind)
}

/// A tensor of libtorch, as tch points to it.
type AtTensor = *mut torch_sys::C_tensor;

/// Calls a function of the shim with a buffer for its error.
fn checked(call: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<(), TchError> {
    let mut buffer = [0 as c_char; 1024];
    if call(buffer.as_mut_ptr(), buffer.len()) == 0 {
        return Ok(());
    }
    // SAFETY: the shim ends what it writes with a zero within the buffer, which began as zeros.
    let text = unsafe { CStr::from_ptr(buffer.as_ptr()) };
    Err(TchError::Torch(text.to_string_lossy().into_owned()))
}
