//! Weights and buffers to start from instead of the model's own.

use rangefinder_errors::Code;
use std::path::Path;

use rangefinder_checkpoint::Weights;
use rangefinder_session::trainer::Failure;
use tch::{TchError, Tensor};

use crate::failure;
use crate::foreign;
use crate::names;
use crate::parameters::Named;
use crate::recipe::Recipe;

/// Buffers that no checkpoint may lack, by the end of their name. Others may be missing, since
/// `state_dict` leaves out those that are registered as not persistent.
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// Tensors by the name that the model has for them.
pub(super) struct Initial(Vec<(String, Tensor)>);

/// The tensors of a model that a checkpoint fills.
pub(super) struct State<'a> {
    pub parameters: Vec<&'a Named>,
    pub buffers: Vec<&'a Named>,
    /// Second names of parameters.
    pub aliases: Vec<&'a Named>,
}

impl Initial {
    /// Reads the tensors of a file for a model.
    ///
    /// # Errors
    /// A user's failure that lists all missing and unknown names and all shapes that differ.
    pub(super) fn read(path: &Path, state: &State<'_>, recipe: &Recipe) -> Result<Self, Failure> {
        let shown = path.display();
        let refuse = |error: rangefinder_checkpoint::CheckpointError| {
            let message = format!("the weights {shown}: the file {}", error.message);
            failure::user(error.code, "weights", message, error.remedy)
        };
        let mut weights = Weights::open(path).map_err(refuse)?;
        let shapes: Vec<(String, Vec<usize>)> = weights
            .shapes()
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), shape.to_vec()))
            .collect();
        let mistakes = state.mistakes(&shapes);
        if !mistakes.is_empty() {
            return Err(failure::user(
                Code::CheckpointMismatch,
                "weights",
                format!(
                    "the weights {shown} do not fit the model: {}",
                    mistakes.join("; ")
                ),
                "save them with torch.save(model.state_dict(), path) from this very model",
            ));
        }
        let mut tensors = Vec::with_capacity(shapes.len());
        for (place, (name, _)) in shapes.into_iter().enumerate() {
            if let Some(stored) = weights.tensor(place).map_err(refuse)? {
                let tensor =
                    foreign::tensor(&stored).map_err(|error| recipe.trouble_before(&error))?;
                tensors.push((name, tensor));
            }
        }
        Ok(Self(tensors))
    }

    /// Copies the tensors into a model, each to the device and type that the model has.
    pub(super) fn fill(&self, state: &State<'_>) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        for (name, value) in &self.0 {
            if let Some(named) = state.find(name) {
                named.tensor.shallow_clone().f_copy_(value)?;
            }
        }
        Ok(())
    }
}

impl State<'_> {
    fn all(&self) -> impl Iterator<Item = &Named> {
        let named = self.parameters.iter().chain(&self.buffers);
        named.chain(&self.aliases).copied()
    }

    fn find(&self, name: &str) -> Option<&Named> {
        self.all().find(|named| named.name == name)
    }

    fn mistakes(&self, given: &[(String, Vec<usize>)]) -> Vec<String> {
        let mut mistakes = Vec::new();
        let has = |name: &str| given.iter().any(|(given, _)| given == name);
        let needed = |named: &&&Named| {
            STATISTICS.contains(&named.name.rsplit('.').next().unwrap_or_default())
        };
        let needed = self
            .parameters
            .iter()
            .chain(self.buffers.iter().filter(needed));
        let missing: Vec<&str> = needed
            .filter(|named| !has(&named.name))
            // A tied weight may be saved under one of its names.
            .filter(|named| {
                !self.all().any(|other| {
                    other.tensor.data_ptr() == named.tensor.data_ptr() && has(&other.name)
                })
            })
            .map(|named| named.name.as_str())
            .collect();
        if !missing.is_empty() {
            mistakes.push(format!("missing {}", names::list(missing.iter().copied())));
        }
        let unknown: Vec<&str> = given
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| self.find(name).is_none())
            .collect();
        if let Some(first) = unknown.first() {
            let mut text = format!("unknown {}", names::list(unknown.iter().copied()));
            let known = self.all().map(|named| named.name.as_str());
            if let Some(near) = names::nearest(first, known) {
                text.push_str(&format!(" (the model has `{near}`)"));
            }
            mistakes.push(text);
        }
        let shapes: Vec<String> = given
            .iter()
            .filter_map(|(name, shape)| {
                let expected = self.find(name)?.tensor.size();
                let shape: Vec<i64> = shape.iter().map(|&n| n.cast_signed() as i64).collect();
                (shape != expected).then(|| format!("{name} is {shape:?}, expected {expected:?}"))
            })
            .collect();
        if !shapes.is_empty() {
            mistakes.push(format!(
                "other shapes: {}",
                names::sentences(shapes.iter().map(String::as_str))
            ));
        }
        mistakes
    }
}
