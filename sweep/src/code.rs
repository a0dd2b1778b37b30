//! Codes of errors as text in JSON. What has none, because a release before codes wrote it, or one
//! that this release does not know, gets the general code of its kind.

macro_rules! with_general_code {
    ($name:ident, $general:ident, $what:literal) => {
        #[doc = $what]
        pub mod $name {
            use rangefinder_errors::Code;
            use serde::{Deserialize, Deserializer, Serializer};

            /// The general code.
            #[must_use]
            pub const fn unknown() -> Code {
                Code::$general
            }

            /// Writes a code.
            ///
            /// # Errors
            /// As the serialiser.
            pub fn serialize<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(code)
            }

            /// Reads a code.
            ///
            /// # Errors
            /// As the deserialiser, for anything but text.
            pub fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Code, D::Error> {
                let text = String::deserialize(deserializer)?;
                Ok(Code::parse(&text).unwrap_or(unknown()))
            }
        }
    };
}

with_general_code!(of_field, FieldRefused, "The code of a field's mistake.");
with_general_code!(of_failure, WorkerFailed, "The code of a failure.");

#[cfg(test)]
mod tests {
    use crate::event::{Failure, FailureKind, FieldError};
    use rangefinder_errors::Code;

    #[test]
    fn codes_are_text_and_old_or_newer_files_stay_readable() {
        let failure = Failure {
            kind: FailureKind::User,
            code: Code::OutOfRange,
            message: "m".to_owned(),
            fields: vec![FieldError {
                code: Code::OutOfRange,
                field: "f".to_owned(),
                message: "m".to_owned(),
                remedy: "r".to_owned(),
            }],
        };
        let mut json = serde_json::to_value(&failure).unwrap();
        assert_eq!(json["code"], "RF202");
        assert_eq!(
            serde_json::from_value::<Failure>(json.clone()).unwrap(),
            failure
        );
        json["code"] = "RF999".into();
        json["fields"][0].as_object_mut().unwrap().remove("code");
        let other: Failure = serde_json::from_value(json).unwrap();
        assert_eq!(
            (other.code, other.fields[0].code),
            (Code::WorkerFailed, Code::FieldRefused)
        );
    }
}
