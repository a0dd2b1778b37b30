//! Values of variables, read strictly.

use super::{COORDINATOR, DEVICE};
use crate::error::OptionsError;
use std::time::Duration;
use tonic::transport::Uri;

/// The longest wait that may be asked for: a year, so that no sum of times runs over.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) fn invalid(
    variable: &'static str,
    value: impl Into<String>,
    expected: &'static str,
) -> OptionsError {
    OptionsError::Invalid {
        variable,
        value: value.into(),
        expected,
    }
}

pub(super) fn coordinator(value: &str) -> Result<Uri, OptionsError> {
    let expected = "expected http://HOST:PORT or https://HOST:PORT, such as http://127.0.0.1:4242";
    let wrong = || invalid(COORDINATOR, value, expected);
    let uri: Uri = value.trim().parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.port_u16()) {
        (Some("http"), Some(_)) | (Some("https"), _) => Ok(uri),
        _ => Err(wrong()),
    }
}

pub(super) fn device(value: String) -> Result<String, OptionsError> {
    let index = value.strip_prefix("cuda:");
    let known = matches!(value.as_str(), "auto" | "cpu")
        || index.is_some_and(|index| index.parse::<u32>().is_ok());
    if known {
        Ok(value)
    } else {
        Err(invalid(
            DEVICE,
            value,
            "expected auto, cpu or cuda:i, such as cuda:0",
        ))
    }
}

pub(super) fn flag(variable: &'static str, value: &str) -> Result<bool, OptionsError> {
    match value.trim() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(invalid(variable, value, "expected 1 or 0")),
    }
}

pub(super) fn seconds(variable: &'static str, value: &str) -> Result<Duration, OptionsError> {
    let expected = "expected seconds, 0 or more, such as 60, up to a year";
    time(value).ok_or_else(|| invalid(variable, value, expected))
}

/// As [`seconds`], or `forever`.
pub(super) fn seconds_or_forever(
    variable: &'static str,
    value: &str,
) -> Result<Duration, OptionsError> {
    if value.trim() == "forever" {
        return Ok(Duration::MAX);
    }
    let expected = "expected `forever`, or seconds, 0 or more, such as 60, up to a year";
    time(value).ok_or_else(|| invalid(variable, value, expected))
}

fn time(value: &str) -> Option<Duration> {
    let seconds = value.trim().parse::<f64>().ok()?;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (time <= LONGEST).then_some(time)
}

/// A number of bytes: digits, and `k`, `M`, `G` or `T` for as many times 1024.
pub(super) fn bytes(variable: &'static str, value: &str) -> Result<u64, OptionsError> {
    let text = value.trim();
    let (digits, shift) = match text.char_indices().last() {
        Some((end, 'k' | 'K')) => (&text[..end], 10),
        Some((end, 'M')) => (&text[..end], 20),
        Some((end, 'G')) => (&text[..end], 30),
        Some((end, 'T')) => (&text[..end], 40),
        _ => (text, 0),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| {
            invalid(
                variable,
                value,
                "expected bytes, 1 or more, such as 21474836480 or 20G",
            )
        })
}
