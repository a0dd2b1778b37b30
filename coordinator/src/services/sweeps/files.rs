//! The files that a sweep names: uploaded as artifacts, or below the roots of the operator.

use super::super::artifacts::sees_as;
use super::field::Field;
use rangefinder_access::{Kind, Principal, Roots};
use rangefinder_artifacts::{ArtifactStore, Pin, Reference};
use rangefinder_config::files::{Holds, artifacts, fields};
use rangefinder_errors::Coded as _;
use rangefinder_proto::v1;
use rangefinder_sweep::event::FieldError;

/// Puts the whole path in place of one below a root. What is neither that nor an artifact is a
/// mistake. Blocks.
pub(super) fn confine(spec: &mut v1::SweepSpec, roots: &Roots) -> Vec<Field> {
    let mut mistakes = Vec::new();
    for field in fields(spec) {
        // An artifact that is written wrongly is found with all else that is wrong.
        let Some(file) = field.file().filter(|file| !Reference::is_one(file)) else {
            continue;
        };
        let kind = match field.holds {
            Holds::Model => Kind::Model,
            Holds::Data => Kind::Data,
        };
        match roots.resolve(kind, file) {
            Ok(path) => *field.value = Some(path.display().to_string()),
            Err(error) => mistakes.push(Field::of_spec(FieldError {
                code: error.code(),
                field: field.name.to_owned(),
                message: error.message,
                remedy: error.remedy,
            })),
        }
    }
    mistakes
}

/// Holds the artifacts that a specification names, so that they stay. One that is not there, not
/// whole, or another client's, is a mistake. Blocks.
pub(super) fn pin(
    spec: &v1::SweepSpec,
    store: &ArtifactStore,
    caller: &Principal,
) -> Result<Vec<Pin>, Vec<Field>> {
    let (mut pins, mut mistakes) = (Vec::new(), Vec::new());
    for (field, reference) in artifacts(spec) {
        match store.pin(reference.digest(), sees_as(caller)) {
            Ok(pin) => pins.push(pin),
            Err(error) => mistakes.push(Field::of_spec(FieldError {
                code: error.code(),
                field: field.to_owned(),
                message: error.to_string(),
                remedy: "upload it before the sweep is created".to_owned(),
            })),
        }
    }
    if mistakes.is_empty() {
        Ok(pins)
    } else {
        Err(mistakes)
    }
}
