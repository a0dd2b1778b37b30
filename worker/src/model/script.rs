//! TorchScript files.

use rangefinder_errors::Code;
use std::path::Path;

use rangefinder_session::trainer::Failure;
use tch::{CModule, Device, TchError, Tensor};

use super::mistaken;
use crate::failure;
use crate::foreign::ScriptModule;
use crate::parameters::Named;
use crate::recipe::Recipe;

use super::init::Made;
use super::initial::{Initial, State};

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
    pub(super) fn read(path: &Path, recipe: &Recipe) -> Result<Self, Failure> {
        let remedy = "give the path of a file that this worker can read, written by \
                      torch.jit.script(model).save(path)";
        let shown = path.display();
        let bytes = std::fs::read(path).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => error.to_string(),
            };
            failure::user(
                Code::of_reading(&error),
                "model",
                format!("failed to read the model {shown}: {reason}"),
                remedy,
            )
        })?;
        let file = Self { bytes };
        file.load(Device::Cpu).map_err(|error| {
            if failure::is_out_of_memory(&error) {
                return recipe.trouble_before(&error);
            }
            let reason = failure::sentence(&error);
            let (reason, remedy) = mistaken::seems(&file.bytes).unwrap_or((
                &reason,
                "save it again with torch.jit.script(model).save(path)",
            ));
            failure::user(
                Code::NotTorchScript,
                "model",
                format!("the model {shown} is not a TorchScript file: {reason}"),
                remedy,
            )
        })?;
        Ok(file)
    }

    /// Puts the weights and buffers of a checkpoint into the model, in memory.
    ///
    /// # Errors
    /// A user's failure when the checkpoint does not fit.
    pub(super) fn start_from(&mut self, path: &Path, recipe: &Recipe) -> Result<(), Failure> {
        let trouble = |error: TchError| recipe.trouble_before(&error);
        let module = ScriptModule::load(&self.bytes).map_err(trouble)?;
        let (parameters, buffers) = module.state().map_err(trouble)?;
        let state = State {
            parameters: parameters.iter().collect(),
            buffers: buffers.iter().collect(),
            aliases: Vec::new(),
        };
        Initial::read(path, &state, recipe)?
            .fill(&state)
            .map_err(trouble)?;
        self.bytes = module.save().map_err(trouble)?;
        Ok(())
    }

    pub(super) fn build(&self, device: Device) -> Result<(Script, Made), TchError> {
        let mut module = self.load(device)?;
        module.f_set_train()?;
        let parameters = module
            .named_parameters()?
            .into_iter()
            .map(|(name, tensor)| Named { name, tensor })
            .collect();
        let made = Made {
            parameters,
            ..Made::default()
        };
        Ok((Script { module }, made))
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
    pub(super) fn set_training(&mut self, on: bool) -> Result<(), TchError> {
        if on {
            self.module.f_set_train()
        } else {
            self.module.f_set_eval()
        }
    }

    pub(super) fn forward(&self, arguments: &[&Tensor]) -> Result<Tensor, TchError> {
        self.module.forward_ts(arguments)
    }
}
