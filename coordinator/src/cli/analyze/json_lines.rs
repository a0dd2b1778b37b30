//! Losses in JSON lines, as loggers write them: one object a line, with the fields that a CSV file has
//! as columns.

use super::columns::{self, Columns, Kind};
use super::input::Wrong;
use ::csv::{Position, StringRecord};
use rangefinder_errors::Code;
use serde_json::{Map, Value};

/// Whether a text is JSON lines: its first line is a whole object, and not the only one. A
/// sweep.json has one object, on one line or on many.
pub(super) fn is(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next().is_some() && object(first).is_ok()
}

/// Reads the text of a file. Objects without a learning rate or without a loss, such as those of an
/// evaluation, are passed over.
pub(super) fn read(text: &str) -> Result<Columns, Wrong> {
    let mut objects = Vec::new();
    let mut header = StringRecord::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let object = object(text).map_err(|error| {
            // Its place is that within the line.
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            let text = format!(
                "line {line}: is not a JSON object: {why}\n  \
                 write one object a line, such as {{\"lr\": 1e-3, \"loss\": 2.3}}"
            );
            Wrong(Code::CurveRow, text)
        })?;
        for name in object.keys() {
            if !header.iter().any(|known| known == name) {
                header.push_field(name);
            }
        }
        objects.push((line, object));
    }
    if let (Some(lr), Some(loss)) = (
        columns::find(&header, columns::RATE),
        columns::find(&header, columns::LOSS),
    ) {
        let (lr, loss) = (&header[lr], &header[loss]);
        objects.retain(|(_, object)| object.contains_key(lr) && object.contains_key(loss));
        if objects.is_empty() {
            let text = format!(
                "no line has both `{lr}` and `{loss}`\n  write both of a step into one object"
            );
            return Err(Wrong(Code::CurveEmpty, text));
        }
    }
    let records = objects.iter().map(|(line, object)| {
        let cells: Vec<_> = header.iter().map(|name| cell(object.get(name))).collect();
        let mut record = StringRecord::from(cells);
        let mut position = Position::new();
        position.set_line(*line);
        record.set_position(Some(position));
        Ok(record)
    });
    let kind = Kind {
        column: "field",
        place: "in every line",
    };
    columns::read(&kind, &header, records)
}

/// An object on one line. Python writes numbers that JSON does not have: they are no loss, as null is
/// none.
fn object(line: &str) -> serde_json::Result<Map<String, Value>> {
    serde_json::from_str(line).or_else(|error| {
        let without = ["-Infinity", "Infinity", "NaN"]
            .iter()
            .fold(line.to_owned(), |line, name| line.replace(name, "null"));
        serde_json::from_str(&without).map_err(|_| error)
    })
}

/// A value as a CSV file has it.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_loggers_lines_are_read_but_for_those_without_a_loss() {
        let text = "{\"epoch\": 0.1, \"loss\": 2.5, \"learning_rate\": 1e-05}\n\
                    {\"eval_loss\": 9.0}\n\n\
                    {\"loss\": \"2.25\", \"learning_rate\": 0.001, \"note\": {\"a\": [1]}}\n\
                    {\"loss\": NaN, \"learning_rate\": 0.1}\n";
        assert!(is(text));
        let (rates, replicas) = read(text).unwrap();
        assert_eq!(rates, [1e-5, 1e-3, 0.1]);
        assert_eq!(replicas.len(), 1);
        assert_eq!(replicas[0][..2], [2.5, 2.25]);
        assert!(replicas[0][2].is_nan());
    }

    #[test]
    fn replicas_are_told_apart_as_in_a_csv_file() {
        let text =
            "{\"replica\": 0, \"lr\": 1, \"loss\": 5}\n{\"replica\": 1, \"lr\": 1, \"loss\": 6}";
        assert_eq!(read(text).unwrap(), (vec![1.0], vec![vec![5.0], vec![6.0]]));
    }

    #[test]
    fn one_object_is_no_lines_whether_on_one_line_or_on_many() {
        assert!(!is("{\"format\": 1}\n"));
        assert!(!is("{\n  \"format\": 1\n}\n"));
        assert!(!is("lr,loss\n1,2\n"));
    }

    #[test]
    fn mistakes_name_line_and_remedy() {
        let texts = [
            "{\"step\": 1, \"loss\": 2}\n{\"step\": 2, \"loss\": 2}",
            "{\"lr\": 1, \"train\": {\"loss\": 2}}",
            "{\"lr\": 1, \"loss\": 2}\n{\"lr\": 2, \"loss\": 2",
            "{\"lr\": 1, \"loss\": 2}\n[3, 4]",
            "{\"lr\": 1, \"loss\": [2]}",
            "{\"lr\": 1, \"loss\": 2}\n{\"lr\": 1, \"loss\": 2}",
            "{\"lr\": null, \"loss\": 2}",
            "{\"lr\": 1}\n{\"loss\": 2}",
            "",
        ];
        insta::assert_snapshot!(columns::mistakes(&texts, read));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([{]\"(lr|loss)\": ?|[0-9.,e}\n\": -]|NaN|null){0,40}") {
            let _ = is(&text);
            let _ = read(&text);
        }
    }
}
