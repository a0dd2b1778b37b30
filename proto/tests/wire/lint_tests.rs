//! Our definitions keep the rules, and each rule bites.

use crate::{compile, lint};
use prost_reflect::DescriptorPool;
use std::collections::BTreeSet;
use std::path::Path;

/// Everything that a file may hold, in order.
const GOOD: &str = r#"syntax = "proto3";
package a.v1;
import "google/protobuf/timestamp.proto";
// Comment.
service RoomService {
  // Comment.
  rpc GetRoom(GetRoomRequest) returns (stream GetRoomResponse);
}
// Comment.
message GetRoomRequest {
  // Comment.
  google.protobuf.Timestamp create_time = 1;
  // Comment.
  oneof which {
    // Comment.
    string name = 2;
  }
  // Comment.
  optional Nested nested = 3;
  // Comment.
  message Nested {}
  // Comment.
  map<string, Nested> more = 4;
}
// Comment.
message GetRoomResponse {}
// Comment.
enum RoomState {
  // Comment.
  ROOM_STATE_UNSPECIFIED = 0;
  // Comment.
  ROOM_STATE_FREE = 1;
}
"#;

/// Files that break one rule each; `$` stands for `syntax = "proto3"; package a.v1;`. What is not
/// in order otherwise is only that comments are missing.
const BAD: [(&str, &[(&str, &str)]); 36] = [
    (
        "DIRECTORY_SAME_PACKAGE",
        &[
            ("a/v1/a.proto", "$"),
            ("a/v1/b.proto", "syntax = \"proto3\"; package b.v1;"),
        ],
    ),
    (
        "ENUM_FIRST_VALUE_ZERO",
        &[(
            "a/v1/a.proto",
            "syntax = \"proto2\"; package a.v1; enum E { E_ONE = 1; }",
        )],
    ),
    (
        "ENUM_NO_ALLOW_ALIAS",
        &[(
            "a/v1/a.proto",
            "$ enum E { option allow_alias = true; E_UNSPECIFIED = 0; E_A = 1; E_B = 1; }",
        )],
    ),
    (
        "ENUM_PASCAL_CASE",
        &[(
            "a/v1/a.proto",
            "$ enum roomState { ROOM_STATE_UNSPECIFIED = 0; }",
        )],
    ),
    (
        "ENUM_VALUE_PREFIX",
        &[(
            "a/v1/a.proto",
            "$ enum Room { ROOM_UNSPECIFIED = 0; FREE = 1; }",
        )],
    ),
    (
        "ENUM_VALUE_UPPER_SNAKE_CASE",
        &[(
            "a/v1/a.proto",
            "$ message M { enum Room { ROOM_UNSPECIFIED = 0; ROOM_free = 1; } }",
        )],
    ),
    (
        "ENUM_ZERO_VALUE_SUFFIX",
        &[("a/v1/a.proto", "$ enum Room { ROOM_FREE = 0; }")],
    ),
    (
        "FIELD_LOWER_SNAKE_CASE",
        &[("a/v1/a.proto", "$ message M { string createTime = 1; }")],
    ),
    (
        "FIELD_NOT_REQUIRED",
        &[(
            "a/v1/a.proto",
            "syntax = \"proto2\"; package a.v1; message M { required string a = 1; }",
        )],
    ),
    ("FILE_LOWER_SNAKE_CASE", &[("a/v1/aB.proto", "$")]),
    (
        "IMPORT_NO_PUBLIC",
        &[
            (
                "a/v1/a.proto",
                "$ import public \"a/v1/b.proto\"; message M { N n = 1; }",
            ),
            ("a/v1/b.proto", "$ message N {}"),
        ],
    ),
    (
        "IMPORT_NO_WEAK",
        &[
            (
                "a/v1/a.proto",
                "$ import weak \"a/v1/b.proto\"; message M { N n = 1; }",
            ),
            ("a/v1/b.proto", "$ message N {}"),
        ],
    ),
    (
        "IMPORT_USED",
        &[
            ("a/v1/a.proto", "$ import \"a/v1/b.proto\";"),
            ("a/v1/b.proto", "$ message N {}"),
        ],
    ),
    (
        "MESSAGE_PASCAL_CASE",
        &[("a/v1/a.proto", "$ message M { message in_side {} }")],
    ),
    (
        "ONEOF_LOWER_SNAKE_CASE",
        &[("a/v1/a.proto", "$ message M { oneof One { bool a = 1; } }")],
    ),
    ("PACKAGE_DEFINED", &[("a.proto", "syntax = \"proto3\";")]),
    ("PACKAGE_DIRECTORY_MATCH", &[("b/a.proto", "$")]),
    (
        "PACKAGE_LOWER_SNAKE_CASE",
        &[("aB/v1/a.proto", "syntax = \"proto3\"; package aB.v1;")],
    ),
    (
        "PACKAGE_NO_IMPORT_CYCLE",
        &[
            (
                "a/v1/a.proto",
                "$ import \"b/v1/b.proto\"; message M { b.v1.N n = 1; }",
            ),
            (
                "b/v1/b.proto",
                "syntax = \"proto3\"; package b.v1; import \"a/v1/c.proto\"; message N { a.v1.O o = 1; }",
            ),
            ("a/v1/c.proto", "$ message O {}"),
        ],
    ),
    (
        "PACKAGE_SAME_CSHARP_NAMESPACE",
        &[
            ("a/v1/a.proto", "$ option csharp_namespace = \"A\";"),
            ("a/v1/b.proto", "$ option csharp_namespace = \"B\";"),
        ],
    ),
    (
        "PACKAGE_SAME_GO_PACKAGE",
        &[
            ("a/v1/a.proto", "$ option go_package = \"A\";"),
            ("a/v1/b.proto", "$ option go_package = \"B\";"),
        ],
    ),
    (
        "PACKAGE_SAME_JAVA_MULTIPLE_FILES",
        &[
            ("a/v1/a.proto", "$ option java_multiple_files = true;"),
            ("a/v1/b.proto", "$"),
        ],
    ),
    (
        "PACKAGE_SAME_JAVA_PACKAGE",
        &[
            ("a/v1/a.proto", "$ option java_package = \"A\";"),
            ("a/v1/b.proto", "$"),
        ],
    ),
    (
        "PACKAGE_SAME_PHP_NAMESPACE",
        &[
            ("a/v1/a.proto", "$ option php_namespace = \"A\";"),
            ("a/v1/b.proto", "$"),
        ],
    ),
    (
        "PACKAGE_SAME_RUBY_PACKAGE",
        &[
            ("a/v1/a.proto", "$ option ruby_package = \"A\";"),
            ("a/v1/b.proto", "$"),
        ],
    ),
    (
        "PACKAGE_SAME_SWIFT_PREFIX",
        &[
            ("a/v1/a.proto", "$ option swift_prefix = \"A\";"),
            ("a/v1/b.proto", "$"),
        ],
    ),
    (
        "PACKAGE_VERSION_SUFFIX",
        &[("a/a.proto", "syntax = \"proto3\"; package a;")],
    ),
    (
        "RPC_PASCAL_CASE",
        &[(
            "a/v1/a.proto",
            "$ service AService { rpc get(GetRequest) returns (AServiceGetResponse); } \
         message GetRequest {} message AServiceGetResponse {}",
        )],
    ),
    (
        "RPC_REQUEST_RESPONSE_UNIQUE",
        &[(
            "a/v1/a.proto",
            "$ message GetRequest {} message GetResponse {} \
         service AService { rpc Get(GetRequest) returns (GetResponse); } \
         service BService { rpc Get(GetRequest) returns (BServiceGetResponse); } \
         message BServiceGetResponse {}",
        )],
    ),
    (
        "RPC_REQUEST_STANDARD_NAME",
        &[(
            "a/v1/a.proto",
            "$ service AService { rpc Get(Which) returns (GetResponse); } \
         message Which {} message GetResponse {}",
        )],
    ),
    (
        "RPC_RESPONSE_STANDARD_NAME",
        &[(
            "a/v1/a.proto",
            "$ service AService { rpc Get(GetRequest) returns (Answer); } \
         message GetRequest {} message Answer {}",
        )],
    ),
    (
        "PACKAGE_SAME_DIRECTORY",
        &[("a/v1/a.proto", "$"), ("b/v1/b.proto", "$")],
    ),
    (
        "SERVICE_PASCAL_CASE",
        &[("a/v1/a.proto", "$ service a_Service {}")],
    ),
    ("SERVICE_SUFFIX", &[("a/v1/a.proto", "$ service Rooms {}")]),
    (
        "STABLE_PACKAGE_NO_IMPORT_UNSTABLE",
        &[
            (
                "a/v1/a.proto",
                "$ import \"b/v1beta1/b.proto\"; message M { b.v1beta1.N n = 1; }",
            ),
            (
                "b/v1beta1/b.proto",
                "syntax = \"proto3\"; package b.v1beta1; message N {}",
            ),
        ],
    ),
    ("SYNTAX_SPECIFIED", &[("a/v1/a.proto", "package a.v1;")]),
];

