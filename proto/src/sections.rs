//! How the fields of the sweep specification are grouped where people read them: in `--help` and
//! in the printed configuration.

/// The heading under which a field stands, by its number in `SweepSpec`.
///
/// The definition keeps the fields of a heading together; their numbers are as old as they are.
#[must_use]
pub const fn of(number: i32) -> &'static str {
    match number {
        1 | 2 | 75..=80 => MODEL,
        3..=6 | 70..=74 => DATA,
        7 | 81 | 82 => LOSS,
        10..=18 | 83..=86 => OPTIMIZER,
        20..=25 => "Batches",
        87..=90 => EVALUATION,
        30..=34 => "Range of learning rates",
        40..=43 => "Splitting the work",
        50..=53 => "Suggestion",
        60..=64 => "Devices",
        96 | 97 => "Your own training loop",
        _ => "Other",
    }
}

/// What is trained.
pub const MODEL: &str = "Model";
/// What it is trained on.
pub const DATA: &str = "Data";
/// What is made small.
pub const LOSS: &str = "Loss";
/// How a step is taken.
pub const OPTIMIZER: &str = "Optimizer";
/// What is observed instead of the training loss.
pub const EVALUATION: &str = "Evaluation";
