//! PyTorch's dotted names: patterns over them, and lists of them in errors.

use rangefinder_errors::Code;
use rangefinder_session::trainer::Failure;

use crate::failure;

/// Names that a list shows before it counts the rest.
const SHOWN: usize = 12;

/// Least similarity of two names, 0 to 1, at which one is suggested for the other.
const SIMILAR: f64 = 0.5;

/// Whether a pattern fits a whole name: `*` stands for any text, dots too, `?` for any character.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and the text that it has taken so far ends.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, n) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Makes sure that a pattern of a field of the specification fits a name.
///
/// # Errors
/// A user's failure that lists the nearest names, or all.
pub(crate) fn require_fit(field: &str, pattern: &str, names: &[String]) -> Result<(), Failure> {
    if names.iter().any(|name| fits(pattern, name)) {
        return Ok(());
    }
    let all = || names.iter().map(String::as_str);
    Err(failure::user(
        Code::PatternFitsNothing,
        field,
        format!(
            "the pattern `{pattern}` fits no parameter of the model, which has {}",
            list(all())
        ),
        match nearest(pattern, all()) {
            Some(near) => format!("did you mean `{near}`? `*` stands for any text"),
            None => "`*` stands for any text, `?` for any character".to_owned(),
        },
    ))
}

/// The name most like a pattern or name, if any is.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    names
        .into_iter()
        .map(|name| {
            let likeness = strsim::normalized_damerau_levenshtein(&word, &name.to_lowercase());
            (likeness, name)
        })
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `` `a`, `b` and 3 more ``.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    shown(names, "`", ", ")
}

/// `a is x; b is y and 3 more`: sentences that begin with a name.
pub(crate) fn sentences<'a>(sentences: impl IntoIterator<Item = &'a str>) -> String {
    shown(sentences, "", "; ")
}

/// The first few texts, safe to print, and how many more there are.
fn shown<'a>(texts: impl IntoIterator<Item = &'a str>, quote: &str, between: &str) -> String {
    let texts: Vec<&str> = texts.into_iter().collect();
    let shown: Vec<String> = texts
        .iter()
        .take(SHOWN)
        .map(|text| {
            let cut: String = text.chars().take(200).collect();
            format!("{quote}{}{quote}", cut.escape_debug())
        })
        .collect();
    match texts.len().saturating_sub(SHOWN) {
        0 => shown.join(between),
        rest => format!("{} and {rest} more", shown.join(between)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_names() {
        for (pattern, name, expected) in [
            ("head.*", "head.weight", true),
            ("head.*", "ahead.weight", false),
            ("head", "head.weight", false),
            ("*.bias", "layer1.0.bn1.bias", true),
            ("layer?.*.bn*.bias", "layer1.0.bn1.bias", true),
            ("layer?.*", "layer10.0.weight", false),
            ("*", "anything.at.all", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbXd", false),
            ("", "", true),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn hostile_patterns_take_no_more_than_the_square_of_the_length() {
        let pattern = "*a".repeat(2000);
        assert!(!fits(&pattern, &"a".repeat(1999)));
        assert!(fits(&pattern, &"a".repeat(2000)));
    }

    #[test]
    fn long_lists_are_counted() {
        let names: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let text = list(names.iter().map(String::as_str));
        assert!(text.ends_with("`11` and 8 more"), "{text}");
        assert_eq!(sentences(["a is 1", "b is\n2"]), "a is 1; b is\\n2");
        assert_eq!(
            nearest("layer.0.weigth", ["layers.0.weight", "b"]),
            Some("layers.0.weight")
        );
    }
}
