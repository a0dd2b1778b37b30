//! The wire as a readable text, and what breaks between two of them.
//!
//! One line a thing, without comments and in the order of names and numbers, so that a diff of the
//! text is a diff of the wire:
//!
//! ```text
//! message a.v1.Room
//!   1 name: string
//!   2 price: optional double
//!   3 red: bool in colour
//!   reserved 4, price_old
//! enum a.v1.RoomState
//!   0 ROOM_STATE_UNSPECIFIED
//! service a.v1.RoomService
//!   WatchRoom(a.v1.WatchRoomRequest) returns (stream a.v1.WatchRoomResponse)
//! ```

use crate::names;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, ServiceDescriptor,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// All messages, enums and services of the files that are not Google's, by full name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wire {
    messages: BTreeMap<String, Message>,
    /// Names of the values by number, of which an alias has several.
    enums: BTreeMap<String, BTreeSet<(i32, String)>>,
    /// Types of the calls by name, as they are written.
    services: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    /// Name and shape (type, label, presence, oneof and name in JSON, as they are written) by number.
    fields: BTreeMap<u32, (String, String)>,
    /// Numbers and names that no field may have again.
    reserved: BTreeSet<String>,
}

impl Message {
    fn number_of(&self, name: &str) -> Option<u32> {
        let mut fields = self.fields.iter();
        fields.find_map(|(number, (other, _))| (other == name).then_some(*number))
    }
}

impl Wire {
    /// The wire of compiled definitions.
    pub fn of(pool: &DescriptorPool) -> Self {
        let is_ours = |file: &FileDescriptor| !file.name().starts_with("google/");
        let messages = pool.all_messages();
        let messages = messages.filter(|it| is_ours(&it.parent_file()) && !it.is_map_entry());
        let enums = pool.all_enums().filter(|it| is_ours(&it.parent_file()));
        let services = pool.services().filter(|it| is_ours(&it.parent_file()));
        Self {
            messages: messages
                .map(|it| (it.full_name().to_owned(), message(&it)))
                .collect(),
            enums: enums
                .map(|it| (it.full_name().to_owned(), values(&it)))
                .collect(),
            services: services
                .map(|it| (it.full_name().to_owned(), calls(&it)))
                .collect(),
        }
    }

    /// Reads what `Display` wrote.
    ///
    /// # Errors
    /// The first line that is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut wire = Self::default();
        let mut heading = ("", "");
        for (number, line) in text.lines().enumerate() {
            let parsed = match line.strip_prefix("  ") {
                _ if line.is_empty() || line.starts_with('#') => Some(()),
                None => line.split_once(' ').and_then(|(kind, name)| {
                    heading = (kind, name);
                    wire.open(kind, name)
                }),
                Some(item) => wire.add(heading, item),
            };
            parsed.ok_or_else(|| format!("line {} means nothing: {line}", number + 1))?;
        }
        Ok(wire)
    }

    fn open(&mut self, kind: &str, name: &str) -> Option<()> {
        let name = name.to_owned();
        match kind {
            "message" => self.messages.insert(name, Message::default()).is_none(),
            "enum" => self.enums.insert(name, BTreeSet::new()).is_none(),
            "service" => self.services.insert(name, BTreeMap::new()).is_none(),
            _ => false,
        }
        .then_some(())
    }

    fn add(&mut self, (kind, name): (&str, &str), item: &str) -> Option<()> {
        match kind {
            "message" => {
                let message = self.messages.get_mut(name)?;
                if let Some(reserved) = item.strip_prefix("reserved ") {
                    message
                        .reserved
                        .extend(reserved.split(", ").map(str::to_owned));
                    return Some(());
                }
                let (number, field) = item.split_once(' ')?;
                let (name, shape) = field.split_once(": ")?;
                let field = (name.to_owned(), shape.to_owned());
                let is_new = message.fields.insert(number.parse().ok()?, field).is_none();
                is_new.then_some(())
            }
            "enum" => {
                let (number, value) = item.split_once(' ')?;
                let value = (number.parse().ok()?, value.to_owned());
                self.enums.get_mut(name)?.insert(value).then_some(())
            }
            "service" => {
                let (call, types) = item.split_once('(')?;
                let calls = self.services.get_mut(name)?;
                let is_new = calls.insert(call.to_owned(), format!("({types}")).is_none();
                is_new.then_some(())
            }
            _ => None,
        }
    }

    /// What a program built against this wire can no longer do against `new`, in words.
    pub fn breaks(&self, new: &Self) -> Vec<String> {
        let mut breaks = Vec::new();
        for (name, old) in &self.messages {
            match new.messages.get(name) {
                Some(new) => message_breaks(name, old, new, &mut breaks),
                None => breaks.push(format!("message {name} was removed")),
            }
        }
        for (name, old) in &self.enums {
            match new.enums.get(name) {
                Some(new) => enum_breaks(name, old, new, &mut breaks),
                None => breaks.push(format!("enum {name} was removed")),
            }
        }
        for (name, old) in &self.services {
            let Some(new) = new.services.get(name) else {
                breaks.push(format!("service {name} was removed"));
                continue;
            };
            for (call, old) in old {
                match new.get(call) {
                    Some(new) if new == old => {}
                    Some(new) => breaks.push(format!("{name}/{call} was {old}, now {new}")),
                    None => breaks.push(format!("{name}/{call} was removed")),
                }
            }
        }
        breaks
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (name, message) in &self.messages {
            writeln!(f, "message {name}")?;
            for (number, (name, shape)) in &message.fields {
                writeln!(f, "  {number} {name}: {shape}")?;
            }
            if !message.reserved.is_empty() {
                let reserved: Vec<_> = message.reserved.iter().map(String::as_str).collect();
                writeln!(f, "  reserved {}", reserved.join(", "))?;
            }
        }
        for (name, values) in &self.enums {
            writeln!(f, "enum {name}")?;
            for (number, value) in values {
                writeln!(f, "  {number} {value}")?;
            }
        }
        for (name, calls) in &self.services {
            writeln!(f, "service {name}")?;
            for (call, types) in calls {
                writeln!(f, "  {call}{types}")?;
            }
        }
        Ok(())
    }
}

