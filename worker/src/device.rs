//! Where to train.

use rangefinder_errors::{Code, Coded};
use tch::{Cuda, Device};

use crate::foreign;

/// Why the device that was asked for cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceError {
    /// What kind of trouble.
    pub code: Code,
    /// What was asked for.
    pub device: String,
    /// What is wrong and what to do, after the name of the device.
    pub message: String,
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot train on {}: {}", self.device, self.message)
    }
}

impl std::error::Error for DeviceError {}

impl Coded for DeviceError {
    fn code(&self) -> Code {
        self.code
    }
}

/// The device for a name: `cpu`, `cuda:i` (an index among the visible GPUs), or `auto`, the first
/// visible GPU where there is one, else the CPU. Opens libtorch's CUDA half where a GPU may be used.
///
/// # Errors
/// When a GPU was asked for that this process cannot use, saying what is missing.
pub fn resolve(name: &str) -> Result<Device, DeviceError> {
    let error = |code, message: String| DeviceError {
        code,
        device: name.to_owned(),
        message,
    };
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => Ok(automatic()),
        _ => {
            let index: usize = name
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .ok_or_else(|| {
                    let expected = "expected auto, cpu or cuda:i, such as cuda:0";
                    error(Code::VariableInvalid, expected.to_owned())
                })?;
            foreign::load_cuda().map_err(|reason| {
                error(
                    Code::CudaLibrary,
                    format!(
                        "libtorch's CUDA half cannot be loaded ({reason}); install a libtorch with \
                         CUDA and put its lib folder into LD_LIBRARY_PATH, or use the device cpu"
                    ),
                )
            })?;
            let visible = usize::try_from(Cuda::device_count()).unwrap_or(0);
            if index < visible {
                return Ok(Device::Cuda(index));
            }
            let (code, message) = if visible == 0 {
                let message = "no GPU is visible; check the driver with nvidia-smi and \
                               CUDA_VISIBLE_DEVICES, or use the device cpu";
                (Code::NoGpu, message.to_owned())
            } else {
                let last = visible - 1;
                let message =
                    format!("{visible} GPUs are visible, cuda:0 to cuda:{last}; use one of these");
                (Code::NoSuchGpu, message)
            };
            Err(error(code, message))
        }
    }
}

fn automatic() -> Device {
    if !foreign::cuda_is_installed() {
        return Device::Cpu;
    }
    match foreign::load_cuda() {
        Ok(()) if Cuda::device_count() > 0 => Device::Cuda(0),
        Ok(()) => Device::Cpu,
        Err(reason) => {
            tracing::warn!(
                reason,
                "libtorch's CUDA half cannot be loaded: training on the CPU"
            );
            Device::Cpu
        }
    }
}

/// The device's name on the wire.
#[must_use]
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// Memory of the device in bytes; 0 when unknown.
#[must_use]
pub fn memory_bytes(device: Device) -> u64 {
    match device {
        Device::Cuda(index) => foreign::gpu_memory(index).map_or(0, |memory| memory.total),
        _ => kibibytes("/proc/meminfo", "MemTotal:").unwrap_or(0),
    }
}

/// Most memory used so far in bytes, by this process on a CPU, by all on a GPU (whose allocator
/// keeps what it once had); 0 when unknown.
#[must_use]
pub(crate) fn peak_memory_bytes(device: Device) -> u64 {
    match device {
        Device::Cuda(index) => {
            foreign::gpu_memory(index).map_or(0, |memory| memory.total.saturating_sub(memory.free))
        }
        _ => kibibytes("/proc/self/status", "VmHWM:").unwrap_or(0),
    }
}

/// The value of a line such as `VmHWM:  123 kB`, in bytes.
fn kibibytes(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    let count: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(count * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_is_not_there_is_an_error_with_a_remedy() {
        if foreign::cuda_is_installed() {
            return;
        }
        let error = resolve("cuda:0").unwrap_err();
        assert_eq!(error.code(), Code::CudaLibrary);
        let error = error.to_string();
        assert!(error.contains("cannot train on cuda:0"), "{error}");
        assert!(error.contains("use the device cpu"), "{error}");
    }

    #[test]
    fn without_cuda_auto_is_the_cpu() {
        if foreign::cuda_is_installed() {
            return;
        }
        assert_eq!(resolve("auto"), Ok(Device::Cpu));
    }

    #[test]
    fn memory_of_the_cpu_is_known() {
        assert!(memory_bytes(Device::Cpu) > 100 << 20);
        assert!(peak_memory_bytes(Device::Cpu) > 1 << 20);
    }

    #[test]
    fn names_survive_a_round_trip() {
        assert_eq!(name(Device::Cuda(3)), "cuda:3");
        assert_eq!(resolve(&name(Device::Cpu)), Ok(Device::Cpu));
    }
}
