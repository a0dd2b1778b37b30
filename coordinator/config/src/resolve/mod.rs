//! Checks a specification and completes it.

use crate::Resolved;
use rangefinder_proto::v1;
use rangefinder_sweep::event::FieldError;

/// Checks a specification and completes it with the defaults that apply.
///
/// `cores` are the CPU cores of the machine, shared by the workers.
///
/// # Errors
/// All mistakes at once, in the order of the fields.
pub fn resolve(
    _spec: v1::SweepSpec,
    _workers: u32,
    _cores: u32,
) -> Result<Resolved, Vec<FieldError>> {
    Err(Vec::new())
}
