//! The only module that calls foreign code directly: tensors over the data's own memory, the C++
//! shim, and libtorch's CUDA half, which is opened at run time.

#![expect(
    unsafe_code,
    reason = "tensors over borrowed memory, the shim and libraries opened at run time have no safe interface"
)]

mod script;

pub(crate) use script::ScriptModule;

use std::error::Error as _;
use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};
use rangefinder_checkpoint::StoredTensor;
use rangefinder_data::{Array, Bytes, Dtype};
use tch::{Device, Kind, TchError, Tensor};

/// Ends the process without libtorch's own ending, which takes longer than a short task and after
/// which nothing is left to be done: no file of the process is open for writing.
pub fn leave(code: u8) -> ! {
    // SAFETY: `_exit` takes any number; what it skips (destructors of statics) writes nothing.
    unsafe { libc::_exit(code.into()) }
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
    let kind = stored_kind(stored.dtype);
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

fn stored_kind(dtype: rangefinder_checkpoint::Dtype) -> Kind {
    use rangefinder_checkpoint::Dtype as Stored;
    match dtype {
        Stored::F64 => Kind::Double,
        Stored::F32 => Kind::Float,
        Stored::F16 => Kind::Half,
        Stored::Bf16 => Kind::BFloat16,
        Stored::I64 => Kind::Int64,
        Stored::I32 => Kind::Int,
        Stored::I16 => Kind::Int16,
        Stored::I8 => Kind::Int8,
        Stored::U8 => Kind::Uint8,
        Stored::Bool => Kind::Bool,
    }
}

/// A tensor of libtorch, as tch points to it.
type AtTensor = *const torch_sys::C_tensor;

unsafe extern "C" {
    fn rangefinder_add(
        this: AtTensor,
        other: AtTensor,
        alpha: f64,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_addcmul(
        this: AtTensor,
        first: AtTensor,
        second: AtTensor,
        value: f64,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_addcdiv(
        this: AtTensor,
        first: AtTensor,
        second: AtTensor,
        value: f64,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_set_deterministic(on: bool, error: *mut c_char, length: usize) -> c_int;
}

/// `this += alpha * other`, in one operation as PyTorch's optimizers do it.
pub(crate) fn add_scaled(this: &mut Tensor, other: &Tensor, alpha: f64) -> Result<(), TchError> {
    // SAFETY: both point to live tensors; `this` is borrowed mutably. The same below.
    checked(|error, length| unsafe {
        rangefinder_add(this.as_ptr(), other.as_ptr(), alpha, error, length)
    })
}

/// `this += value * first * second`.
pub(crate) fn addcmul(
    this: &mut Tensor,
    first: &Tensor,
    second: &Tensor,
    value: f64,
) -> Result<(), TchError> {
    let (first, second) = (first.as_ptr(), second.as_ptr());
    checked(|error, length| unsafe {
        rangefinder_addcmul(this.as_ptr(), first, second, value, error, length)
    })
}

/// `this += value * first / second`.
pub(crate) fn addcdiv(
    this: &mut Tensor,
    first: &Tensor,
    second: &Tensor,
    value: f64,
) -> Result<(), TchError> {
    let (first, second) = (first.as_ptr(), second.as_ptr());
    checked(|error, length| unsafe {
        rangefinder_addcdiv(this.as_ptr(), first, second, value, error, length)
    })
}

/// Chooses deterministic kernels for the whole process, where libtorch has them.
pub(crate) fn set_deterministic(on: bool) -> Result<(), TchError> {
    // SAFETY: it takes no pointers but the buffer of `checked`.
    checked(|error, length| unsafe { rangefinder_set_deterministic(on, error, length) })
}

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

/// Name of the half of libtorch that a machine without a GPU does not have.
const LIBTORCH_CUDA: &str = "libtorch_cuda.so";

/// Opens libtorch's CUDA half, from beside the libtorch that is loaded, else from where the
/// dynamic linker looks. It registers its kernels as it is opened, and stays open for good.
///
/// # Errors
/// The dynamic linker's words about the last place that was tried.
pub(crate) fn load_cuda() -> Result<(), String> {
    let beside = loaded_libtorch()
        .and_then(|path| Some(path.parent()?.join(LIBTORCH_CUDA)))
        .filter(|path| path.is_file());
    let candidate = beside.unwrap_or_else(|| PathBuf::from(LIBTORCH_CUDA));
    // SAFETY: libtorch's CUDA half is made to be loaded like this, and its initialisers rely on
    // nothing but the CPU half, which this program is linked to.
    let library = unsafe { Library::open(Some(&candidate), RTLD_NOW | RTLD_GLOBAL) }
        .map_err(|error| error.source().unwrap_or(&error).to_string())?;
    std::mem::forget(library);
    Ok(())
}

/// Whether libtorch's CUDA half stands where [`load_cuda`] looks first.
pub(crate) fn cuda_is_installed() -> bool {
    let search = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let beside = loaded_libtorch().and_then(|path| path.parent().map(Path::to_path_buf));
    std::env::split_paths(&search)
        .filter(|folder| !folder.as_os_str().is_empty())
        .chain(beside)
        .any(|folder| folder.join(LIBTORCH_CUDA).is_file())
}

/// Where the loaded libtorch_cpu lies.
fn loaded_libtorch() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])))
        .find(|path| path.ends_with("libtorch_cpu.so"))
        .map(Path::to_path_buf)
}

/// Memory of a GPU in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GpuMemory {
    /// Free now.
    pub free: u64,
    /// In all.
    pub total: u64,
}

/// Memory of GPU `index`; `None` without CUDA's runtime or when it does not answer.
pub(crate) fn gpu_memory(index: usize) -> Option<GpuMemory> {
    type SetDevice = unsafe extern "C" fn(c_int) -> c_int;
    type MemGetInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;
    let index = c_int::try_from(index).ok()?;
    let program = Library::this();
    let (mut free, mut total) = (0, 0);
    // SAFETY: these are the signatures of cudaSetDevice and cudaMemGetInfo in every CUDA runtime;
    // both only write through the pointers, which are valid for the call. 0 is success.
    let answered = unsafe {
        let set_device: Symbol<SetDevice> = program.get(b"cudaSetDevice\0").ok()?;
        let info: Symbol<MemGetInfo> = program.get(b"cudaMemGetInfo\0").ok()?;
        set_device(index) == 0 && info(&raw mut free, &raw mut total) == 0
    };
    answered.then_some(GpuMemory {
        free: free as u64,
        total: total as u64,
    })
}