fn message_breaks(message: &str, old: &Message, new: &Message, breaks: &mut Vec<String>) {
    for (number, (name, shape)) in &old.fields {
        let field = format!("field {message}.{name}");
        match (new.fields.get(number), new.number_of(name)) {
            (Some((same, now)), _) if same == name => {
                if now != shape {
                    breaks.push(format!("{field} was `{shape}`, now `{now}`"));
                }
            }
            (_, Some(now)) => breaks.push(format!("{field} was number {number}, now {now}")),
            (Some((now, _)), None) => {
                breaks.push(format!("{field} (number {number}) is now called {now}"));
            }
            (None, None) => {
                let reserved = |what: &str| new.reserved.contains(what);
                if !(reserved(&number.to_string()) && reserved(name)) {
                    breaks.push(format!(
                        "{field} was removed without `reserved {number}; reserved \"{name}\";`"
                    ));
                }
            }
        }
    }
    for lost in old.reserved.difference(&new.reserved) {
        breaks.push(format!("{lost} of {message} is no longer reserved"));
    }
}

fn enum_breaks(
    it: &str,
    old: &BTreeSet<(i32, String)>,
    new: &BTreeSet<(i32, String)>,
    breaks: &mut Vec<String>,
) {
    for (number, name) in old.difference(new) {
        let value = format!("value {name} of {it}");
        let renumbered = new.iter().find(|(_, other)| other == name);
        let renamed = new.iter().find(|(other, _)| other == number);
        breaks.push(match (renumbered, renamed) {
            (Some((now, _)), _) => format!("{value} was number {number}, now {now}"),
            (None, Some((_, now))) => format!("{value} (number {number}) is now called {now}"),
            (None, None) => format!("{value} was removed"),
        });
    }
}

fn message(it: &MessageDescriptor) -> Message {
    // A range that is reserved up to the end is not listed number by number.
    let numbers = it.reserved_ranges().flat_map(|range| match range.len() {
        0..=1000 => range.map(|number| number.to_string()).collect(),
        _ => vec![format!("{} to {}", range.start, range.end - 1)],
    });
    let names = it.reserved_names().map(str::to_owned);
    Message {
        fields: it
            .fields()
            .map(|field| (field.number(), (field.name().to_owned(), shape(&field))))
            .collect(),
        reserved: numbers.chain(names).collect(),
    }
}

/// Type, label, presence and oneof of a field, and its name in JSON where that is not the usual one.
fn shape(field: &FieldDescriptor) -> String {
    let mut usual = names::to_pascal(field.name());
    usual[..1].make_ascii_lowercase();
    match field.json_name() {
        name if name == usual => bare_shape(field),
        name => format!("{} as {name}", bare_shape(field)),
    }
}

fn bare_shape(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            return format!("map<{}, {}>", kind(&key.kind()), kind(&value.kind()));
        }
        other => kind(&other),
    };
    let oneof = field
        .containing_oneof()
        .filter(|oneof| !oneof.is_synthetic());
    match (field.cardinality(), oneof) {
        (_, Some(oneof)) => format!("{kind} in {}", oneof.name()),
        (Cardinality::Repeated, None) => format!("repeated {kind}"),
        (Cardinality::Required, None) => format!("required {kind}"),
        // A message has presence whether the word stands there or not.
        (Cardinality::Optional, None)
            if field.supports_presence() && field.kind().as_message().is_none() =>
        {
            format!("optional {kind}")
        }
        (Cardinality::Optional, None) => kind,
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(it) => it.full_name().to_owned(),
        // Scalars are written as in the language.
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn values(it: &EnumDescriptor) -> BTreeSet<(i32, String)> {
    let values = it.values();
    values
        .map(|value| (value.number(), value.name().to_owned()))
        .collect()
}

fn calls(it: &ServiceDescriptor) -> BTreeMap<String, String> {
    let stream = |streams| if streams { "stream " } else { "" };
    let calls = it.methods().map(|call| {
        let types = format!(
            "({}{}) returns ({}{})",
            stream(call.is_client_streaming()),
            call.input().full_name(),
            stream(call.is_server_streaming()),
            call.output().full_name()
        );
        (call.name().to_owned(), types)
    });
    calls.collect()
}
