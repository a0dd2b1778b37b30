//! The wire of Rangefinder.
//!
//! - [`v1`]: the messages and services of `rangefinder.v1`, generated from `proto/rangefinder/v1`.
//! - [`DESCRIPTORS`]: the same definitions as a descriptor set, for reflection and tests.
//! - [`threshold`]: how `early_stop_threshold` is written where people write it.

/// Generated messages and services of `rangefinder.v1`.
#[expect(clippy::all, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("rangefinder.v1");
}

/// Version of the worker protocol, sent in `Hello`.
pub const PROTOCOL_VERSION: u32 = 1;

/// The encoded `FileDescriptorSet` of all files under `proto/rangefinder/v1`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `early_stop_threshold` as people write it: a number, or `none` for infinity (never stop).
pub mod threshold {
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
    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
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
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_any(Threshold).map(Some)
    }

    struct Threshold;

    impl de::Visitor<'_> for Threshold {
        type Value = f64;

        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("a number above 1, or \"none\"")
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
            Ok(value)
        }

        #[expect(clippy::cast_precision_loss, reason = "a threshold is a small number")]
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
            Ok(value as f64)
        }

        #[expect(clippy::cast_precision_loss, reason = "a threshold is a small number")]
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
            Ok(value as f64)
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<f64, E> {
            parse(value).map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
        }
    }
}
