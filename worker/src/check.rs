//! Finds the user's mistakes by running one batch, before any training.

use rangefinder_data::Column;
use rangefinder_errors::Code;
use rangefinder_session::trainer::Failure;
use tch::{TchError, Tensor};

use crate::evaluation;
use crate::failure;
use crate::loss::Criterion;
use crate::recipe::Recipe;
use crate::run::Run;
use crate::samples::{Batch, Samples};

/// The loss of the first batch at the initial weights. The data of an evaluation are checked too; what
/// runs through the model here moves the statistics of batch norms.
///
/// # Errors
/// A user's failure that names the field: no trainable parameters, data that do not fit the model,
/// targets that do not fit the loss, labels out of range, a loss that is not a finite number or
/// does not depend on the parameters.
pub(crate) fn first_loss(
    recipe: &Recipe,
    samples: &Samples,
    other: Option<&Samples>,
    run: &mut Run,
) -> Result<f64, Failure> {
    if run.model.parameters.slots().is_empty() && !recipe.freeze.is_empty() {
        return Err(failure::user(
            Code::NothingToTrain,
            "freeze",
            "every parameter is frozen",
            "leave some to be trained",
        ));
    }
    if run.model.parameters.slots().is_empty() {
        return Err(failure::user(
            Code::NothingToTrain,
            "model",
            "the model has no trainable parameters",
            "save it with parameters that require a gradient, and not frozen by torch.jit.freeze",
        ));
    }
    let training = |error: &TchError| recipe.trouble(error);
    let batch = run.batch(samples, 0).map_err(|error| training(&error))?;
    let autocast = run.forward().map_err(|error| training(&error))?;
    let output = forward(recipe, samples, run, &batch)?;
    let known = run.model.classes();
    let classes = recipe.loss.check(&output, &batch.targets, known)?;
    if recipe.loss.takes_classes() {
        samples.check_labels(classes, recipe.loss.ignore_index)?;
    }
    let loss = recipe
        .loss
        .of_output(&output, &batch.targets, known)
        .map_err(|error| {
            failure::user(
                Code::LossShapes,
                "loss",
                format!("the loss cannot be computed: {}", failure::sentence(&error)),
                "save targets that fit the model's output and the loss",
            )
        })?;
    drop(autocast);
    if !loss.requires_grad() {
        return Err(failure::user(
            Code::NothingToTrain,
            "model",
            "the loss does not depend on any trainable parameter",
            "let the model's output be computed from its parameters, without torch.no_grad or detach",
        ));
    }
    loss.f_backward().map_err(|error| training(&error))?;
    let trained = finite(recipe, &loss, "data", "the first batch")?;
    if let Some(other) = other {
        check_evaluation(recipe, other, classes, run).map_err(evaluation::blame)?;
    }
    Ok(trained)
}

/// The loss of the evaluation at the initial weights of a fresh run; `None` without an evaluation.
///
/// # Errors
/// A user's failure when it is not a finite number.
pub(crate) fn first_evaluation(recipe: &Recipe, run: &mut Run) -> Result<Option<f64>, Failure> {
    run.evaluate()
        .map_err(|error| recipe.trouble(&error))?
        .map(|loss| finite(recipe, &loss, "eval_data", "the evaluation data"))
        .transpose()
}

/// The value of a loss of some data, which the specification names in `field`.
#[expect(clippy::disallowed_methods, reason = "a description waits")]
fn finite(recipe: &Recipe, loss: &Tensor, field: &str, of: &str) -> Result<f64, Failure> {
    let value = loss.f_reshape([]).and_then(|loss| loss.f_double_value(&[]));
    let value = value.map_err(|error| recipe.trouble(&error))?;
    if value.is_finite() {
        return Ok(value);
    }
    Err(failure::user(
        Code::LossNotFinite,
        field,
        format!("the loss of {of} at the initial weights is {value}"),
        "look for NaN, infinities or very large numbers in the data, and scale the inputs",
    ))
}

/// Whether the evaluation's data fit the model as those of training do.
fn check_evaluation(
    recipe: &Recipe,
    other: &Samples,
    classes: Option<i64>,
    run: &Run,
) -> Result<(), Failure> {
    if recipe.loss.takes_classes() {
        other.check_labels(classes, recipe.loss.ignore_index)?;
    }
    let _forward = run.forward().map_err(|error| recipe.trouble(&error))?;
    for batch in run.evaluation_batches() {
        let output = tch::no_grad(|| forward(recipe, other, run, batch))?;
        recipe
            .loss
            .check(&output, &batch.targets, run.model.classes())?;
    }
    Ok(())
}

fn forward(
    recipe: &Recipe,
    samples: &Samples,
    run: &Run,
    batch: &Batch,
) -> Result<Tensor, Failure> {
    let mut arguments: Vec<&Tensor> = batch.inputs.iter().collect();
    if recipe.loss.criterion == Criterion::Module {
        arguments.push(&batch.targets);
    }
    run.model.forward(&arguments).map_err(|error| {
        if failure::is_out_of_memory(&error) {
            return recipe.trouble(&error);
        }
        let reason = failure::sentence(&error);
        let arrays: Vec<&Column> = match recipe.loss.criterion {
            Criterion::Module => samples.inputs().iter().chain([samples.targets()]).collect(),
            _ => samples.inputs().iter().collect(),
        };
        let given = describe(&arrays, &arguments);
        let arguments_differ = [
            "missing value for argument",
            "Expected at most",
            "expected at most",
        ]
        .iter()
        .any(|sign| error.to_string().contains(sign));
        if arguments_differ {
            return failure::user(
                Code::ForwardArguments,
                "input_keys",
                format!(
                    "the model's forward does not take {} ({given})",
                    counted(arguments.len())
                ),
                "name one input array for each argument of forward, in their order; with the loss \
                 `module` the targets are the last argument",
            );
        }
        failure::user(
            Code::ForwardFails,
            "model",
            format!("the model cannot process a batch of the data ({given}): {reason}"),
            "give data of the shape and type that the model's forward expects",
        )
    })
}

/// `1 argument`, `2 arguments`.
fn counted(arguments: usize) -> String {
    let plural = if arguments == 1 { "" } else { "s" };
    format!("{arguments} argument{plural}")
}

/// The arguments as the model gets them, such as `inputs: Float [64, 1, 8, 8]`.
fn describe(arrays: &[&Column], arguments: &[&Tensor]) -> String {
    arrays
        .iter()
        .zip(arguments)
        .map(|(array, tensor)| format!("{}: {:?} {:?}", array.name(), tensor.kind(), tensor.size()))
        .collect::<Vec<_>>()
        .join(", ")
}
