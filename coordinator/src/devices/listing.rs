//! The GPUs of this machine, from NVIDIA's management library.

use super::{Gpu, Listing};
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use std::ffi::OsStr;
use std::path::Path;

/// Signs of NVIDIA's driver. Without one the library is not even looked for.
const DRIVER: [&str; 2] = ["/dev/nvidiactl", "/proc/driver/nvidia"];
/// The name that the driver installs; the one without a number comes with development packages only.
const LIBRARY: &str = "libnvidia-ml.so.1";

/// Lists the GPUs of this machine; none where there is no driver.
///
/// Takes no GPU: the management library makes no CUDA context.
#[must_use]
pub fn list() -> Listing {
    if !DRIVER.iter().any(|path| Path::new(path).exists()) {
        return Listing::default();
    }
    query().unwrap_or_else(|error| {
        tracing::warn!(%error, "NVIDIA's driver is there, but {LIBRARY} does not list its GPUs; going on without");
        Listing::default()
    })
}

fn query() -> Result<Listing, NvmlError> {
    let nvml = Nvml::builder().lib_path(OsStr::new(LIBRARY)).init()?;
    let gpus = (0..nvml.device_count()?)
        .map(|index| {
            let device = nvml.device_by_index(index)?;
            Ok(Gpu {
                index,
                uuid: device.uuid()?,
                name: device.name()?,
                memory_bytes: device.memory_info()?.total,
            })
        })
        .collect::<Result<_, NvmlError>>()?;
    Ok(Listing { gpus })
}
