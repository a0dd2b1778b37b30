//! What is special about some parameters or their gradients: groups, frozen ones, clipping, and
//! where weights and optimizer start from.

use super::mistakes::Mistakes;
use super::model::{absolute, missing};
use crate::names::nearest;
use rangefinder_proto::v1;

const GROUP_EXAMPLE: &str = "write it such as head.*:lr=10,weight_decay=0";
const GROUP_SETTINGS: [&str; 2] = ["lr", "weight_decay"];

/// Completes the optimizer by groups, clipping and the state to start from.
pub(super) fn optimizer(
    spec: &v1::SweepSpec,
    mistakes: &mut Mistakes,
    optimizer: &mut v1::Optimizer,
) {
    for text in &spec.groups {
        match group(text) {
            Ok(group) => optimizer.groups.push(group),
            Err((message, remedy)) => {
                mistakes.add("groups", format!("`{text}` {message}"), remedy);
            }
        }
    }
    for (field, limit) in [
        ("clip_norm", spec.clip_norm),
        ("clip_value", spec.clip_value),
    ] {
        if let Some(limit) = limit.filter(|limit| !(limit.is_finite() && *limit > 0.0)) {
            mistakes.add(
                field,
                format!("{limit} is out of range; expected a number above 0"),
                "use a value such as 1, or remove it",
            );
        }
    }
    if spec.clip_norm.is_some() && spec.clip_value.is_some() {
        mistakes.add(
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
    if spec.freeze.iter().any(String::is_empty) {
        mistakes.add(
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
    if let Some((message, remedy)) = missing(path, &[], expected) {
        mistakes.add(field, message, remedy);
    }
    absolute(path)
}

/// `PATTERN:lr=RATIO,weight_decay=DECAY`, at least one of the two.
fn group(text: &str) -> Result<v1::ParameterGroup, (String, String)> {
    let mistake = |message: &str| (message.to_owned(), GROUP_EXAMPLE.to_owned());
    // A dotted name holds no colon.
    let (pattern, settings) = text
        .split_once(':')
        .ok_or_else(|| mistake("has no settings"))?;
    if pattern.trim().is_empty() {
        return Err(mistake("has no pattern before the colon"));
    }
    let mut group = v1::ParameterGroup {
        pattern: pattern.trim().to_owned(),
        lr_ratio: 1.0,
        weight_decay: None,
    };
    let mut seen = Vec::new();
    for setting in settings.split(',') {
        let (name, value) = setting
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
            .ok_or_else(|| mistake(&format!("has `{}` for a setting", setting.trim())))?;
        if seen.contains(&name) {
            return Err(mistake(&format!("sets `{name}` twice")));
        }
        seen.push(name);
        let number = value.parse::<f64>().ok().filter(|n| n.is_finite());
        match (name, number) {
            ("lr", Some(ratio)) if ratio > 0.0 => group.lr_ratio = ratio,
            ("lr", _) => {
                return Err((
                    format!("has the ratio `{value}`; expected a number above 0"),
                    "use `freeze` for parameters that are not to be trained".to_owned(),
                ));
            }
            ("weight_decay", Some(decay)) if decay >= 0.0 => group.weight_decay = Some(decay),
            ("weight_decay", _) => {
                return Err(mistake(&format!(
                    "has the weight_decay `{value}`; expected 0 or more"
                )));
            }
            (unknown, _) => {
                let remedy = match nearest(unknown, GROUP_SETTINGS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => GROUP_EXAMPLE.to_owned(),
                };
                return Err((
                    format!("has `{unknown}`; expected `lr` or `weight_decay`"),
                    remedy,
                ));
            }
        }
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_pattern_and_its_settings() {
        let group = |text| group(text).unwrap();
        let both = group("head.*:lr=10,weight_decay=0");
        assert_eq!(both.pattern, "head.*");
        assert_eq!((both.lr_ratio, both.weight_decay), (10.0, Some(0.0)));
        let decay = group("*.bias: weight_decay = 1e-3");
        assert_eq!((decay.lr_ratio, decay.weight_decay), (1.0, Some(1e-3)));
        assert_eq!(group("a:lr=.5").weight_decay, None);
    }

    #[test]
    fn a_group_that_cannot_be_read_says_why() {
        for (text, why) in [
            ("head.*", "no settings"),
            (":lr=1", "no pattern"),
            ("head.*:", "for a setting"),
            ("head.*:lr", "`lr` for a setting"),
            ("head.*:lr=0", "above 0"),
            ("head.*:lr=nan", "above 0"),
            ("head.*:lr=1,lr=2", "twice"),
            ("head.*:weight_decay=-1", "0 or more"),
            ("head.*:weight_deca=1", "expected `lr` or `weight_decay`"),
        ] {
            let (message, remedy) = group(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
            assert!(!remedy.is_empty());
        }
        let (_, remedy) = group("head.*:weight_deca=1").unwrap_err();
        assert_eq!(remedy, "did you mean `weight_decay`?");
    }
}
