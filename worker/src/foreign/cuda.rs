//! libtorch's CUDA half, and what this program needs of a GPU beyond tch.

use std::error::Error as _;
use std::ffi::{c_char, c_int};
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};
use tch::{Device, TchError, Tensor};

use super::{AtTensor, checked};

unsafe extern "C" {
    fn rangefinder_upload(
        host: AtTensor,
        index: c_int,
        copy: *mut AtTensor,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
}

/// A copy of `host` on a device. To a GPU it goes through pinned memory and beside the steps before,
/// without waiting.
pub(crate) fn upload(host: &Tensor, device: Device) -> Result<Tensor, TchError> {
    let Device::Cuda(index) = device else {
        return Ok(host.shallow_clone());
    };
    let index = c_int::try_from(index).map_err(|_| TchError::Shape(format!("GPU {index}")))?;
    let mut copy: AtTensor = std::ptr::null_mut();
    // SAFETY: the tensor lives; the shim writes a new tensor to `copy` unless it fails, which
    // becomes the property of the value made of it.
    unsafe {
        checked(|error, length| {
            rangefinder_upload(
                host.as_ptr().cast_mut(),
                index,
                &raw mut copy,
                error,
                length,
            )
        })?;
        Ok(Tensor::from_ptr(copy))
    }
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
