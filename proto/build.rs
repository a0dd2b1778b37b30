//! Compiles `rangefinder/v1/*.proto` without a `protoc` binary.
//!
//! The sweep specification gets three faces from its one definition: a message on the wire, a
//! table of keys in configuration files (serde), and the flags of the command line (clap). Its
//! comments are the help texts.

#[path = "src/sections.rs"]
mod sections;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{FieldDescriptorProto, FileDescriptorSet};
use std::error::Error;

const FILES: [&str; 4] = [
    "rangefinder/v1/artifact_service.proto",
    "rangefinder/v1/sweep.proto",
    "rangefinder/v1/sweep_service.proto",
    "rangefinder/v1/worker.proto",
];
const SPEC: &str = "rangefinder.v1.SweepSpec";

/// Flags that may stand alone for `true`.
const SWITCHES: [&str; 4] = ["nesterov", "shuffle", "drop_last", "deterministic"];
/// Lists: one flag with values separated by commas. `groups` holds commas itself.
const LISTS: [&str; 4] = ["hidden_sizes", "input_keys", "augment", "freeze"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=rangefinder");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), {
        use prost::Message as _;
        descriptors.encode_to_vec()
    })?;

    let mut builder = tonic_prost_build::configure()
        .build_transport(false) // Its `connect` would clash with the call of that name.
        .message_attribute(
            SPEC,
            "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default, deny_unknown_fields)]",
        )
        .message_attribute(SPEC, "#[cfg_attr(feature = \"cli\", derive(clap::Args))]");
    for name in SWITCHES {
        builder = builder.field_attribute(
            format!("{SPEC}.{name}"),
            "#[cfg_attr(feature = \"cli\", arg(num_args = 0..=1, require_equals = true, \
             default_missing_value = \"true\"))]",
        );
    }
    for name in LISTS {
        builder = builder.field_attribute(
            format!("{SPEC}.{name}"),
            "#[cfg_attr(feature = \"cli\", arg(value_delimiter = ','))]",
        );
    }
    builder = builder.field_attribute(
        format!("{SPEC}.early_stop_threshold"),
        "#[serde(with = \"crate::threshold\")] \
         #[cfg_attr(feature = \"cli\", arg(value_parser = crate::threshold::parse))]",
    );
    builder = builder.field_attribute(
        format!("{SPEC}.overlap"),
        "#[serde(deserialize_with = \"crate::overlap::deserialize\")]",
    );
    for (name, attributes) in by_descriptor(&descriptors) {
        builder = builder.field_attribute(format!("{SPEC}.{name}"), attributes);
    }
    builder.compile_fds(descriptors)?;

    // clap's derive knows `Option` and `Vec` by their bare names only.
    let generated = out.join("rangefinder.v1.rs");
    let code = std::fs::read_to_string(&generated)?
        .replace("::core::option::Option<", "Option<")
        .replace("::prost::alloc::vec::Vec<", "Vec<");
    std::fs::write(generated, code)?;
    Ok(())
}

/// Name and attributes of each field. An absent field is absent in JSON too. On the command line
/// a field stands under its heading; and a negative number is a value, which is refused by name,
/// not taken for an unknown flag.
fn by_descriptor(descriptors: &FileDescriptorSet) -> Vec<(String, String)> {
    let messages = descriptors.file.iter().flat_map(|file| &file.message_type);
    messages
        .filter(|message| message.name() == "SweepSpec")
        .flat_map(|message| &message.field)
        .map(|field| {
            let absent = match field.label() {
                Label::Repeated => "Vec::is_empty",
                _ => "Option::is_none",
            };
            let heading = sections::of(field.number());
            // `overlap` is text that may be a number of decades.
            let negative =
                !matches!(field.r#type(), Type::String | Type::Bool) || field.name() == "overlap";
            let value = value(field);
            (
                field.name().to_owned(),
                format!(
                    "#[serde(skip_serializing_if = \"{absent}\")] \
                     #[cfg_attr(feature = \"cli\", arg(long, \
                     help_heading = \"{heading}\", allow_negative_numbers = {negative}{value}))]"
                ),
            )
        })
        .collect()
}

/// What stands for a field's value in the help, and how a number is read: with a message that says
/// what was expected.
fn value(field: &FieldDescriptorProto) -> String {
    let list = field.label() == Label::Repeated;
    let (name, parser) = match (field.r#type(), field.name()) {
        (Type::Bool, _) => ("BOOL", None),
        (Type::Double, "early_stop_threshold") => ("X", None), // It has a parser of its own.
        (Type::Double, _) => ("X", Some("number")),
        (Type::Uint32 | Type::Uint64, _) if list => ("N,N,...", Some("whole_number")),
        (Type::Uint32 | Type::Uint64, _) => ("N", Some("whole_number")),
        (Type::Int64, _) => ("N", Some("integer")),
        (_, "targets" | "weights" | "optimizer_state" | "eval_data" | "eval_targets") => {
            ("FILE", None)
        }
        (_, "groups") => ("PATTERN:SETTINGS", None),
        (_, "freeze") => ("PATTERN,...", None),
        (_, "custom_config") => ("TEXT", None),
        (_, _) if list => ("NAME,NAME,...", None),
        (_, _) => ("NAME", None),
    };
    let rust = match field.r#type() {
        Type::Double => "f64",
        Type::Int64 => "i64",
        Type::Uint64 => "u64",
        _ => "u32",
    };
    let parser = parser.map(|parser| format!(", value_parser = crate::values::{parser}::<{rust}>"));
    format!(", value_name = \"{name}\"{}", parser.unwrap_or_default())
}
