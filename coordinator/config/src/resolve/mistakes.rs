//! All that is wrong with a specification, gathered before anything is said.

use crate::names::{any_of, fastai_methods, methods, nearest, profiles};
use rangefinder_errors::Code;
use rangefinder_sweep::event::FieldError;
use rangefinder_sweep::suggest::Profile;
use std::fmt::Display;

/// What is wrong with a value and what to do, before it is known which field has it.
pub(super) type Wrong = (Code, String, String);

/// Where the files are that a specification names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Files {
    /// On this machine, whose workers share its file system.
    #[default]
    Here,
    /// With workers on other machines: uploaded as artifacts, or below the roots of the workers,
    /// who alone can say whether they are there.
    Elsewhere,
}

/// Mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes {
    found: Vec<FieldError>,
    /// Where the files are.
    pub(super) files: Files,
}

impl Mistakes {
    /// None yet, of a specification that names files there.
    pub(super) fn of(files: Files) -> Self {
        Self {
            files,
            found: Vec::new(),
        }
    }

    /// Notes a mistake: its code, the field, what is wrong with its value, what to do.
    pub(super) fn add(
        &mut self,
        code: Code,
        field: &str,
        message: impl Display,
        remedy: impl Display,
    ) {
        self.found.push(FieldError {
            code,
            field: field.to_owned(),
            message: message.to_string(),
            remedy: remedy.to_string(),
        });
    }

    /// Notes that a field is set which means nothing here, such as `beta1` with `sgd`.
    pub(super) fn does_not_apply(&mut self, field: &str, set: bool, here: &str, applies: &str) {
        if set {
            self.add(
                Code::DoesNotApply,
                field,
                format!("does not apply to {here}"),
                format!("remove it, or use it with {applies}"),
            );
        }
    }

    /// What a name stands for; an unknown one is noted and `fallback` goes on in its place.
    pub(super) fn choose<T: Copy>(
        &mut self,
        field: &str,
        name: &str,
        known: &[(&str, T)],
        fallback: T,
    ) -> T {
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == name) {
            return *value;
        }
        self.unknown(field, name, known.iter().map(|(known, _)| *known));
        fallback
    }

    /// Notes an unknown name.
    pub(super) fn unknown<'a>(
        &mut self,
        field: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) {
        let remedy =
            of_the_other(field, name).unwrap_or_else(|| match nearest(name, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use one of those".to_owned(),
            });
        self.add(
            Code::UnknownName,
            field,
            format!("`{name}` is unknown; expected {}", any_of(known)),
            remedy,
        );
    }

    /// Everything found, in the order of the fields of the specification.
    pub(super) fn into_result(mut self) -> Result<(), Vec<FieldError>> {
        let place = |error: &FieldError| {
            crate::fields::all()
                .iter()
                .position(|field| field.name == error.field)
        };
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(place);
        Err(self.found)
    }
}

/// How to ask for a row of the table of methods, which has tools and their rules beside ours.
fn of_the_other(field: &str, name: &str) -> Option<String> {
    let is_profile = |name: &str| profiles().iter().any(|(known, _)| *known == name);
    let is_method = |name: &str| methods().iter().any(|(known, _)| *known == name);
    match (field, name.split_once('/')) {
        ("method" | "profile", Some((tool, rule))) if is_profile(tool) => {
            let rule = match fastai_methods().iter().any(|(known, _)| *known == rule) {
                true if tool == Profile::Fastai.name() => format!(" --method {rule}"),
                _ => String::new(),
            };
            Some(format!("give --profile {tool}{rule}"))
        }
        ("method", None) if is_profile(name) => Some(format!("give --profile {name}")),
        ("profile", None) if is_method(name) => Some(format!("give --method {name}")),
        _ => None,
    }
}
