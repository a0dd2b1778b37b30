//! What is trained: model and loss.

use super::architecture;
use super::files::{missing, place_of};
use super::mistakes::Mistakes;
use crate::names::{LOSSES, MODELS};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::trainer_spec::Trainer;

/// The model: a built-in, or a file that exists.
pub(super) fn model(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> Trainer {
    let model = spec.model.get_or_insert_with(|| "mlp".to_owned()).clone();
    if MODELS.contains(&model.as_str()) {
        return Trainer::Builtin(architecture::builtin(spec, mistakes, &model));
    }
    if let Some((code, message, remedy)) =
        missing(mistakes.files, &model, &MODELS, "a TorchScript file")
    {
        mistakes.add(code, "model", message, remedy);
    } else {
        architecture::script(spec, mistakes);
    }
    Trainer::Torchscript(v1::TorchScript {
        path: place_of(mistakes.files, &model),
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
