//! Nothing of the released wire is broken, and each kind of break is named.

use crate::compile;
use crate::released::Wire;
use std::path::Path;

/// Set to freeze additions.
const RELEASE: &str = "RANGEFINDER_RELEASE_WIRE";
const HEADER: &str = "\
# The wire that programs out there are built against. Nothing here is ever changed or removed;
# `RANGEFINDER_RELEASE_WIRE=1 cargo test -p rangefinder-proto` adds what is new (docs/api.md).

";

#[test]
fn the_released_wire_is_unbroken_and_additions_are_frozen() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released.txt");
    let released = Wire::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let now = Wire::of(&compile::ours());
    let breaks = released.breaks(&now);
    assert!(
        breaks.is_empty(),
        "programs that are out there would break:\n{}\n\
         Undo that, or add a new field, message or call beside the old one.",
        breaks.join("\n")
    );
    if std::env::var_os(RELEASE).is_some() {
        std::fs::write(&path, format!("{HEADER}{now}")).unwrap();
    } else {
        assert!(
            now == released,
            "the wire has grown by\n{}\nIf it is to be so for good, freeze it: \
             {RELEASE}=1 cargo test -p rangefinder-proto",
            added(&released, &now)
        );
    }
}

/// Lines of the new text that the old one has not, each below its heading.
fn added(old: &Wire, new: &Wire) -> String {
    let old = headed(&old.to_string());
    let mut lines = Vec::new();
    let mut heading = String::new();
    for (under, line) in headed(&new.to_string()) {
        if !old.contains(&(under.clone(), line.clone())) {
            if heading != under && line != under {
                lines.push(under.clone());
            }
            heading = under;
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn headed(text: &str) -> Vec<(String, String)> {
    let mut heading = "";
    let lines = text.lines().map(|line| {
        if !line.starts_with(' ') {
            heading = line;
        }
        (heading.to_owned(), line.to_owned())
    });
    lines.collect()
}

const OLD: &str = r#"
message Room {
  string name = 1;
  optional double price = 2;
  oneof colour { bool red = 3; bool blue = 4; }
  repeated string tags = 5;
  map<string, State> states = 6;
  State state = 7;
  google.protobuf.Timestamp time = 8;
  reserved 9, 12 to 13;
  reserved "gone";
}
message Empty {}
enum State { STATE_UNSPECIFIED = 0; STATE_FREE = 1; STATE_TAKEN = 2; }
service RoomService {
  rpc Watch(Empty) returns (stream Room);
  rpc Put(stream Room) returns (Empty);
}
service Other { rpc Get(Empty) returns (Room); }
"#;

fn wire(body: &str) -> Wire {
    let head = "syntax = \"proto3\"; package a.v1; import \"google/protobuf/timestamp.proto\";";
    Wire::of(&compile::files(&[(
        "a/v1/a.proto",
        &format!("{head}{body}"),
    )]))
}

/// The old wire with texts in it replaced.
fn changed(changes: &[(&str, &str)]) -> Wire {
    let changed = changes.iter().fold(OLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    wire(&changed)
}

#[test]
fn each_break_is_named() {
    for (from, to, expected) in [
        (
            "string name = 1;",
            "",
            "field a.v1.Room.name was removed without `reserved 1; reserved \"name\";`",
        ),
        (
            "string name = 1;",
            "reserved 1;",
            "field a.v1.Room.name was removed without `reserved 1; reserved \"name\";`",
        ),
        (
            "string name = 1;",
            "reserved \"name\";",
            "field a.v1.Room.name was removed without `reserved 1; reserved \"name\";`",
        ),
        (
            "string name = 1;",
            "string name = 10;",
            "field a.v1.Room.name was number 1, now 10",
        ),
        (
            "string name = 1;",
            "string name = 10; string title = 1;",
            "field a.v1.Room.name was number 1, now 10",
        ),
        (
            "string name = 1;",
            "string title = 1;",
            "field a.v1.Room.name (number 1) is now called title",
        ),
        (
            "string name = 1;",
            "bytes name = 1;",
            "field a.v1.Room.name was `string`, now `bytes`",
        ),
        (
            "string name = 1;",
            "optional string name = 1;",
            "field a.v1.Room.name was `string`, now `optional string`",
        ),
        (
            "string name = 1;",
            "repeated string name = 1;",
            "field a.v1.Room.name was `string`, now `repeated string`",
        ),
        (
            "string name = 1;",
            "oneof who { string name = 1; }",
            "field a.v1.Room.name was `string`, now `string in who`",
        ),
        (
            "string name = 1;",
            "string name = 1 [json_name = \"title\"];",
            "field a.v1.Room.name was `string`, now `string as title`",
        ),
        (
            "optional double",
            "double",
            "field a.v1.Room.price was `optional double`, now `double`",
        ),
        (
            "optional double",
            "optional float",
            "field a.v1.Room.price was `optional double`, now `optional float`",
        ),
        (
            "bool blue = 4; }",
            "} bool blue = 4;",
            "field a.v1.Room.blue was `bool in colour`, now `bool`",
        ),
        (
            "repeated string tags",
            "string tags",
            "field a.v1.Room.tags was `repeated string`, now `string`",
        ),
        (
            "map<string, State>",
            "map<int32, State>",
            "field a.v1.Room.states was `map<string, a.v1.State>`, now `map<int32, a.v1.State>`",
        ),
        (
            "map<string, State>",
            "map<string, Empty>",
            "field a.v1.Room.states was `map<string, a.v1.State>`, now `map<string, a.v1.Empty>`",
        ),
        (
            "State state = 7;",
            "Empty state = 7;",
            "field a.v1.Room.state was `a.v1.State`, now `a.v1.Empty`",
        ),
        (
            "reserved 9, 12 to 13;",
            "reserved 12 to 13;",
            "9 of a.v1.Room is no longer reserved",
        ),
        (
            "reserved 9, 12 to 13;",
            "reserved 9, 12;",
            "13 of a.v1.Room is no longer reserved",
        ),
        (
            "reserved \"gone\";",
            "",
            "gone of a.v1.Room is no longer reserved",
        ),
        (
            "STATE_TAKEN = 2;",
            "",
            "value STATE_TAKEN of a.v1.State was removed",
        ),
        (
            "STATE_TAKEN = 2;",
            "reserved 2; reserved \"STATE_TAKEN\";",
            "value STATE_TAKEN of a.v1.State was removed",
        ),
        (
            "STATE_TAKEN = 2;",
            "STATE_TAKEN = 3;",
            "value STATE_TAKEN of a.v1.State was number 2, now 3",
        ),
        (
            "STATE_TAKEN = 2;",
            "STATE_BUSY = 2;",
            "value STATE_TAKEN of a.v1.State (number 2) is now called STATE_BUSY",
        ),
        (
            "rpc Watch(Empty) returns (stream Room);",
            "",
            "a.v1.RoomService/Watch was removed",
        ),
        (
            "rpc Watch(Empty)",
            "rpc Watch(Room)",
            "a.v1.RoomService/Watch was (a.v1.Empty) returns (stream a.v1.Room), now (a.v1.Room) returns (stream a.v1.Room)",
        ),
        (
            "returns (stream Room)",
            "returns (Room)",
            "a.v1.RoomService/Watch was (a.v1.Empty) returns (stream a.v1.Room), now (a.v1.Empty) returns (a.v1.Room)",
        ),
        (
            "rpc Put(stream Room)",
            "rpc Put(Room)",
            "a.v1.RoomService/Put was (stream a.v1.Room) returns (a.v1.Empty), now (a.v1.Room) returns (a.v1.Empty)",
        ),
        (
            "service Other { rpc Get(Empty) returns (Room); }",
            "",
            "service a.v1.Other was removed",
        ),
    ] {
        let breaks = changed(&[]).breaks(&changed(&[(from, to)]));
        assert_eq!(breaks, [expected], "{from} -> {to}");
    }
    let gone = changed(&[
        ("State state = 7;", "reserved 7; reserved \"state\";"),
        (
            "map<string, State> states = 6;",
            "reserved 6; reserved \"states\";",
        ),
        (
            "enum State { STATE_UNSPECIFIED = 0; STATE_FREE = 1; STATE_TAKEN = 2; }",
            "",
        ),
    ]);
    assert_eq!(changed(&[]).breaks(&gone), ["enum a.v1.State was removed"]);
    let gone = changed(&[("Empty", "Nothing")]);
    assert_eq!(
        changed(&[]).breaks(&gone)[0],
        "message a.v1.Empty was removed"
    );
}

#[test]
fn what_is_allowed_is_no_break_and_must_be_frozen_where_it_is_seen() {
    for (from, to, is_seen) in [
        ("string name = 1;", "reserved 1; reserved \"name\";", true),
        (
            "string name = 1;",
            "string name = 1; optional string title = 20;",
            true,
        ),
        ("bool blue = 4;", "bool blue = 4; bool green = 20;", true),
        (
            "STATE_TAKEN = 2;",
            "STATE_TAKEN = 2; STATE_CLEANED = 3;",
            true,
        ),
        ("rpc Put", "rpc Get(Empty) returns (Room); rpc Put", true),
        (
            "message Empty {}",
            "message Empty {} message New { string name = 1; }",
            true,
        ),
        (
            "message Empty {}",
            "message Empty {} enum New { NEW_UNSPECIFIED = 0; }",
            true,
        ),
        ("service Other", "service New {} service Other", true),
        (
            "reserved \"gone\";",
            "reserved \"gone\", \"old\"; reserved 30 to max;",
            true,
        ),
        (
            "string name = 1;",
            "// A comment.\n string name = 1;",
            false,
        ),
        (
            "google.protobuf.Timestamp time",
            "optional google.protobuf.Timestamp time",
            false,
        ),
    ] {
        let new = changed(&[(from, to)]);
        assert_eq!(changed(&[]).breaks(&new), [""; 0], "{to}");
        assert_eq!(new != changed(&[]), is_seen, "{to}");
    }
    let moved = ("string name = 1;", "State state = 7; string name = 1;");
    assert_eq!(changed(&[("State state = 7;\n", ""), moved]), changed(&[]));
    let (old, new) = (
        changed(&[]),
        changed(&[("STATE_TAKEN = 2;", "STATE_TAKEN = 2; STATE_X = 3;")]),
    );
    assert_eq!(added(&old, &new), "enum a.v1.State\n  3 STATE_X");
}

#[test]
fn the_text_reads_back_and_a_damaged_one_is_refused() {
    for wire in [changed(&[]), Wire::of(&compile::ours())] {
        assert_eq!(Wire::parse(&format!("{HEADER}{wire}")), Ok(wire));
    }
    for damaged in [
        "room a.v1.Room",
        "message",
        "  1 name: string",
        "message a\n  x name: string",
        "message a\n  1 name string",
        "message a\n  1 name: string\n  1 title: string",
        "message a\nmessage a",
        "enum a\n  A",
        "service a\n  Get",
    ] {
        assert!(Wire::parse(damaged).is_err(), "{damaged}");
    }
}
