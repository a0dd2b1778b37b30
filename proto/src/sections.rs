//! How the fields of the sweep specification are grouped where people read them: in `--help` and
//! in the printed configuration. Tens of field numbers are groups, below 70.

/// The heading under which a field stands, by its number in `SweepSpec`.
#[must_use]
pub const fn of(number: i32) -> &'static str {
    match number {
        70..=82 => return "Model and data",
        83..=86 => return "Optimizer",
        87..=89 => return "Evaluation",
        96..=98 => return "Your own training loop",
        _ => {}
    }
    match number / 10 {
        0 => "Model and data",
        1 => "Optimizer",
        2 => "Batches",
        3 => "Range of learning rates",
        4 => "Splitting the work",
        5 => "Suggestion",
        _ => "Devices",
    }
}
