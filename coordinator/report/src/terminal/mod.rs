//! What people see in a terminal; all of it goes to stderr.

use crate::SweepDocument;
use crate::files::Written;
use rangefinder_sweep::event::SweepEvent;
use rangefinder_sweep::plan::Plan;

/// Shows a running sweep on stderr: a live view on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Progress {}

impl Progress {
    /// A view on stderr. `learning_rates` are those of every planned step. With `quiet` nothing
    /// is shown but failures.
    #[must_use]
    pub fn stderr(_learning_rates: Vec<f64>, _quiet: bool) -> Self {
        Self {}
    }

    /// Takes in what happened; never fails, whatever became of stderr.
    pub fn show(&mut self, _event: &SweepEvent) {}

    /// A line of the caller's own, above the bar; not shown with `quiet`.
    pub fn note(&mut self, _line: &str) {}

    /// Takes the bar away, so that other text can follow. Also done when dropped.
    pub fn finish(&mut self) {}
}

/// The plan: a drawing of its tasks over the learning rates, and what it costs and promises.
#[must_use]
pub fn plan(_plan: &Plan, _learning_rates: &[f64], _width: usize, _colour: bool) -> String {
    String::new()
}

/// The curve, the table of suggestions, the verdict and where the files are.
#[must_use]
pub fn summary(
    _document: &SweepDocument,
    _written: Option<&Written>,
    _width: usize,
    _colour: bool,
) -> String {
    String::new()
}

/// One hyperparameter as a file now holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hyperparameter {
    /// Dotted name.
    pub key: String,
    /// Value as the file has it.
    pub value: String,
    /// What it was before, for the one that was changed.
    pub before: Option<String>,
}

/// All hyperparameters, the changed ones marked.
#[must_use]
pub fn hyperparameters(_all: &[Hyperparameter], _width: usize, _colour: bool) -> String {
    String::new()
}

/// Columns of stderr (80 when it is not a terminal), and whether colours are wanted there.
#[must_use]
pub fn stderr_style() -> (usize, bool) {
    (80, false)
}

/// Writes text to stderr; a closed or broken stderr is no reason to stop a sweep.
pub fn say(_text: &str) {}
