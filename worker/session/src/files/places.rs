//! Where a specification names files.

use rangefinder_access::Kind;
use rangefinder_proto::v1;
use rangefinder_proto::v1::trainer_spec::Trainer;

/// The data that every worker brings itself.
const BUILTIN_DATA: &str = "digits";

/// A file that a specification names.
pub(super) struct Place<'a> {
    /// The field of `SweepSpec` that it comes from.
    pub(super) field: &'static str,
    pub(super) kind: Kind,
    pub(super) text: &'a mut String,
}

/// All files that a specification names. What a training loop of its own reads is its own affair:
/// its entry and its configuration are no paths to the session.
pub(super) fn files(spec: &mut v1::TrainerSpec) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    let mut add = |field, kind, text| places.push(Place { field, kind, text });
    if let Some(Trainer::Torchscript(model)) = &mut spec.trainer {
        add("model", Kind::Model, &mut model.path);
    }
    add("weights", Kind::Model, &mut spec.weights);
    if let Some(optimizer) = &mut spec.optimizer {
        add("optimizer_state", Kind::Model, &mut optimizer.state);
    }
    if let Some(data) = &mut spec.data {
        add("data", Kind::Data, &mut data.source);
        add("targets", Kind::Data, &mut data.targets);
    }
    if let Some(data) = spec
        .evaluation
        .as_mut()
        .and_then(|evaluation| evaluation.data.as_mut())
    {
        add("eval_data", Kind::Data, &mut data.source);
        add("eval_targets", Kind::Data, &mut data.targets);
    }
    places.retain(|place| {
        !place.text.is_empty() && (place.kind == Kind::Model || place.text != BUILTIN_DATA)
    });
    places
}
