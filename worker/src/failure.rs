//! What went wrong, in the words of the person who must act on it.

use rangefinder_data::DataError;
use rangefinder_errors::Code;
use rangefinder_proto::v1::{FailureKind, FieldError};
use rangefinder_session::trainer::Failure;
use tch::TchError;

/// A mistake in one field of the specification.
pub(crate) fn user(
    code: Code,
    field: &str,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Failure {
    let message = message.into();
    Failure {
        kind: FailureKind::User,
        code,
        message: message.clone(),
        fields: vec![FieldError {
            field: field.to_owned(),
            message,
            remedy: remedy.into(),
            code: Some(code.to_string()),
        }],
    }
}

/// Anything that is nobody's mistake: worth another try.
pub(crate) fn worker(message: impl Into<String>) -> Failure {
    Failure {
        kind: FailureKind::Worker,
        code: Code::WorkerFailed,
        message: message.into(),
        fields: Vec::new(),
    }
}

/// The data crate's errors name their field and remedy already.
pub(crate) fn data(error: DataError) -> Failure {
    user(error.code, error.field, error.message, error.remedy)
}

/// What helps where no smaller batch does.
const SMALLER_MODEL: &str = "use a smaller model, or a device with more memory";

/// An error of libtorch while training with `accumulate` batches a step: out of memory, or the worker's.
pub(crate) fn training(error: &TchError, batch_size: u32, accumulate: u32) -> Failure {
    let remedy = if batch_size < 2 {
        SMALLER_MODEL.to_owned()
    } else {
        // The same steps from smaller batches.
        format!(
            "use a smaller batch_size with accumulate, such as --batch-size {} --accumulate {}, for \
             steps over about as many samples; or a smaller model, or a device with more memory",
            batch_size / 2,
            accumulate.saturating_mul(2)
        )
    };
    let what = format!("a step with batch_size {batch_size} does not fit into memory");
    let when = format!("with batch_size {batch_size}");
    let full = Full {
        code: Code::BatchMemory,
        field: "batch_size",
        what,
        remedy,
    };
    or_out_of_memory(error, &when, full)
}

/// The same before the first batch: weights and what goes with them do not fit, whatever the batches.
pub(crate) fn building(error: &TchError, batch_size: u32) -> Failure {
    let when =
        format!("before the first batch (of batch_size {batch_size}, which is not to blame)");
    let full = Full {
        code: Code::WeightsMemory,
        field: "model",
        what: "the weights alone do not fit into memory".to_owned(),
        remedy: SMALLER_MODEL.to_owned(),
    };
    or_out_of_memory(error, &when, full)
}

/// The same while `batches` batches of an evaluation are put on the device, where they stay.
pub(crate) fn evaluating(error: &TchError, batch_size: u32, batches: u32) -> Failure {
    let all = format!("{batches} eval_batches of batch_size {batch_size}");
    let remedy = format!(
        "use fewer eval_batches, all of which are kept in memory, such as {}, or a smaller batch_size",
        batches.div_ceil(2)
    );
    let when = format!("with {all}");
    let full = Full {
        code: Code::EvaluationMemory,
        field: "eval_batches",
        what: format!("{all} do not fit into memory"),
        remedy,
    };
    or_out_of_memory(error, &when, full)
}

/// What does not fit into memory: the field that could make it smaller, and how.
struct Full {
    code: Code,
    field: &'static str,
    what: String,
    remedy: String,
}

fn or_out_of_memory(error: &TchError, when: &str, full: Full) -> Failure {
    let Full {
        code,
        field,
        what,
        remedy,
    } = full;
    let reason = sentence(error);
    if !is_out_of_memory(error) {
        return worker(format!("libtorch failed: {reason}"));
    }
    Failure {
        kind: FailureKind::OutOfMemory,
        code,
        message: format!("out of memory {when}: {reason}; {remedy}"),
        fields: vec![FieldError {
            field: field.to_owned(),
            message: what,
            remedy,
            code: Some(code.to_string()),
        }],
    }
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
        "ALLOCATION_FAILED",
        "std::bad_alloc",
        // More bytes than any number of them can say.
        "Storage size calculation overflowed",
        "numel: integer multiplication overflow",
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
            let error = TchError::Torch(text.to_owned());
            let named = |failure: Failure, code: Code, field: &str, parts: [&str; 2]| {
                assert_eq!(failure.code, code);
                assert_eq!(failure.kind, FailureKind::OutOfMemory);
                assert_eq!(failure.fields[0].field, field);
                for part in parts {
                    assert!(failure.message.contains(part), "{failure:?}");
                }
            };
            named(
                training(&error, 4096, 3),
                Code::BatchMemory,
                "batch_size",
                ["batch_size 4096", "--batch-size 2048 --accumulate 6,"],
            );
            named(
                training(&error, 1, 8),
                Code::BatchMemory,
                "batch_size",
                ["batch_size 1:", "use a smaller model"],
            );
            named(
                building(&error, 4096),
                Code::WeightsMemory,
                "model",
                [
                    "batch_size 4096, which is not to blame",
                    "use a smaller model",
                ],
            );
            named(
                evaluating(&error, 4096, 7),
                Code::EvaluationMemory,
                "eval_batches",
                ["7 eval_batches of batch_size 4096", "such as 4,"],
            );
        }
    }

    #[test]
    fn any_other_error_is_the_workers_own() {
        let error = TchError::Torch("CUDA error: an illegal memory access".to_owned());
        for failure in [
            training(&error, 8, 1),
            building(&error, 8),
            evaluating(&error, 8, 1),
        ] {
            assert_eq!(failure.kind, FailureKind::Worker);
            assert!(failure.fields.is_empty());
        }
    }
}
