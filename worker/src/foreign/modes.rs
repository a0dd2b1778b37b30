//! How libtorch computes: in which numbers, and whether deterministically.

use std::ffi::{c_char, c_int};
use std::marker::PhantomData;

use tch::{Device, TchError};

use super::checked;

unsafe extern "C" {
    fn rangefinder_autocast(cuda: bool, on: bool, error: *mut c_char, length: usize) -> c_int;
    fn rangefinder_allow_tf32(on: bool, error: *mut c_char, length: usize) -> c_int;
    fn rangefinder_set_deterministic(on: bool, error: *mut c_char, length: usize) -> c_int;
}

/// PyTorch's autocast to bfloat16, for this thread and as long as the value lives.
pub(crate) struct Autocast {
    cuda: bool,
    /// It must end on the thread where it began.
    _thread: PhantomData<*const ()>,
}

impl Autocast {
    /// Switches it on for operations on `device`.
    pub(crate) fn on(device: Device) -> Result<Self, TchError> {
        let cuda = device.is_cuda();
        // SAFETY: it takes no pointers but the buffer of `checked`. The same below.
        checked(|error, length| unsafe { rangefinder_autocast(cuda, true, error, length) })?;
        Ok(Self {
            cuda,
            _thread: PhantomData,
        })
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // Switching off cannot fail for a device for which switching on did not.
        let _ = checked(|error, length| unsafe {
            rangefinder_autocast(self.cuda, false, error, length)
        });
    }
}

/// Whether GPUs may compute with float32 in TF32, for the whole process.
pub(crate) fn allow_tf32(on: bool) -> Result<(), TchError> {
    // SAFETY: it takes no pointers but the buffer of `checked`.
    checked(|error, length| unsafe { rangefinder_allow_tf32(on, error, length) })
}

/// Chooses deterministic kernels for the whole process, where libtorch has them.
pub(crate) fn set_deterministic(on: bool) -> Result<(), TchError> {
    // SAFETY: it takes no pointers but the buffer of `checked`.
    checked(|error, length| unsafe { rangefinder_set_deterministic(on, error, length) })
}
