//! TorchScript modules through the shim, for what tch does not reach: their buffers, and saving
//! them to memory.

use std::ffi::{CStr, c_char, c_int, c_void};

use tch::{TchError, Tensor};

use super::checked;
use crate::parameters::Named;

/// Gets a tensor of its own, whether it is a parameter, and its name.
type Visit = unsafe extern "C" fn(*mut c_void, *const c_char, bool, *mut torch_sys::C_tensor);
type Write = unsafe extern "C" fn(*mut c_void, *const u8, usize);

unsafe extern "C" {
    fn rangefinder_script_load(
        bytes: *const u8,
        count: usize,
        module: *mut *mut c_void,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_script_state(
        module: *const c_void,
        context: *mut c_void,
        visit: Visit,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_script_save(
        module: *const c_void,
        context: *mut c_void,
        write: Write,
        error: *mut c_char,
        length: usize,
    ) -> c_int;
    fn rangefinder_script_free(module: *mut c_void);
}

/// A TorchScript module on the CPU.
pub(crate) struct ScriptModule {
    module: *mut c_void,
}

impl ScriptModule {
    /// Loads a module from the bytes of its file.
    pub(crate) fn load(bytes: &[u8]) -> Result<Self, TchError> {
        let mut module = std::ptr::null_mut();
        // SAFETY: the bytes are read during the call alone; `module` is written on success.
        checked(|error, length| unsafe {
            rangefinder_script_load(bytes.as_ptr(), bytes.len(), &raw mut module, error, length)
        })?;
        Ok(Self { module })
    }

    /// Parameters and buffers, each in the order of the module. The tensors are the module's own.
    pub(crate) fn state(&self) -> Result<(Vec<Named>, Vec<Named>), TchError> {
        type Found = (Vec<Named>, Vec<Named>);
        unsafe extern "C" fn visit(
            context: *mut c_void,
            name: *const c_char,
            parameter: bool,
            tensor: *mut torch_sys::C_tensor,
        ) {
            // SAFETY: the context is the one given below; the name is a C string for the call; the
            // tensor was made for this call and is ours from now on.
            let (found, name, tensor) = unsafe {
                (
                    &mut *context.cast::<Found>(),
                    CStr::from_ptr(name).to_string_lossy().into_owned(),
                    Tensor::from_ptr(tensor),
                )
            };
            let named = Named { name, tensor };
            if parameter {
                found.0.push(named);
            } else {
                found.1.push(named);
            }
        }
        let mut found: Found = Default::default();
        let context = (&raw mut found).cast();
        // SAFETY: the module lives; `visit` is called during the call alone, with this context.
        checked(|error, length| unsafe {
            rangefinder_script_state(self.module, context, visit, error, length)
        })?;
        Ok(found)
    }

    /// The bytes of its file.
    pub(crate) fn save(&self) -> Result<Vec<u8>, TchError> {
        unsafe extern "C" fn write(context: *mut c_void, bytes: *const u8, count: usize) {
            // SAFETY: the context is the one given below; the bytes live for the call.
            unsafe {
                (*context.cast::<Vec<u8>>())
                    .extend_from_slice(std::slice::from_raw_parts(bytes, count));
            }
        }
        let mut saved: Vec<u8> = Vec::new();
        let context = (&raw mut saved).cast();
        // SAFETY: as in `state`.
        checked(|error, length| unsafe {
            rangefinder_script_save(self.module, context, write, error, length)
        })?;
        Ok(saved)
    }
}

impl Drop for ScriptModule {
    fn drop(&mut self) {
        // SAFETY: the module was loaded by the shim and is freed once.
        unsafe { rangefinder_script_free(self.module) }
    }
}
