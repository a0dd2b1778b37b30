//! TOML, by `toml_edit`.

use super::{Entry, Node, SyntaxError, Value, line_of};
use toml_edit::{Document, Item, TableLike};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let document = Document::parse(text).map_err(|error| SyntaxError {
        line: error.span().map(|span| line_of(text, span.start)),
        message: error.message().to_owned(),
    })?;
    Ok(Node {
        span: 0..text.len(),
        value: table(document.as_table()),
    })
}

fn table(table: &dyn TableLike) -> Value {
    let entry = |(name, item): (&str, &Item)| Entry {
        key: name.to_owned(),
        key_span: table
            .key(name)
            .and_then(toml_edit::Key::span)
            .unwrap_or_default(),
        node: item_node(item),
    };
    Value::Map(table.iter().map(entry).collect())
}

fn item_node(item: &Item) -> Node {
    let value = match item {
        Item::None => Value::Null,
        Item::Value(value) => return value_node(value),
        Item::Table(inner) => table(inner),
        Item::ArrayOfTables(tables) => Value::List(
            tables
                .iter()
                .map(|inner| Node {
                    span: inner.span().unwrap_or_default(),
                    value: table(inner),
                })
                .collect(),
        ),
    };
    Node {
        span: item.span().unwrap_or_default(),
        value,
    }
}

fn value_node(value: &toml_edit::Value) -> Node {
    use toml_edit::Value as Toml;
    Node {
        span: value.span().unwrap_or_default(),
        value: match value {
            Toml::String(text) => Value::Text(text.value().clone()),
            Toml::Integer(number) => Value::Integer(i128::from(*number.value())),
            Toml::Float(number) => Value::Float(*number.value()),
            Toml::Boolean(truth) => Value::Bool(*truth.value()),
            Toml::Datetime(date) => Value::Other(date.value().to_string()),
            Toml::Array(array) => Value::List(array.iter().map(value_node).collect()),
            Toml::InlineTable(inner) => table(inner),
        },
    }
}
