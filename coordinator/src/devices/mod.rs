//! Which worker trains on which device.
//!
//! - `listing`: the GPUs of this machine.
//! - `visible`: those of them that `CUDA_VISIBLE_DEVICES` leaves.
//! - [`assign`]: one pure function that places the workers on them.

mod listing;
mod visible;

#[cfg(test)]
mod tests;

pub use listing::list;

use rangefinder_config::Device;
use rangefinder_errors::{Code, Coded};

/// A GPU of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Its index in the order of the PCI bus, as `nvidia-smi` counts.
    pub index: u32,
    /// Its UUID, such as `GPU-8a6b...`.
    pub uuid: String,
    /// Its name, such as `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Its memory in bytes.
    pub memory_bytes: u64,
}

/// The GPUs of this machine, in the order of their indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The GPUs.
    pub gpus: Vec<Gpu>,
}

/// Where a worker trains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What the worker is told: `cpu` or `cuda:0`.
    pub device: String,
    /// Its `CUDA_VISIBLE_DEVICES`: the UUID of its one GPU, or `-1` for none.
    pub cuda_visible_devices: String,
}

/// Why the workers cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A GPU was asked for and there is none.
    #[error(
        "device `cuda:{index}` was asked for, but no GPU is visible ({why}); \
         use `--device cpu`, or `--device auto` to take what there is"
    )]
    NoGpu {
        /// The index that was asked for.
        index: u32,
        /// Whether there is none or it is hidden.
        why: String,
    },
    /// The index is none of a visible GPU.
    #[error(
        "device `cuda:{index}` was asked for, but the visible GPUs are {}; \
         the index counts the visible GPUs only", range(*.visible)
    )]
    OutOfRange {
        /// The index that was asked for.
        index: u32,
        /// Visible GPUs.
        visible: usize,
    },
    /// Too few GPUs for the workers.
    #[error(
        "{workers} workers do not fit on {gpus} GPU{} with {per_gpu} worker{} a GPU; \
         use `--workers {}`, or let more workers share a GPU with `--workers-per-gpu {}`",
        plural(*.gpus), plural(*.per_gpu as usize),
        *.gpus as u64 * u64::from(*.per_gpu), (*.workers as usize).div_ceil(*.gpus)
    )]
    TooManyWorkers {
        /// Workers asked for.
        workers: u32,
        /// GPUs that they may use.
        gpus: usize,
        /// Workers that may share one.
        per_gpu: u32,
    },
}

impl Coded for Error {
    fn code(&self) -> Code {
        match self {
            Self::NoGpu { .. } => Code::NoGpu,
            Self::OutOfRange { .. } => Code::NoSuchGpu,
            Self::TooManyWorkers { .. } => Code::TooManyWorkers,
        }
    }
}

/// Places each of `workers` workers on one device.
///
/// `auto` takes the visible GPUs where there are any, else the CPU; `cuda:i` the one with that
/// index among the visible ones. Workers go round the GPUs in turn, at most `workers_per_gpu` on
/// each; 0 counts as 1. A worker sees its own GPU only, by UUID, as its `cuda:0`: no later setting
/// can put it on another. `cuda_visible_devices` is the coordinator's own value of that variable.
///
/// # Errors
/// For a GPU that is not there, and for more workers than fit.
pub fn assign(
    workers: u32,
    request: Device,
    workers_per_gpu: u32,
    listing: &Listing,
    cuda_visible_devices: Option<&str>,
) -> Result<Vec<Placement>, Error> {
    let visible = match request {
        Device::Cpu => Vec::new(),
        Device::Auto | Device::Cuda(_) => visible::visible(listing, cuda_visible_devices),
    };
    let gpus: &[String] = match request {
        Device::Cpu | Device::Auto => &visible,
        Device::Cuda(index) if visible.is_empty() => {
            return Err(Error::NoGpu {
                index,
                why: absence(listing, cuda_visible_devices),
            });
        }
        Device::Cuda(index) => usize::try_from(index)
            .ok()
            .and_then(|index| visible.get(index..=index))
            .ok_or(Error::OutOfRange {
                index,
                visible: visible.len(),
            })?,
    };
    if gpus.is_empty() {
        let cpu = Placement {
            device: "cpu".to_owned(),
            cuda_visible_devices: "-1".to_owned(),
        };
        return Ok((0..workers).map(|_| cpu.clone()).collect());
    }
    let per_gpu = workers_per_gpu.max(1);
    if u64::from(workers) > gpus.len() as u64 * u64::from(per_gpu) {
        return Err(Error::TooManyWorkers {
            workers,
            gpus: gpus.len(),
            per_gpu,
        });
    }
    Ok((0..workers)
        .zip(gpus.iter().cycle())
        .map(|(_, uuid)| Placement {
            device: "cuda:0".to_owned(),
            cuda_visible_devices: uuid.clone(),
        })
        .collect())
}

fn absence(listing: &Listing, cuda_visible_devices: Option<&str>) -> String {
    match (listing.gpus.len(), cuda_visible_devices) {
        (0, _) => "NVIDIA's driver lists none".to_owned(),
        (count, Some(value)) => {
            format!("the machine has {count}, CUDA_VISIBLE_DEVICES={value:?} hides them")
        }
        (count, None) => format!("the machine has {count}"),
    }
}

fn range(visible: usize) -> String {
    match visible {
        0 | 1 => "`cuda:0` only".to_owned(),
        count => format!("`cuda:0` to `cuda:{}`", count - 1),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
