//! Numbers as people read them.

/// A learning rate: `3.24e-3`, `0.32`, `1`, with up to `digits` significant digits and no
/// trailing zeros.
#[must_use]
pub fn learning_rate(value: f64, digits: usize) -> String {
    short(value, digits, 0.1)
}

/// A loss or another quantity: plain between a thousandth and a hundred thousand.
pub(crate) fn quantity(value: f64, digits: usize) -> String {
    short(value, digits, 1e-3)
}

/// Plain notation from `plain_from` up to 1e5, scientific outside.
fn short(value: f64, digits: usize, plain_from: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "infinity" } else { "-infinity" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value.abs() >= plain_from * (1.0 - 1e-9) && exponent < 5 {
        let digits = i32::try_from(digits).unwrap_or(i32::MAX);
        let decimals =
            usize::try_from(digits.saturating_sub(1).saturating_sub(exponent)).unwrap_or(0);
        return without_trailing_zeros(&format!("{value:.decimals$}")).to_owned();
    }
    format!("{}e{exponent}", without_trailing_zeros(mantissa))
}

fn without_trailing_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// A duration in the two units that matter: `0.8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round().min(1e15);
    let (hours, minutes, rest) = (
        (whole / 3600.0).floor(),
        (whole / 60.0).floor() % 60.0,
        whole % 60.0,
    );
    if hours >= 1.0 {
        format!("{hours:.0} h {minutes:.0} min")
    } else if minutes >= 1.0 {
        format!("{minutes:.0} min {rest:.0} s")
    } else {
        format!("{rest:.0} s")
    }
}

/// How long a step takes: `0.4 ms`, `24 ms`, `3.2 s`.
pub(crate) fn step_time(seconds: f64) -> String {
    let milliseconds = seconds * 1e3;
    if milliseconds < 9.95 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 999.5 {
        format!("{milliseconds:.0} ms")
    } else {
        duration(seconds)
    }
}

/// An amount of memory: `144 MB`, `12.3 GB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    let megabytes = count.div_ceil(1_000_000);
    if megabytes < 1000 {
        return format!("{megabytes} MB");
    }
    let tenths = count.div_ceil(100_000_000);
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

/// A count as a number to compute with.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of steps and pixels are far below 2^52"
)]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

/// The whole number nearest to `value`, kept within `0..=most`; 0 for NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits; NaN becomes 0"
)]
pub(crate) fn whole(value: f64, most: usize) -> usize {
    (value.round().clamp(0.0, real(most)) as usize).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_times_and_memory_have_the_unit_that_fits() {
        let times = [0.0004, 0.0244, 0.9996, 75.0].map(step_time);
        assert_eq!(times, ["0.4 ms", "24 ms", "1.0 s", "1 min 15 s"]);
        let memory = [1, 144_000_000, 999_999_999, 12_345_678_901].map(bytes);
        assert_eq!(memory, ["1 MB", "144 MB", "1.0 GB", "12.4 GB"]);
    }

    #[test]
    fn learning_rates_are_short_and_can_be_typed_back() {
        let cases = [
            (3.2359e-3, "3.24e-3"),
            (1e-8, "1e-8"),
            (0.1, "0.1"),
            (0.3200, "0.32"),
            (1.0, "1"),
            (10.0, "10"),
            (0.09996, "0.1"),
            (1.5e6, "1.5e6"),
        ];
        for (value, expected) in cases {
            let text = learning_rate(value, 3);
            assert!(
                text == expected || text.parse::<f64>() == expected.parse(),
                "{text} for {value}"
            );
        }
    }

    #[test]
    fn numbers_that_are_none_are_words() {
        assert_eq!(quantity(f64::NAN, 3), "NaN");
        assert_eq!(quantity(f64::NEG_INFINITY, 3), "-infinity");
        assert_eq!(quantity(0.0, 3), "0");
        assert_eq!(quantity(2.345, 3), "2.35");
        assert_eq!(quantity(1_234_567.0, 3), "1.23e6");
        assert_eq!(quantity(99_999.0, 2), "1e5");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        assert_eq!(duration(0.83), "0.8 s");
        assert_eq!(duration(59.7), "1 min 0 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7500.0), "2 h 5 min");
        assert_eq!(duration(f64::NAN), "unknown");
    }
}
