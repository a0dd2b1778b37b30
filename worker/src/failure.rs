//! What went wrong, in the words of the person who must act on it.

use rangefinder_data::DataError;
use rangefinder_proto::v1::{FailureKind, FieldError};
use rangefinder_session::trainer::Failure;
use tch::TchError;

/// A mistake in one field of the specification.
pub(crate) fn user(field: &str, message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    let message = message.into();
    Failure {
        kind: FailureKind::User,
        message: message.clone(),
        fields: vec![FieldError {
            field: field.to_owned(),
            message,
            remedy: remedy.into(),
        }],
    }
}

/// Anything that is nobody's mistake: worth another try.
pub(crate) fn worker(message: impl Into<String>) -> Failure {
    Failure {
        kind: FailureKind::Worker,
        message: message.into(),
        fields: Vec::new(),
    }
}

/// The data crate's errors name their field and remedy already.
pub(crate) fn data(error: DataError) -> Failure {
    user(error.field, error.message, error.remedy)
}

/// An error of libtorch while training with batches of `batch_size`: out of memory, or the worker's.
pub(crate) fn training(error: &TchError, batch_size: u32) -> Failure {
    let message = sentence(error);
    if is_out_of_memory(error) {
        let remedy = remedy(batch_size);
        Failure {
            kind: FailureKind::OutOfMemory,
            message: format!("out of memory with batch_size {batch_size}: {message}; {remedy}"),
            fields: vec![FieldError {
                field: "batch_size".to_owned(),
                message: format!("a step with batch_size {batch_size} does not fit into memory"),
                remedy,
            }],
        }
    } else {
        worker(format!("libtorch failed: {message}"))
    }
}

/// What to do about a batch that does not fit: the same steps from smaller batches.
fn remedy(batch_size: u32) -> String {
    if batch_size < 2 {
        return "use a smaller model, or a device with more memory".to_owned();
    }
    format!(
        "use a smaller batch_size with accumulate, such as --batch-size {} with twice the --accumulate, \
         for steps over as many samples; or a smaller model, or a device with more memory",
        batch_size / 2
    )
}

/// Whether libtorch, its allocators or CUDA ran out of memory. They have no error code of their
/// own: these are the texts of libtorch 2.11.
pub(crate) fn is_out_of_memory(error: &TchError) -> bool {
    let text = error.to_string();
    [
        "out of memory",
        "can't allocate memory",
        "not enough memory",
        "ALLOC_FAILED",
        "std::bad_alloc",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// libtorch's message without the C++ backtrace, the TorchScript traceback and the line breaks.
pub(crate) fn sentence(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text
        .split("Exception raised from")
        .next()
        .unwrap_or_default();
    // TorchScript puts the reason last, after the traceback of the script.
    let reason = ["RuntimeError: ", "Error: "]
        .iter()
        .find_map(|mark| text.rfind(mark).map(|at| &text[at + mark.len()..]))
        .unwrap_or(text);
    let line = reason
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no reason given");
    line.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torchscript_error_becomes_its_reason_alone() {
        let error = TchError::Torch(
            "The following operation failed in the TorchScript interpreter.\n\
             Traceback of TorchScript, serialized code (most recent call last):\n  \
             File \"code/__torch__.py\", line 8, in forward\n    x = torch.linear(x, w)\n\
             RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x64 and 30x10)\n\n\
             Exception raised from meta at linear.cpp:1 (most recent call first):\nframe #0: c10::Error"
                .to_owned(),
        );
        assert_eq!(
            sentence(&error),
            "mat1 and mat2 shapes cannot be multiplied (64x64 and 30x10)"
        );
    }

    #[test]
    fn an_eager_error_loses_its_backtrace() {
        let error = TchError::Torch(
            "Index out of range.\nException raised from f at g.cpp:1 (most recent call first):\nframe #0"
                .to_owned(),
        );
        assert_eq!(sentence(&error), "Index out of range");
    }

    #[test]
    fn running_out_of_memory_names_batch_size_and_remedy() {
        for text in [
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1 GiB",
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
        ] {
            let failure = training(&TchError::Torch(text.to_owned()), 4096);
            assert_eq!(failure.kind, FailureKind::OutOfMemory);
            assert!(
                failure.message.contains("batch_size 4096"),
                "{}",
                failure.message
            );
            assert!(
                failure
                    .message
                    .contains("--batch-size 2048 with twice the --accumulate"),
                "{}",
                failure.message
            );
        }
    }
}
