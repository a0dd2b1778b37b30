//! A mistake in a field of a request.

use super::super::status::Refusal;
use rangefinder_errors::Code;
use rangefinder_sweep::event::FieldError;

/// A mistake in a field of a request: its path, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::services) struct Field {
    pub(in crate::services) path: String,
    pub(in crate::services) error: FieldError,
}

impl Field {
    pub(super) fn of_spec(error: FieldError) -> Self {
        let path = match error.field.as_str() {
            // The number of workers belongs to the request.
            "workers" => error.field.clone(),
            field => format!("spec.{field}"),
        };
        Self { path, error }
    }

    pub(super) fn new(path: &str, code: Code, message: String, remedy: &str) -> Self {
        let error = FieldError {
            code,
            field: path.to_owned(),
            message,
            remedy: remedy.to_owned(),
        };
        Self {
            path: path.to_owned(),
            error,
        }
    }
}

/// Mistakes in how a curve is to be read.
pub(super) fn of_reading(errors: Vec<FieldError>) -> Refusal {
    let field = |error: FieldError| Field {
        path: match error.field.as_str() {
            // The optimizer belongs to the curve, not to how it is read.
            "beta" => error.field.clone(),
            field => format!("reading.{field}"),
        },
        error,
    };
    Refusal::Fields(errors.into_iter().map(field).collect())
}
