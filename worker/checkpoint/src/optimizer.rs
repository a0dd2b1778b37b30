//! States of optimizers.

use rangefinder_errors::Code;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::archive::{self, Archive};
use crate::error::{CheckpointError, Quoted};
use crate::pickle::{Id, Object, Pickle, TensorRef};
use crate::tensor::StoredTensor;

/// What `torch.save(optimizer.state_dict())` holds.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerState {
    /// Each parameter group's parameters, in its order.
    pub groups: Vec<Vec<ParameterState>>,
}

/// One parameter's part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterState {
    /// Its dotted name, where the optimizer was made from named parameters.
    pub name: Option<String>,
    /// What is remembered, by PyTorch's names, such as `exp_avg`; empty before its first update.
    pub entries: Vec<(String, Remembered)>,
}

/// Something that an optimizer remembers.
#[derive(Clone, Debug, PartialEq)]
pub enum Remembered {
    /// A number.
    Number(f64),
    /// A tensor.
    Tensor(StoredTensor),
}

impl OptimizerState {
    /// Reads a file of `torch.save(optimizer.state_dict())`.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or holds anything else.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut archive = Archive::read(archive::open(path)?)?;
        let layout = layout(&archive.pickle).ok_or_else(|| {
            CheckpointError::new(
                Code::CheckpointKind,
                "does not hold an optimizer's state, a dictionary of `state` and `param_groups`",
                "save it with torch.save(optimizer.state_dict(), path)",
            )
        })?;
        let groups = layout
            .into_iter()
            .map(|group| {
                group
                    .into_iter()
                    .map(|(name, entries)| parameter(&mut archive, name, entries))
                    .collect::<Result<_, _>>()
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }
}

enum Found {
    Number(f64),
    Tensor(TensorRef),
    Other,
}

type Layout = Vec<Vec<(Option<String>, Vec<(String, Found)>)>>;

fn layout(pickle: &Pickle) -> Option<Layout> {
    let Object::Dict(root) = pickle.root() else {
        return None;
    };
    let state = dict(pickle, value(pickle, root, "state")?)?;
    let Object::List(groups) = pickle.get(value(pickle, root, "param_groups")?) else {
        return None;
    };
    let states: HashMap<i64, Id> = state
        .iter()
        .filter_map(|(key, entries)| match pickle.get(*key) {
            Object::Int(index) => Some((*index, *entries)),
            _ => None,
        })
        .collect();
    // Each parameter is in one group and has a state of its own: one that is named twice would be
    // read twice.
    let mut seen = HashSet::new();
    let mut seen_states = HashSet::new();
    groups
        .iter()
        .map(|group| {
            let group = dict(pickle, *group)?;
            let Object::List(indices) = pickle.get(value(pickle, group, "params")?) else {
                return None;
            };
            let names = match value(pickle, group, "param_names").map(|id| pickle.get(id)) {
                Some(Object::List(names)) if names.len() == indices.len() => Some(names),
                Some(_) => return None,
                None => None,
            };
            indices
                .iter()
                .enumerate()
                .map(|(place, index)| {
                    let Object::Int(index) = pickle.get(*index) else {
                        return None;
                    };
                    if !seen.insert(*index) {
                        return None;
                    }
                    let name = names.and_then(|names| match pickle.get(names[place]) {
                        Object::Text(name) => Some(name.clone()),
                        _ => None,
                    });
                    let entries = match states.get(index) {
                        Some(entries) if !seen_states.insert(*entries) => return None,
                        Some(entries) => entries_of(pickle, *entries)?,
                        None => Vec::new(),
                    };
                    Some((name, entries))
                })
                .collect()
        })
        .collect()
}

fn entries_of(pickle: &Pickle, id: Id) -> Option<Vec<(String, Found)>> {
    let mut entries = Vec::new();
    for (key, value) in dict(pickle, id)? {
        let Object::Text(name) = pickle.get(*key) else {
            return None;
        };
        #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^53")]
        let found = match pickle.get(*value) {
            // SGD without momentum writes `momentum_buffer: None`.
            Object::None => continue,
            Object::Int(number) => Found::Number(*number as f64),
            Object::Float(number) => Found::Number(*number),
            Object::Tensor(view) => Found::Tensor(view.clone()),
            _ => Found::Other,
        };
        entries.push((name.clone(), found));
    }
    Some(entries)
}

fn parameter(
    archive: &mut Archive,
    name: Option<String>,
    entries: Vec<(String, Found)>,
) -> Result<ParameterState, CheckpointError> {
    let entries = entries
        .into_iter()
        .map(|(key, found)| {
            let remembered = match found {
                Found::Number(number) => Remembered::Number(number),
                Found::Tensor(view) => Remembered::Tensor(archive.tensor(&view)?),
                Found::Other => {
                    return Err(CheckpointError::new(
                        Code::CheckpointKind,
                        format!("remembers {}, which is no number or tensor", Quoted(&key)),
                        "save the state of a sgd, adam, adamw or rmsprop optimizer",
                    ));
                }
            };
            Ok((key, remembered))
        })
        .collect::<Result<_, _>>()?;
    Ok(ParameterState { name, entries })
}

fn dict(pickle: &Pickle, id: Id) -> Option<&[(Id, Id)]> {
    match pickle.get(id) {
        Object::Dict(entries) => Some(entries),
        _ => None,
    }
}

fn value(pickle: &Pickle, entries: &[(Id, Id)], key: &str) -> Option<Id> {
    entries
        .iter()
        .find(|(name, _)| matches!(pickle.get(*name), Object::Text(name) if name == key))
        .map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters 0 and 1, whose states are the objects that these instructions of a pickle push.
    fn groups(first: &[u8], second: &[u8]) -> Option<usize> {
        let pickle = [
            b"\x80\x02}(X\x05\0\0\0state}(K\0".as_slice(),
            first,
            b"K\x01",
            second,
            b"uX\x0c\0\0\0param_groups](}X\x06\0\0\0params](K\0K\x01eseu.",
        ];
        layout(&Pickle::read(&pickle.concat()).unwrap()).map(|groups| groups[0].len())
    }

    #[test]
    fn each_parameter_has_a_state_of_its_own() {
        assert_eq!(groups(b"}", b"}"), Some(2));
        assert_eq!(groups(b"}q\0", b"h\0"), None);
    }
}
