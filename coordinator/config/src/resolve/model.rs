//! What is trained on what: model, data, loss.

use super::mistakes::Mistakes;
use crate::names::{DATA, DATA_FILES, LOSSES, MODELS, any_of, nearest};
use rangefinder_proto::v1;
use rangefinder_proto::v1::trainer_spec::Trainer;
use std::path::{Path, PathBuf};

const DEFAULT_MLP: [u32; 2] = [256, 256];
const DEFAULT_CNN: [u32; 2] = [32, 64];
const MAX_WIDTH: u32 = 1 << 20;

/// The model: a built-in, or a file that exists.
pub(super) fn model(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> Trainer {
    let model = spec.model.get_or_insert_with(|| "mlp".to_owned()).clone();
    if MODELS.contains(&model.as_str()) {
        if spec.hidden_sizes.is_empty() {
            spec.hidden_sizes = match model.as_str() {
                "mlp" => DEFAULT_MLP.to_vec(),
                _ => DEFAULT_CNN.to_vec(),
            };
        }
        if let Some(width) = spec
            .hidden_sizes
            .iter()
            .find(|width| !(1..=MAX_WIDTH).contains(*width))
        {
            mistakes.add(
                "hidden_sizes",
                format!("{width} is not a width; expected 1 to {MAX_WIDTH}"),
                "give the widths of the hidden layers, such as 256,256",
            );
        }
        return Trainer::Builtin(v1::Builtin {
            name: model,
            hidden_sizes: spec.hidden_sizes.clone(),
        });
    }
    if let Some((message, remedy)) = missing(&model, &MODELS, "a TorchScript file") {
        mistakes.add("model", message, remedy);
    } else {
        mistakes.does_not_apply(
            "hidden_sizes",
            !spec.hidden_sizes.is_empty(),
            "a TorchScript file, which has its own layers",
            "a built-in model",
        );
    }
    Trainer::Torchscript(v1::TorchScript {
        path: absolute(&model),
    })
}

/// The data: embedded, or a file that exists, with what its format needs.
pub(super) fn data(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> v1::Data {
    let source = spec.data.get_or_insert_with(|| "digits".to_owned()).clone();
    if DATA.contains(&source.as_str()) {
        unused(spec, mistakes, "embedded data", true);
        return v1::Data {
            source,
            ..v1::Data::default()
        };
    }
    let ending = Path::new(&source)
        .extension()
        .and_then(|ending| ending.to_str())
        .map(|ending| format!(".{}", ending.to_lowercase()))
        .unwrap_or_default();
    if let Some((message, remedy)) = missing(&source, &DATA, "a file of data") {
        mistakes.add("data", message, remedy);
    } else if !DATA_FILES.contains(&ending.as_str()) {
        mistakes.add(
            "data",
            format!(
                "the format of `{source}` is unknown; expected a file that ends in {}",
                any_of(DATA_FILES)
            ),
            "save the arrays with numpy.savez(file, inputs=..., targets=...)",
        );
    }
    match ending.as_str() {
        ".npy" => npy(spec, mistakes),
        ".npz" | ".safetensors" => {
            mistakes.does_not_apply(
                "targets",
                spec.targets.is_some(),
                "a file that holds inputs and targets both",
                "the .npy file of the inputs",
            );
            named_arrays(spec, mistakes);
        }
        _ => {}
    }
    v1::Data {
        source: absolute(&source),
        targets: spec.targets.as_deref().map(absolute).unwrap_or_default(),
        input_keys: spec.input_keys.clone(),
        target_key: spec.target_key.clone().unwrap_or_default(),
    }
}

/// The loss.
pub(super) fn loss(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes, model: &Trainer) -> String {
    let loss = spec.loss.get_or_insert_with(|| "cross_entropy".to_owned());
    if !LOSSES.contains(&loss.as_str()) {
        mistakes.unknown("loss", loss, LOSSES);
    } else if loss == "module" && matches!(model, Trainer::Builtin(_)) {
        mistakes.add(
            "loss",
            "`module` needs a model that returns its loss, which the built-in ones do not",
            "use `cross_entropy` or `mse`, or a TorchScript model that takes inputs and targets",
        );
    }
    loss.clone()
}

fn npy(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) {
    match spec.targets.as_deref() {
        None => mistakes.add(
            "targets",
            "is missing: an .npy file holds the inputs only",
            "name the .npy file of the targets",
        ),
        Some(targets) => {
            if let Some((message, remedy)) = missing(targets, &[], "an .npy file") {
                mistakes.add("targets", message, remedy);
            }
        }
    }
    unused(
        spec,
        mistakes,
        "an .npy file, whose arrays have no names",
        false,
    );
}

fn named_arrays(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) {
    if spec.input_keys.is_empty() {
        spec.input_keys = vec!["inputs".to_owned()];
    }
    let target_key = spec.target_key.get_or_insert_with(|| "targets".to_owned());
    if target_key.is_empty() {
        mistakes.add(
            "target_key",
            "is empty",
            "give the name of the target array",
        );
    }
    if spec.input_keys.iter().any(String::is_empty) {
        mistakes.add(
            "input_keys",
            "holds an empty name",
            "give the names of the input arrays",
        );
    }
    if spec.input_keys.contains(target_key) {
        mistakes.add(
            "target_key",
            format!("`{target_key}` is one of the inputs"),
            "give the name of the target array",
        );
    }
}

fn unused(spec: &v1::SweepSpec, mistakes: &mut Mistakes, here: &str, targets_too: bool) {
    let files = "an .npz or .safetensors file";
    mistakes.does_not_apply("input_keys", !spec.input_keys.is_empty(), here, files);
    mistakes.does_not_apply("target_key", spec.target_key.is_some(), here, files);
    if targets_too {
        let npy = "the .npy file of the inputs";
        mistakes.does_not_apply("targets", spec.targets.is_some(), here, npy);
    }
}

/// What is wrong when `name` should be a file, or one of `builtin`, and is not there.
fn missing(name: &str, builtin: &[&str], expected: &str) -> Option<(String, String)> {
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
        return Some(("is empty".to_owned(), format!("give {known}")));
    }
    if path.is_dir() {
        return Some((
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
fn absolute(path: &str) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| PathBuf::from(path))
        .display()
        .to_string()
}
