//! Where a span stands in a trace: W3C Trace Context, `00-TRACE-SPAN-FLAGS` in hexadecimal digits.
//!
//! Ids of spans are not drawn but follow from what they are spans of: a coordinator that was
//! restarted in between ends the span that the one before it has begun, and nothing has to be kept.

use rangefinder_sweep::ids::LeaseToken;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The flag of traces that are recorded.
const SAMPLED: u8 = 1;

/// A span, as others name it who stand below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// The name of the header.
    pub const HEADER: &'static str = "traceparent";

    /// Reads a header; `None` for one that means nothing, which is to be passed over.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = hex(parts.next()?, 2)?;
        let trace = hex(parts.next()?, 32)?;
        let span = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        // Later versions may have more parts, the first has none; 255 is none.
        let ends = match version {
            0 => parts.next().is_none(),
            255 => false,
            _ => true,
        };
        (ends && trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// The root of a new trace that is recorded.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let trace = u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?);
        Ok(Self {
            trace: trace.max(1),
            span: getrandom::u64()?.max(1),
            flags: SAMPLED,
        })
    }

    /// The span below this one that has this name; always the same.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(self.to_string().as_bytes());
        hash.update(name.as_bytes());
        let digest = hash.finish();
        let first = digest.as_ref().iter().take(8);
        let span = first.fold(0, |span: u64, byte| span << 8 | u64::from(*byte));
        Self {
            span: span.max(1),
            ..*self
        }
    }

    /// The span of an attempt, below this one of its sweep.
    #[must_use]
    pub fn attempt(&self, token: LeaseToken) -> Self {
        self.child(&format!("lease {}", token.0))
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace, in 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The span, in 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// The bytes of trace and span.
    #[cfg(feature = "otlp")]
    pub(super) fn bytes(&self) -> ([u8; 16], [u8; 8]) {
        (self.trace.to_be_bytes(), self.span.to_be_bytes())
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

impl TryFrom<String> for TraceParent {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no traceparent"))
    }
}

/// A number of exactly so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let proper = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(proper) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_and_written_as_the_standard_has_it() {
        let parent = TraceParent::parse(EXAMPLE).unwrap();
        assert_eq!(parent.to_string(), EXAMPLE);
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span_id(), "00f067aa0ba902b7");
        assert!(parent.is_sampled());
        let later = format!("01{}-what-comes-later", &EXAMPLE[2..]);
        assert_eq!(TraceParent::parse(&later), Some(parent));
        assert!(
            !TraceParent::parse(&EXAMPLE.replace("-01", "-00"))
                .unwrap()
                .is_sampled()
        );
    }

    #[test]
    fn what_is_no_header_is_passed_over() {
        let upper = EXAMPLE.to_uppercase();
        let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let zero_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let version = EXAMPLE.replacen("00", "ff", 1);
        let more = format!("{EXAMPLE}-more");
        for wrong in [
            "",
            "00",
            &EXAMPLE[..54],
            &upper,
            zero_trace,
            zero_span,
            &version,
            &more,
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_child_is_of_the_same_trace_and_the_same_each_time() {
        let parent = TraceParent::random().unwrap();
        let child = parent.child("lease 7");
        assert_eq!(child, parent.child("lease 7"));
        assert_eq!(child.trace_id(), parent.trace_id());
        let spans = [
            parent.span_id(),
            child.span_id(),
            parent.child("lease 8").span_id(),
        ];
        let different: std::collections::BTreeSet<_> = spans.iter().collect();
        assert_eq!(different.len(), spans.len());
    }
}
