//! `early_stop_threshold` as people write it: a number, or `none` for infinity (never stop).

use serde::{Deserializer, Serialize, Serializer, de};

/// Parses a number or `none`.
///
/// # Errors
/// For anything else, naming what is expected.
pub fn parse(text: &str) -> Result<f64, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(f64::INFINITY);
    }
    text.parse()
        .map_err(|_| "expected a number above 1, or `none`".to_owned())
}

/// Writes infinity as `"none"`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) if value.is_infinite() => "none".serialize(serializer),
        other => other.serialize(serializer),
    }
}

/// Reads a number or `"none"`.
///
/// # Errors
/// For any other value.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    deserializer.deserialize_any(Threshold)
}

struct Threshold;

impl de::Visitor<'_> for Threshold {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a number above 1, or \"none\"")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Option<f64>, E> {
        Ok(Some(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Option<f64>, E> {
        parse(value)
            .map(Some)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use crate::v1::SweepSpec;

    #[test]
    fn none_is_written_and_read_as_a_word() {
        let spec: SweepSpec = serde_json::from_str(r#"{"early_stop_threshold":"none"}"#).unwrap();
        assert_eq!(spec.early_stop_threshold, Some(f64::INFINITY));
        let text = serde_json::to_value(&spec).unwrap();
        assert_eq!(text["early_stop_threshold"], "none");
    }

    #[test]
    fn an_integer_is_a_number_too() {
        let spec: SweepSpec = serde_json::from_str(r#"{"early_stop_threshold":4}"#).unwrap();
        assert_eq!(spec.early_stop_threshold, Some(4.0));
    }

    #[test]
    fn a_decade_needs_no_quotes() {
        let spec: SweepSpec = serde_json::from_str(r#"{"overlap":1.5}"#).unwrap();
        assert_eq!(spec.overlap.as_deref(), Some("1.5"));
    }

    #[test]
    fn an_absent_field_is_absent_in_json() {
        let spec: SweepSpec =
            serde_json::from_str(r#"{"overlap":null,"early_stop_threshold":null}"#).unwrap();
        assert_eq!(spec, SweepSpec::default());
        assert_eq!(serde_json::to_string(&spec).unwrap(), "{}");
    }
}
