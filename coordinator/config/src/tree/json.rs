//! JSON as it stands in the standard: no comments, no trailing commas.

use super::{Entry, Node, SyntaxError, Value, line_of, push};
use jsonc_parser::{CollectOptions, ParseOptions, ast, common::Ranged, parse_to_ast};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    // Python writes and reads these.
    allow_non_finite_numbers: true,
    allow_extended_string_escapes: false,
};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| SyntaxError {
            line: Some(error.line_display()),
            message: error.kind().to_string(),
        })?;
    match parsed.value {
        Some(value) => node(text, &value),
        None => Err(SyntaxError {
            line: None,
            message: "it is empty".to_owned(),
        }),
    }
}

fn node(text: &str, value: &ast::Value) -> Result<Node, SyntaxError> {
    let range = value.range();
    Ok(Node {
        span: range.start..range.end,
        value: match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(truth) => Value::Bool(truth.value),
            ast::Value::StringLit(string) => Value::Text(string.value.to_string()),
            ast::Value::NumberLit(number) => self::number(text, number)?,
            ast::Value::Array(array) => Value::List(
                array
                    .elements
                    .iter()
                    .map(|element| node(text, element))
                    .collect::<Result<_, _>>()?,
            ),
            ast::Value::Object(object) => {
                let mut entries = Vec::new();
                for property in &object.properties {
                    let name = property.name.range();
                    let entry = Entry {
                        key: property.name.as_str().to_owned(),
                        key_span: name.start..name.end,
                        node: node(text, &property.value)?,
                    };
                    push(&mut entries, text, entry)?;
                }
                Value::Map(entries)
            }
        },
    })
}

fn number(text: &str, number: &ast::NumberLit) -> Result<Value, SyntaxError> {
    let digits = number.value;
    if let Ok(value) = digits.parse() {
        return Ok(Value::Integer(value));
    }
    digits.parse().map(Value::Float).map_err(|_| SyntaxError {
        line: Some(line_of(text, number.range.start)),
        message: format!("`{digits}` is not a number"),
    })
}
