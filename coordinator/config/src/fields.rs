//! The fields of the specification as its definition lists them: the one vocabulary of the wire,
//! the flags, the keys of configuration files and `spec` in `sweep.json`.

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{FieldDescriptorProto, FileDescriptorSet};
use std::sync::LazyLock;

/// A field of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in snake case, the key of configuration files.
    pub name: String,
    /// What it is: the comment of its definition, on one line.
    pub comment: String,
    /// What its values are.
    pub kind: Kind,
    /// Heading under which people find it.
    pub section: &'static str,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// An integer, 0 or more.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A list of texts.
    Texts,
    /// A list of integers.
    Integers,
}

impl Field {
    /// The field's flag: its name in kebab case after two dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

/// All fields of the specification, in the order of their definition.
#[must_use]
pub fn all() -> &'static [Field] {
    static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(read);
    &FIELDS
}

fn read() -> Vec<Field> {
    // The descriptors are built with the program: if they did not decode, no field would be known,
    // which the tests of this crate would notice.
    let set = FileDescriptorSet::decode(rangefinder_proto::DESCRIPTORS).unwrap_or_default();
    for file in &set.file {
        let Some((at, message)) = (0..).zip(&file.message_type).find(|(_, message)| {
            file.package() == "rangefinder.v1" && message.name() == "SweepSpec"
        }) else {
            continue;
        };
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        return (0..)
            .zip(&message.field)
            .map(|(index, field)| Field {
                name: field.name().to_owned(),
                // 4: messages of a file; 2: fields of a message (descriptor.proto).
                comment: locations
                    .clone()
                    .find(|location| location.path == [4, at, 2, index])
                    .map(|location| location.leading_comments())
                    .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
                    .unwrap_or_default(),
                kind: kind(field),
                section: rangefinder_proto::sections::of(field.number()),
            })
            .collect();
    }
    Vec::new()
}

fn kind(field: &FieldDescriptorProto) -> Kind {
    match (field.r#type(), field.label() == Label::Repeated) {
        (Type::String, false) => Kind::Text,
        (Type::String, true) => Kind::Texts,
        (Type::Bool, _) => Kind::Bool,
        (Type::Double | Type::Float, _) => Kind::Number,
        (_, false) => Kind::Integer,
        (_, true) => Kind::Integers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_name_and_a_comment() {
        assert!(all().len() > 30, "{}", all().len());
        for field in all() {
            assert!(!field.comment.is_empty(), "{} has no comment", field.name);
            assert!(
                field.comment.ends_with('.'),
                "{}: {}",
                field.name,
                field.comment
            );
        }
        assert_eq!(all()[0].name, "model");
        assert_eq!(all()[0].kind, Kind::Text);
    }
}
