//! The fields of a specification that name files.

use crate::names::{DATA, MODELS};
use rangefinder_artifacts::Reference;
use rangefinder_proto::v1::SweepSpec;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A model, weights, or the state of an optimizer.
    Model,
    /// Data.
    Data,
}

/// A field that names a file, or something that is built in.
#[derive(Debug)]
pub struct FileField<'a> {
    /// Its name.
    pub name: &'static str,
    /// What the file holds.
    pub holds: Holds,
    /// What it names; `None` where it is not set.
    pub value: &'a mut Option<String>,
    /// Names of what is built in.
    builtin: &'static [&'static str],
}

impl FileField<'_> {
    /// The file that it names, if it names one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        let value = self.value.as_deref()?;
        (!value.is_empty() && !self.builtin.contains(&value)).then_some(value)
    }
}

/// All such fields of a specification.
pub fn fields(spec: &mut SweepSpec) -> [FileField<'_>; 7] {
    let field = |name, holds, builtin, value| FileField {
        name,
        holds,
        value,
        builtin,
    };
    [
        field("model", Holds::Model, &MODELS, &mut spec.model),
        field("weights", Holds::Model, &[], &mut spec.weights),
        field(
            "optimizer_state",
            Holds::Model,
            &[],
            &mut spec.optimizer_state,
        ),
        field("data", Holds::Data, &DATA, &mut spec.data),
        field("targets", Holds::Data, &[], &mut spec.targets),
        field("eval_data", Holds::Data, &DATA, &mut spec.eval_data),
        field("eval_targets", Holds::Data, &[], &mut spec.eval_targets),
    ]
}

/// The artifacts that a specification names, each with its field; one that is written wrongly is
/// passed over.
#[must_use]
pub fn artifacts(spec: &SweepSpec) -> Vec<(&'static str, Reference)> {
    let mut spec = spec.clone();
    fields(&mut spec)
        .iter()
        .filter_map(|field| Some((field.name, field.file()?.parse().ok()?)))
        .collect()
}
