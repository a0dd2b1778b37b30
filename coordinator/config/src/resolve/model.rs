//! What is trained: model and loss.

use super::architecture;
use super::mistakes::{Mistakes, Wrong};
use crate::names::{LOSSES, MODELS, any_of, nearest};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::trainer_spec::Trainer;
use std::path::{Path, PathBuf};

/// The model: a built-in, or a file that exists.
pub(super) fn model(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> Trainer {
    let model = spec.model.get_or_insert_with(|| "mlp".to_owned()).clone();
    if MODELS.contains(&model.as_str()) {
        return Trainer::Builtin(architecture::builtin(spec, mistakes, &model));
    }
    if let Some((code, message, remedy)) = missing(&model, &MODELS, "a TorchScript file") {
        mistakes.add(code, "model", message, remedy);
    } else {
        architecture::script(spec, mistakes);
    }
    Trainer::Torchscript(v1::TorchScript {
        path: absolute(&model),
    })
}

/// The loss.
pub(super) fn loss(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes, model: &Trainer) -> String {
    let loss = spec.loss.get_or_insert_with(|| "cross_entropy".to_owned());
    if !LOSSES.contains(&loss.as_str()) {
        mistakes.unknown("loss", loss, LOSSES);
    } else if loss == "nll" && matches!(model, Trainer::Builtin(_)) {
        mistakes.add(
            Code::LossAndModel,
            "loss",
            "`nll` needs a model that returns log-probabilities, which the built-in ones do not",
            "use `cross_entropy`, which takes logits",
        );
    } else if loss == "module" && matches!(model, Trainer::Builtin(_)) {
        mistakes.add(
            Code::LossAndModel,
            "loss",
            "`module` needs a model that returns its loss, which the built-in ones do not",
            "use `cross_entropy` or `mse`, or a TorchScript model that takes inputs and targets",
        );
    } else if loss != "cross_entropy" && spec.model.as_deref() == Some("gpt") {
        mistakes.add(
            Code::LossAndModel,
            "loss",
            format!("`{loss}` does not fit `gpt`, which predicts the next token out of many"),
            "use `cross_entropy`",
        );
    }
    let loss = loss.clone();
    let (entropy, indexed) = (
        loss == "cross_entropy",
        ["cross_entropy", "nll"].contains(&loss.as_str()),
    );
    if entropy {
        spec.label_smoothing.get_or_insert(0.0);
    }
    if indexed {
        spec.ignore_index.get_or_insert(-100);
    }
    let here = format!("`{loss}`");
    mistakes.does_not_apply(
        "label_smoothing",
        !entropy && spec.label_smoothing.is_some(),
        &here,
        "`cross_entropy`",
    );
    mistakes.does_not_apply(
        "ignore_index",
        !indexed && spec.ignore_index.is_some(),
        &here,
        "`cross_entropy` or `nll`",
    );
    if let Some(share) = spec
        .label_smoothing
        .filter(|share| entropy && !(0.0..1.0).contains(share))
    {
        mistakes.add(
            Code::OutOfRange,
            "label_smoothing",
            format!("{share} is out of range; expected 0 to below 1"),
            "use a value such as 0.1",
        );
    }
    loss
}

/// What is wrong when `name` should be a file, or one of `builtin`, and is not there.
pub(super) fn missing(name: &str, builtin: &[&str], expected: &str) -> Option<Wrong> {
    let path = Path::new(name);
    if path.is_file() {
        return None;
    }
    let known = if builtin.is_empty() {
        expected.to_owned()
    } else {
        format!(
            "{} or the path of {expected}",
            any_of(builtin.iter().copied())
        )
    };
    if name.is_empty() {
        return Some((
            Code::Missing,
            "is empty".to_owned(),
            format!("give {known}"),
        ));
    }
    if path.is_dir() {
        return Some((
            Code::NotAFile,
            format!("`{name}` is a folder; expected {known}"),
            "give the path of the file itself".to_owned(),
        ));
    }
    let beside = neighbours(path);
    let near = nearest(name, builtin.iter().copied())
        .map(str::to_owned)
        .or_else(|| {
            let file = path.file_name()?.to_str()?;
            let near = nearest(file, beside.iter().map(String::as_str))?;
            Some(path.with_file_name(near).display().to_string())
        });
    Some((
        Code::NoSuchFile,
        format!("there is no file `{name}`; expected {known}"),
        match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "check the path; it is relative to the current folder".to_owned(),
        },
    ))
}

/// Names of the files beside a path.
fn neighbours(path: &Path) -> Vec<String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Workers may run in another folder than the coordinator.
pub(super) fn absolute(path: &str) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| PathBuf::from(path))
        .display()
        .to_string()
}
