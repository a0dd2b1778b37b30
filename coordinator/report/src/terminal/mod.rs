//! What people see in a terminal; all of it is meant for stderr.
//!
//! - `style`: how wide stderr is, whether colours are wanted, and writing to it without failing.
//! - `view`: what a running sweep looks like, as a function of its events.
//! - `progress`: shows that view, live on a terminal, as plain lines elsewhere.
//! - `plan`: a drawing of the plan, and what it costs and promises.
//! - `chart`: the curve in characters.
//! - `table`: columns that line up.
//! - `summary`: the curve, the suggestion, the verdict, the files.
//! - `methods`: what every method gives, as a table.
//! - `hyperparameters`: the hyperparameters as a file now holds them.

mod chart;
mod hyperparameters;
mod methods;
mod plan;
mod progress;
mod style;
mod summary;
mod table;
mod view;

pub use hyperparameters::{Hyperparameter, hyperparameters};
pub use plan::plan;
pub use progress::Progress;
pub use style::{complain, fold, say, stderr_style};
pub use summary::summary;
