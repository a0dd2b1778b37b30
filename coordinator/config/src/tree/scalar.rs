//! What an unquoted word of YAML is: the core schema of YAML 1.2.
//!
//! Unlike YAML 1.1, `yes` is text here; and `1e-3`, which PyYAML reads as text, is the number that
//! its writer meant.

use super::Value;

pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return Value::Float(sign * f64::INFINITY);
    }
    let radix = match text.get(..2) {
        Some("0x") => Some(16),
        Some("0o") => Some(8),
        _ => None,
    };
    if let Some(radix) = radix {
        let digits = text
            .get(2..)
            .filter(|digits| !digits.starts_with(['+', '-']));
        if let Some(Ok(value)) = digits.map(|digits| i128::from_str_radix(digits, radix)) {
            return Value::Integer(value);
        }
    }
    // Rust's numbers also take `inf`, `nan` and `infinity`, which are words in YAML.
    let numeric = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.chars().any(|c| c.is_ascii_digit());
    if numeric {
        if let Ok(value) = text.parse() {
            return Value::Integer(value);
        }
        if let Ok(value) = text.parse() {
            return Value::Float(value);
        }
    }
    Value::Text(text.to_owned())
}