/// Names of the rules that are broken.
fn broken(pool: &DescriptorPool) -> BTreeSet<&'static str> {
    lint::check(pool)
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn our_definitions_keep_every_rule() {
    let findings: Vec<_> = lint::check(&compile::ours())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn every_file_of_the_folder_is_compiled_and_so_checked() {
    let folder = "rangefinder/v1";
    let there = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let there: BTreeSet<_> = there
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    let pool = compile::ours();
    let compiled = pool.files().map(|file| file.name().to_owned());
    let compiled: BTreeSet<_> = compiled
        .filter(|name| !name.starts_with("google/"))
        .collect();
    assert_eq!(compiled, there);
}

#[test]
fn what_is_in_order_is_not_reported() {
    let findings = lint::check(&compile::files(&[("a/v1/a.proto", GOOD)]));
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn each_rule_of_style_bites_alone() {
    for (rule, files) in BAD {
        let head = "syntax = \"proto3\"; package a.v1;";
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, text.replace('$', head)))
            .collect();
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let mut found = broken(&compile::files(&files));
        found.retain(|rule| !rule.starts_with("COMMENT_"));
        // A package without its folder or a folder with two packages breaks the match of the two.
        if rule == "DIRECTORY_SAME_PACKAGE" || rule == "PACKAGE_SAME_DIRECTORY" {
            assert!(found.remove("PACKAGE_DIRECTORY_MATCH"), "{rule}");
        }
        assert_eq!(found, BTreeSet::from([rule]), "{files:?}");
    }
}

