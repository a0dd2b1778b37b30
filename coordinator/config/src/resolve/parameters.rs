//! What is special about some parameters or their gradients: groups, frozen ones, clipping, and
//! where weights and optimizer start from.

use super::files::{missing, place_of};
use super::mistakes::Mistakes;
use crate::names::{any_of, nearest};
use rangefinder_errors::Code;
use rangefinder_proto::groups::{self, NotAGroup, SETTINGS};
use rangefinder_proto::v1;

const GROUP_EXAMPLE: &str = "write it such as head.*:lr=10,weight_decay=0";

/// Completes the optimizer by groups, clipping and the state to start from.
pub(super) fn optimizer(
    spec: &v1::SweepSpec,
    mistakes: &mut Mistakes,
    optimizer: &mut v1::Optimizer,
) {
    for text in &spec.groups {
        match groups::parse(text) {
            Ok(group)
                if optimizer
                    .groups
                    .iter()
                    .any(|it| it.pattern == group.pattern) =>
            {
                mistakes.add(
                    Code::PatternTaken,
                    "groups",
                    format!(
                        "`{text}` has the pattern of a group before it, which takes all it fits"
                    ),
                    "write all settings of a pattern in one group",
                );
            }
            Ok(group) => optimizer.groups.push(group),
            Err(why) => {
                let (message, remedy) = mistaken(why);
                mistakes.add(
                    Code::NotAGroup,
                    "groups",
                    format!("`{text}` {message}"),
                    remedy,
                );
            }
        }
    }
    for (field, limit) in [
        ("clip_norm", spec.clip_norm),
        ("clip_value", spec.clip_value),
    ] {
        if let Some(limit) = limit.filter(|limit| !(limit.is_finite() && *limit > 0.0)) {
            mistakes.add(
                Code::OutOfRange,
                field,
                format!("{limit} is out of range; expected a number above 0"),
                "use a value such as 1, or remove it",
            );
        }
    }
    if spec.clip_norm.is_some() && spec.clip_value.is_some() {
        mistakes.add(
            Code::DoesNotApply,
            "clip_value",
            "does not apply together with `clip_norm`",
            "clip by one of them",
        );
    }
    optimizer.clip_norm = spec.clip_norm;
    optimizer.clip_value = spec.clip_value;
    let expected = "a .pt file of torch.save(optimizer.state_dict())";
    optimizer.state = checkpoint("optimizer_state", &spec.optimizer_state, expected, mistakes);
}

/// The file of the weights to start from, or nothing.
pub(super) fn weights(spec: &v1::SweepSpec, mistakes: &mut Mistakes) -> String {
    let expected = "a .safetensors file, or a .pt file of torch.save(model.state_dict())";
    checkpoint("weights", &spec.weights, expected, mistakes)
}

/// Patterns of frozen parameters.
pub(super) fn freeze(spec: &v1::SweepSpec, mistakes: &mut Mistakes) -> Vec<String> {
    if spec.freeze.iter().any(|pattern| pattern.trim().is_empty()) {
        mistakes.add(
            Code::Missing,
            "freeze",
            "holds an empty pattern",
            "give patterns over the names of parameters, such as layer1.*",
        );
    }
    spec.freeze.clone()
}

fn checkpoint(
    field: &str,
    path: &Option<String>,
    expected: &str,
    mistakes: &mut Mistakes,
) -> String {
    let Some(path) = path else {
        return String::new();
    };
    if let Some((code, message, remedy)) = missing(mistakes.files, path, &[], expected) {
        mistakes.add(code, field, message, remedy);
    }
    place_of(mistakes.files, path)
}

/// What is wrong with a text that is no group, and what to do.
fn mistaken(group: NotAGroup) -> (String, String) {
    let (message, remedy) = match group {
        NotAGroup::NoSettings => ("has no settings".to_owned(), None),
        NotAGroup::NoPattern => ("has no pattern before the colon".to_owned(), None),
        NotAGroup::NotASetting(text) if text.is_empty() => {
            ("has an empty setting".to_owned(), None)
        }
        NotAGroup::NotASetting(text) => (format!("has `{text}` for a setting"), None),
        NotAGroup::Twice(name) => (format!("sets `{name}` twice"), None),
        NotAGroup::Unknown(name) => (
            format!("has `{name}`; expected {}", any_of(SETTINGS)),
            nearest(&name, SETTINGS).map(|near| format!("did you mean `{near}`?")),
        ),
        NotAGroup::Ratio(value) => (
            format!("has the ratio `{value}`; expected a number above 0"),
            Some("use `freeze` for parameters that are not to be trained".to_owned()),
        ),
        NotAGroup::WeightDecay(value) => (
            format!("has the weight_decay `{value}`; expected 0 or more"),
            None,
        ),
    };
    (message, remedy.unwrap_or_else(|| GROUP_EXAMPLE.to_owned()))
}
