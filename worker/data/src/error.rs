//! What is wrong with the user's data, and what to do about it.

use rangefinder_errors::Code;

/// A mistake in one field of the specification. Display gives field, message and remedy on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}; {remedy}")]
pub struct DataError {
    /// What kind of mistake.
    pub code: Code,
    /// Name of the field in the sweep's specification: `data`, `targets`, `input_keys`,
    /// `target_key`, `batch_size`, `token_dtype`, `context`, `target_column` or `target_type`.
    pub field: &'static str,
    /// What is wrong, naming the file or array and the value.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What is wrong within one file, before it is known which field named that file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Defect {
    /// What kind of mistake.
    pub code: Code,
    /// What is wrong, as a fragment that fits after the name of the file or array.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Defect {
    pub(crate) fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The file is not what it claims to be; `message` says where.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(
            Code::Damaged,
            message,
            "the file is damaged or incomplete: write or copy it again",
        )
    }

    /// The memory for `bytes` bytes is not there.
    pub(crate) fn memory(bytes: usize) -> Self {
        Self::new(
            Code::DataMemory,
            format!("needs {bytes} bytes of memory, which this machine does not have free"),
            "use a smaller file, or save it again in C order with numpy.save or as .safetensors, aligned as they do: it is then not read into memory",
        )
    }

    /// Puts the name of what is defective in front.
    pub(crate) fn of(self, subject: impl std::fmt::Display) -> Self {
        Self {
            message: format!("{subject} {}", self.message),
            ..self
        }
    }

    /// Blames a field of the specification.
    pub(crate) fn in_field(self, field: &'static str) -> DataError {
        DataError {
            code: self.code,
            field,
            message: self.message,
            remedy: self.remedy,
        }
    }
}
