//! Times of day in words.

use jiff::Timestamp;
use prost_types::Timestamp as Wire;

/// How long ago it was, in the unit that matters: `just now`, `5 min ago`, `3 h ago`, `12 d ago`.
pub(super) fn ago(then: &Wire, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.seconds);
    match seconds {
        ..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86400),
    }
}

/// As `2026-01-31T12:00:00Z`; none for a time that is none.
pub(super) fn exact(then: &Wire) -> Option<String> {
    let time = Timestamp::new(then.seconds, then.nanos).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_matters() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (seconds, said) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (7199, "1 h ago"),
            (86400, "1 d ago"),
        ] {
            let then = Wire {
                seconds: 1_000_000 - seconds,
                nanos: 0,
            };
            assert_eq!(ago(&then, now), said);
        }
        let then = Wire {
            seconds: 1_769_860_800,
            nanos: 5,
        };
        assert_eq!(exact(&then).unwrap(), "2026-01-31T12:00:00Z");
        assert_eq!(
            exact(&Wire {
                seconds: i64::MAX,
                nanos: 0
            }),
            None
        );
    }
}
