//! Numbers on the command line, with messages for people.

use std::str::FromStr;

/// Reads a whole number.
///
/// # Errors
/// For anything else and what does not fit the type, naming what is expected.
pub fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| {
        let most = 2u128.pow(u32::try_from(8 * size_of::<T>()).unwrap_or(64));
        format!("expected a whole number, 0 to {}", most - 1)
    })
}

/// Reads an integer, which may be below 0.
///
/// # Errors
/// For anything else and what does not fit the type, naming what is expected.
pub fn integer<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "expected an integer, such as -100 or 0".to_owned())
}

/// Reads a number.
///
/// # Errors
/// For anything else, naming what is expected.
pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "expected a number, such as 0.1 or 1e-3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_told_what_was_expected() {
        assert_eq!(whole_number::<u32>("4294967295"), Ok(u32::MAX));
        assert_eq!(
            whole_number::<u32>("4294967296").unwrap_err(),
            "expected a whole number, 0 to 4294967295"
        );
        for text in ["64.0", "-1", "", "x", "1e2"] {
            assert!(whole_number::<u64>(text).is_err(), "{text}");
        }
        assert_eq!(integer::<i64>("-100"), Ok(-100));
        assert!(integer::<i64>("1.5").unwrap_err().contains("-100"));
        assert_eq!(number::<f64>(".5"), Ok(0.5));
        assert!(number::<f64>("0,5").unwrap_err().contains("1e-3"));
    }
}
