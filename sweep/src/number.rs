//! Floating-point numbers in JSON: finite ones are numbers, the others the strings `"NaN"`,
//! `"Infinity"` and `"-Infinity"`.
//!
//! For `#[serde(with = "crate::number")]` on an `f64`, `number::option` on an `Option<f64>`, and
//! `number::list` on a `Vec<f64>`. A reader that wants the bits of finite numbers back needs
//! serde_json's `float_roundtrip`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// One number in that form; what the functions of this module go through.
#[derive(Clone, Copy, Debug)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl de::Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "an integer in JSON stands for the number nearest to it"
    )]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "an integer in JSON stands for the number nearest to it"
    )]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
        match value {
            "NaN" => Ok(Number(f64::NAN)),
            "Infinity" => Ok(Number(f64::INFINITY)),
            "-Infinity" => Ok(Number(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
        }
    }
}

/// Writes one number.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

/// Reads one number.
///
/// # Errors
/// For anything but a number or one of the three strings.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer).map(|number| number.0)
}

/// The same for a number that may be missing, which is `null`.
pub mod option {
    use super::Number;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the number or `null`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Number).serialize(serializer)
    }

    /// Reads a number or `null`.
    ///
    /// # Errors
    /// For anything but a number, one of the three strings, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Number>::deserialize(deserializer)?.map(|number| number.0))
    }
}

/// The same for a list of numbers.
pub mod list {
    use super::Number;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the numbers as a list.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number(*value)))
    }

    /// Reads a list of numbers.
    ///
    /// # Errors
    /// For anything but a list of numbers or of the three strings.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Number>::deserialize(deserializer)?
            .into_iter()
            .map(|number| number.0)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Numbers {
        #[serde(with = "crate::number")]
        one: f64,
        #[serde(with = "crate::number::list")]
        list: Vec<f64>,
        #[serde(default, with = "crate::number::option")]
        maybe: Option<f64>,
    }

    #[test]
    fn non_finite_numbers_survive_json() {
        let numbers = Numbers {
            one: f64::INFINITY,
            list: vec![1.5, f64::NAN, f64::NEG_INFINITY],
            maybe: Some(f64::INFINITY),
        };
        let text = serde_json::to_string(&numbers).unwrap();
        assert_eq!(
            text,
            r#"{"one":"Infinity","list":[1.5,"NaN","-Infinity"],"maybe":"Infinity"}"#
        );
        let back: Numbers = serde_json::from_str(&text).unwrap();
        assert_eq!(back.one, f64::INFINITY);
        assert!(back.list[1].is_nan());
        assert_eq!(back.maybe, Some(f64::INFINITY));
        assert_eq!(back.list[2], f64::NEG_INFINITY);
    }

    #[test]
    fn other_strings_are_refused() {
        assert!(serde_json::from_str::<Numbers>(r#"{"one":"inf","list":[]}"#).is_err());
    }
}
