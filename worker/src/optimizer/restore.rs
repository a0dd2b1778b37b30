//! The state of an optimizer that PyTorch saved.

use rangefinder_errors::Code;
use std::collections::HashMap;
use std::path::Path;

use rangefinder_checkpoint::{OptimizerState, ParameterState, Remembered, StoredTensor};
use rangefinder_session::trainer::Failure;

use super::config::Algorithm;
use super::plan::Plan;
use crate::{failure, names};

/// A trainable parameter that a state must fit.
pub(crate) struct Expected<'a> {
    pub name: &'a str,
    pub shape: Vec<i64>,
}

/// What is remembered of one parameter, by its place in our own optimizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Updates so far, where the optimizer counts them.
    pub steps: Option<u32>,
    pub first: Option<StoredTensor>,
    pub second: Option<StoredTensor>,
}

/// What PyTorch calls each part.
struct Keys {
    step: bool,
    first: Option<&'static str>,
    second: Option<&'static str>,
}

/// Reads a state for the parameters of a model, `all` being the names of the frozen ones too, in
/// the model's order.
///
/// # Errors
/// A user's failure that lists everything which does not fit.
pub(crate) fn read(
    path: &Path,
    plan: &Plan,
    expected: &[Expected<'_>],
    all: &[String],
) -> Result<HashMap<String, Memory>, Failure> {
    let shown = path.display();
    let refuse = |code, message: String, remedy: &str| {
        let message = format!("the optimizer state {shown} {message}");
        failure::user(code, "optimizer_state", message, remedy)
    };
    let state = OptimizerState::open(path)
        .map_err(|error| refuse(error.code, error.message.clone(), &error.remedy))?;
    let given = by_name(state, plan, expected, all).map_err(|message| {
        refuse(
            Code::CheckpointMismatch,
            message,
            "save it from an optimizer over this very model, best made of model.named_parameters()",
        )
    })?;
    let keys = Keys::of(&plan.algorithm);
    let mut memories = HashMap::new();
    let mut mistakes = Vec::new();
    for (name, state) in given {
        let Some(parameter) = expected.iter().find(|parameter| parameter.name == name) else {
            // Nothing is remembered of frozen parameters.
            if !state.entries.is_empty() {
                mistakes.push(format!("{name} is remembered but not trained"));
            }
            continue;
        };
        match keys.memory(parameter, state) {
            Ok(memory) => {
                memories.insert(name, memory);
            }
            Err(mistake) => mistakes.push(format!("{name} {mistake}")),
        }
    }
    if mistakes.is_empty() {
        return Ok(memories);
    }
    Err(refuse(
        Code::CheckpointMismatch,
        format!(
            "does not fit {}: {}",
            plan.algorithm.name(),
            names::sentences(mistakes.iter().map(String::as_str))
        ),
        "give the state of the same optimizer over the same parameters",
    ))
}

/// Puts names to the parameters of a state.
fn by_name(
    state: OptimizerState,
    plan: &Plan,
    expected: &[Expected<'_>],
    all: &[String],
) -> Result<Vec<(String, ParameterState)>, String> {
    let groups = state.groups.len();
    let given: Vec<ParameterState> = state.groups.into_iter().flatten().collect();
    let count = given.len();
    if given.iter().all(|parameter| parameter.name.is_some()) && count > 0 {
        let named: Vec<(String, ParameterState)> = given
            .into_iter()
            .map(|parameter| (parameter.name.clone().unwrap_or_default(), parameter))
            .collect();
        let has = |name: &str| named.iter().any(|(given, _)| given == name);
        let missing = expected.iter().map(|p| p.name).filter(|name| !has(name));
        let known = |name: &String| all.contains(name);
        let unknown = named
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !known(name));
        let (missing, unknown): (Vec<&str>, Vec<&str>) =
            (missing.collect(), unknown.map(String::as_str).collect());
        let mut mistakes = Vec::new();
        if !missing.is_empty() {
            mistakes.push(format!("lacks the parameters {}", names::list(missing)));
        }
        if !unknown.is_empty() {
            mistakes.push(format!(
                "has the unknown parameters {}",
                names::list(unknown)
            ));
        }
        return if mistakes.is_empty() {
            Ok(named)
        } else {
            Err(mistakes.join(" and "))
        };
    }
    if groups != 1 && groups != plan.groups.len() + 1 {
        return Err(format!(
            "has {groups} groups of parameters without names, but {} are specified",
            plan.groups.len() + 1
        ));
    }
    let trainable: Vec<&str> = expected.iter().map(|parameter| parameter.name).collect();
    // An optimizer may have been given the frozen parameters too.
    let mut order: Vec<&str> = if count == trainable.len() {
        trainable
    } else {
        all.iter().map(String::as_str).collect()
    };
    if count != order.len() {
        return Err(format!(
            "has {count} parameters, but the model has {} trainable ones: {}",
            expected.len(),
            names::list(expected.iter().map(|parameter| parameter.name))
        ));
    }
    if groups > 1 {
        order.sort_by_key(|name| plan.group_of(name));
    }
    Ok(order.into_iter().map(str::to_owned).zip(given).collect())
}

impl Keys {
    fn of(algorithm: &Algorithm) -> Self {
        let momentum = (algorithm.beta() > 0.0).then_some("momentum_buffer");
        match algorithm {
            Algorithm::Sgd(_) => Self {
                step: false,
                first: momentum,
                second: None,
            },
            Algorithm::Adam(_) => Self {
                step: true,
                first: Some("exp_avg"),
                second: Some("exp_avg_sq"),
            },
            Algorithm::RmsProp(_) => Self {
                step: true,
                first: momentum,
                second: Some("square_avg"),
            },
        }
    }

    /// What is remembered of one parameter, or what is wrong with it.
    fn memory(&self, expected: &Expected<'_>, state: ParameterState) -> Result<Memory, String> {
        let mut memory = Memory::default();
        if state.entries.is_empty() {
            return Ok(memory);
        }
        for (key, value) in state.entries {
            if key == "step" && self.step {
                memory.steps = Some(steps(&value).ok_or("has a `step` that is no count")?);
                continue;
            }
            let place = if Some(key.as_str()) == self.first {
                &mut memory.first
            } else if Some(key.as_str()) == self.second {
                &mut memory.second
            } else {
                return Err(format!("remembers `{key}`, which is unknown here"));
            };
            let Remembered::Tensor(tensor) = value else {
                return Err(format!("has a number for `{key}`, expected a tensor"));
            };
            if !same_shape(&tensor, &expected.shape) {
                return Err(format!(
                    "has `{key}` of shape {:?}, expected {:?}",
                    tensor.shape, expected.shape
                ));
            }
            *place = Some(tensor);
        }
        for (there, key) in [
            (memory.steps.is_some() || !self.step, "step"),
            (
                memory.first.is_some() || self.first.is_none(),
                self.first.unwrap_or_default(),
            ),
            (
                memory.second.is_some() || self.second.is_none(),
                self.second.unwrap_or_default(),
            ),
        ] {
            if !there {
                return Err(format!("lacks `{key}`"));
            }
        }
        Ok(memory)
    }
}

fn steps(value: &Remembered) -> Option<u32> {
    let number = match value {
        Remembered::Number(number) => *number,
        Remembered::Tensor(tensor) => tensor.number()?,
    };
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and within range, as was just checked"
    )]
    whole.then_some(number as u32)
}

fn same_shape(stored: &StoredTensor, shape: &[i64]) -> bool {
    stored.shape.len() == shape.len()
        && stored
            .shape
            .iter()
            .zip(shape)
            .all(|(&stored, &own)| i64::try_from(stored) == Ok(own))
}
