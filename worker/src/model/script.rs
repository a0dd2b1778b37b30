//! TorchScript files.

use std::path::Path;

use rangefinder_session::trainer::Failure;
use tch::{CModule, Device, TchError, Tensor};

use super::mistaken;
use crate::failure;
use crate::flat::Named;

/// A TorchScript file, read into memory once: building a model from it again gives parameters and
/// buffers (such as batch norm's statistics) as they were saved. The file is never written.
pub(crate) struct File {
    bytes: Vec<u8>,
}

/// The loaded module, in training mode.
pub(crate) struct Script {
    module: CModule,
}

impl File {
    /// Reads the file and makes sure that it is a TorchScript model.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let remedy = "give the path of a file that this worker can read, written by \
                      torch.jit.script(model).save(path)";
        let shown = path.display();
        let bytes = std::fs::read(path).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => error.to_string(),
            };
            failure::user(
                "model",
                format!("failed to read the model {shown}: {reason}"),
                remedy,
            )
        })?;
        let file = Self { bytes };
        file.load(Device::Cpu).map_err(|error| {
            if failure::is_out_of_memory(&error) {
                return failure::worker(format!(
                    "out of memory while loading the model {shown} of {} bytes",
                    file.bytes.len()
                ));
            }
            let reason = failure::sentence(&error);
            let (reason, remedy) = mistaken::seems(&file.bytes).unwrap_or((
                &reason,
                "save it again with torch.jit.script(model).save(path)",
            ));
            failure::user(
                "model",
                format!("the model {shown} is not a TorchScript file: {reason}"),
                remedy,
            )
        })?;
        Ok(file)
    }

    pub(super) fn build(&self, device: Device) -> Result<(Script, Vec<Named>), TchError> {
        let mut module = self.load(device)?;
        module.f_set_train()?;
        let parameters = module
            .named_parameters()?
            .into_iter()
            .filter(|(_, tensor)| tensor.requires_grad())
            .map(|(name, tensor)| Named { name, tensor })
            .collect();
        Ok((Script { module }, parameters))
    }

    /// Loads the module, to be run as it was written. The profiling executor compiles a function
    /// again once it has run a few times, so that the same step would give other bits the third
    /// time than the first; both of its switches are needed, the second is this thread's.
    fn load(&self, device: Device) -> Result<CModule, TchError> {
        tch::jit::f_set_profiling_mode(false)?;
        tch::jit::f_set_graph_executor_optimize(false)?;
        CModule::load_data_on_device(&mut self.bytes.as_slice(), device)
    }
}

impl Script {
    pub(super) fn forward(&self, arguments: &[&Tensor]) -> Result<Tensor, TchError> {
        self.module.forward_ts(arguments)
    }
}
