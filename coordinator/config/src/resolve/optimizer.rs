//! The optimizer, with PyTorch's defaults.

use super::mistakes::Mistakes;
use crate::Resolved;
use crate::names::OPTIMIZERS;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_sweep::plan::Trainability;

/// The optimizer and its options; those of other optimizers are mistakes.
pub(super) fn optimizer(spec: &mut v1::SweepSpec, mistakes: &mut Mistakes) -> v1::Optimizer {
    let name = spec
        .optimizer
        .get_or_insert_with(|| "adamw".to_owned())
        .clone();
    if !OPTIMIZERS.contains(&name.as_str()) {
        mistakes.unknown("optimizer", &name, OPTIMIZERS);
        return v1::Optimizer::default();
    }
    let here = format!("`{name}`");
    let (sgd, rmsprop) = (name == "sgd", name == "rmsprop");
    let adam = !sgd && !rmsprop;

    // A value that does not apply is not judged as well.
    let judged = |applies: bool, value: Option<f64>| value.filter(|_| applies);
    let decay = if name == "adamw" { 0.01 } else { 0.0 };
    complete(&mut spec.weight_decay, true, decay);
    complete(&mut spec.momentum, sgd || rmsprop, 0.0);
    complete(&mut spec.dampening, sgd, 0.0);
    complete(&mut spec.nesterov, sgd, false);
    complete(&mut spec.beta1, adam, 0.9);
    complete(&mut spec.beta2, adam, 0.999);
    complete(&mut spec.alpha, rmsprop, 0.99);
    complete(&mut spec.eps, adam || rmsprop, 1e-8);

    let adams = "`adam` or `adamw`";
    mistakes.does_not_apply(
        "momentum",
        adam && spec.momentum.is_some(),
        &here,
        "`sgd` or `rmsprop`",
    );
    mistakes.does_not_apply(
        "dampening",
        !sgd && spec.dampening.is_some(),
        &here,
        "`sgd`",
    );
    mistakes.does_not_apply("nesterov", !sgd && spec.nesterov.is_some(), &here, "`sgd`");
    mistakes.does_not_apply("beta1", !adam && spec.beta1.is_some(), &here, adams);
    mistakes.does_not_apply("beta2", !adam && spec.beta2.is_some(), &here, adams);
    mistakes.does_not_apply(
        "alpha",
        !rmsprop && spec.alpha.is_some(),
        &here,
        "`rmsprop`",
    );
    mistakes.does_not_apply(
        "eps",
        sgd && spec.eps.is_some(),
        &here,
        "an adaptive optimizer",
    );

    fraction(mistakes, "momentum", judged(!adam, spec.momentum), "0.9");
    fraction(mistakes, "beta1", judged(adam, spec.beta1), "0.9");
    fraction(mistakes, "beta2", judged(adam, spec.beta2), "0.999");
    fraction(mistakes, "alpha", judged(rmsprop, spec.alpha), "0.99");
    within(
        mistakes,
        "dampening",
        judged(sgd, spec.dampening),
        |x| (0.0..=1.0).contains(&x),
        "0 to 1",
        "0",
    );
    within(
        mistakes,
        "weight_decay",
        spec.weight_decay,
        |x| x >= 0.0,
        "0 or more",
        "0.01",
    );
    within(
        mistakes,
        "eps",
        judged(!sgd, spec.eps),
        |x| x > 0.0,
        "a number above 0",
        "1e-8",
    );
    nesterov(spec, mistakes);

    v1::Optimizer {
        name,
        momentum: spec.momentum.unwrap_or_default(),
        dampening: spec.dampening.unwrap_or_default(),
        nesterov: spec.nesterov.unwrap_or_default(),
        weight_decay: spec.weight_decay.unwrap_or_default(),
        beta1: spec.beta1.unwrap_or_default(),
        beta2: spec.beta2.unwrap_or_default(),
        alpha: spec.alpha.unwrap_or_default(),
        eps: spec.eps.unwrap_or_default(),
        ..v1::Optimizer::default()
    }
}

/// What the planner knows of a sweep before a worker has described it: the optimizer, and data at
/// their best.
#[must_use]
pub fn trainability(resolved: &Resolved) -> Trainability {
    let optimizer = resolved.trainer.optimizer.as_ref();
    Trainability {
        beta: optimizer.map(|optimizer| memory(optimizer, None)),
        adaptive: optimizer.is_none_or(|optimizer| optimizer.name != "sgd"),
        seekable: true,
        replayable: true,
    }
}

/// What the optimizer remembers from one step of the range test to the next: momentum or beta1,
/// once for each of the updates that the step holds.
pub(super) fn memory(optimizer: &v1::Optimizer, updates: Option<u32>) -> f64 {
    let update = match optimizer.name.as_str() {
        "adam" | "adamw" => optimizer.beta1,
        _ => optimizer.momentum,
    };
    update.powf(f64::from(updates.unwrap_or(1)))
}

/// PyTorch's default learning rate, at which torch-lr-finder and ignite start when the optimizer
/// was made without one.
pub(super) fn default_lr(optimizer: &v1::Optimizer) -> f64 {
    if optimizer.name == "rmsprop" {
        1e-2
    } else {
        1e-3
    }
}

fn complete<T>(field: &mut Option<T>, applies: bool, default: T) {
    if applies && field.is_none() {
        *field = Some(default);
    }
}

fn nesterov(spec: &v1::SweepSpec, mistakes: &mut Mistakes) {
    if spec.nesterov != Some(true) || spec.optimizer.as_deref() != Some("sgd") {
        return;
    }
    if spec.momentum == Some(0.0) {
        mistakes.add(
            Code::Nesterov,
            "nesterov",
            "needs momentum, which is 0",
            "set a momentum too, such as 0.9",
        );
    }
    if let Some(dampening) = spec.dampening.filter(|dampening| *dampening != 0.0) {
        mistakes.add(
            Code::Nesterov,
            "nesterov",
            format!("needs zero dampening, which is {dampening}"),
            "remove the dampening, or use momentum without nesterov",
        );
    }
}

fn fraction(mistakes: &mut Mistakes, field: &str, value: Option<f64>, example: &str) {
    let fits = |x: f64| (0.0..1.0).contains(&x);
    within(mistakes, field, value, fits, "0 to below 1", example);
}

fn within(
    mistakes: &mut Mistakes,
    field: &str,
    value: Option<f64>,
    fits: impl Fn(f64) -> bool,
    expected: &str,
    example: &str,
) {
    if let Some(value) = value.filter(|value| !value.is_finite() || !fits(*value)) {
        mistakes.add(
            Code::OutOfRange,
            field,
            format!("{value} is out of range; expected {expected}"),
            format!("use a value such as {example}"),
        );
    }
}
