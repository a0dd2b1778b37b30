//! Promises of the planner.
//!
//! - [`table`]: which plan for which workers, steps, range and trainer.
//! - [`properties`]: what holds for every plan.
//! - [`mistakes`]: requests that cannot be planned.

#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod support;
#[cfg(test)]
mod table;
