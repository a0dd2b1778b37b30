//! Mistakes in fields of a request, as `google.rpc.BadRequest` carries them: the code in `reason`, in
//! `description` what is wrong on its first line and the remedy below, so that clients of any kind
//! can show it as it is.

use rangefinder_errors::Code;
use rangefinder_sweep::event::FieldError;
use tonic_types::FieldViolation;

/// Before the names of fields of the specification, as their paths in a request begin.
const SPEC: &str = "spec.";

/// A mistake in a field that is called `path` in the request, such as `spec.num_training`.
#[must_use]
pub fn violation(path: &str, error: &FieldError) -> FieldViolation {
    let mut violation = FieldViolation::new(path, error.message.clone());
    if !error.remedy.is_empty() {
        violation.description.push('\n');
        violation.description.push_str(&error.remedy);
    }
    violation.reason = error.code.to_string();
    violation
}

/// A mistake in a field of the specification.
#[must_use]
pub fn in_spec(error: &FieldError) -> FieldViolation {
    violation(&format!("{SPEC}{}", error.field), error)
}

/// Reads a mistake; a code that this release does not know becomes the general one.
#[must_use]
pub fn read(violation: &FieldViolation) -> FieldError {
    let description = violation.description.trim();
    let (message, remedy) = description.split_once('\n').unwrap_or((description, ""));
    let path = violation.field.as_str();
    FieldError {
        code: Code::parse(&violation.reason).unwrap_or(Code::FieldRefused),
        field: path.strip_prefix(SPEC).unwrap_or(path).to_owned(),
        message: message.to_owned(),
        remedy: remedy.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_survive_the_wire_whole() {
        for remedy in ["", "take an even one"] {
            let error = FieldError {
                code: Code::OutOfRange,
                field: "seed".to_owned(),
                message: "3 is odd".to_owned(),
                remedy: remedy.to_owned(),
            };
            let sent = in_spec(&error);
            assert_eq!(sent.field, "spec.seed");
            assert_eq!(read(&sent), error);
            assert_eq!(read(&violation("seed", &error)), error);
        }
        let newer = FieldViolation::new("name", "is too long");
        assert_eq!(read(&newer).code, Code::FieldRefused);
    }
}