#[test]
fn each_comment_that_is_missing_is_reported() {
    for (rule, before) in [
        ("COMMENT_SERVICE", "service"),
        ("COMMENT_RPC", "  rpc"),
        ("COMMENT_MESSAGE", "message GetRoomRequest"),
        ("COMMENT_MESSAGE", "  message Nested"),
        ("COMMENT_FIELD", "  map"),
        ("COMMENT_FIELD", "    string name"),
        ("COMMENT_ONEOF", "  oneof"),
        ("COMMENT_ENUM", "enum"),
        ("COMMENT_ENUM_VALUE", "  ROOM_STATE_FREE"),
    ] {
        let indent = &before[..before.len() - before.trim_start().len()];
        let bare = GOOD.replacen(&format!("{indent}// Comment.\n{before}"), before, 1);
        assert_ne!(bare, GOOD, "{before}");
        let found = broken(&compile::files(&[("a/v1/a.proto", &bare)]));
        assert_eq!(found, BTreeSet::from([rule]), "{before}");
    }
}

#[test]
fn every_rule_is_in_one_of_the_tables() {
    let comments = lint::RULES
        .iter()
        .filter(|(rule, _)| rule.starts_with("COMMENT_"))
        .count();
    assert_eq!(comments, 7, "see each_comment_that_is_missing_is_reported");
    let rules = lint::RULES.iter().map(|(rule, _)| *rule);
    let rules: BTreeSet<_> = rules.filter(|rule| !rule.starts_with("COMMENT_")).collect();
    assert_eq!(
        BAD.map(|(rule, _)| rule)
            .into_iter()
            .collect::<BTreeSet<_>>(),
        rules
    );
}

#[test]
fn a_finding_names_the_line_the_thing_and_the_rule() {
    let text = "syntax = \"proto3\";\npackage a.v1;\n// Comment.\nmessage M {\n  int32 a = 1;\n}\n";
    let findings = lint::check(&compile::files(&[("a/v1/a.proto", text)]));
    assert_eq!(
        findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a/v1/a.proto:5: a.v1.M.a has no comment above it (COMMENT_FIELD)"]
    );
}
