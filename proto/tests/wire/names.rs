//! How names are spelt.

/// Whether it is `lower_snake_case`.
pub fn is_lower_snake(name: &str) -> bool {
    !name.is_empty()
        && name.split('_').all(|word| {
            !word.is_empty() && (word.chars()).all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
        && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Whether it is `UPPER_SNAKE_CASE`.
pub fn is_upper_snake(name: &str) -> bool {
    is_lower_snake(&name.to_ascii_lowercase()) && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// Whether it is `PascalCase`.
pub fn is_pascal(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// A name in any spelling as `PascalCase`.
pub fn to_pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}

/// `PascalCase` as `UPPER_SNAKE_CASE`; capitals in a row are one word, `HTTPState` is `HTTP_STATE`.
pub fn to_upper_snake(pascal: &str) -> String {
    let letters: Vec<char> = pascal.chars().collect();
    let mut snake = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let begins_a_word = i > 0
            && letter.is_ascii_uppercase()
            && (!letters[i - 1].is_ascii_uppercase()
                || letters.get(i + 1).is_some_and(char::is_ascii_lowercase));
        if begins_a_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}

/// Whether the last part of a package is a version: `v1`, or `v1alpha2`, `v1beta2`.
pub fn ends_in_version(package: &str) -> bool {
    let last = package.rsplit('.').next().unwrap_or_default();
    let is_number = |text: &str| {
        text.parse::<u32>()
            .is_ok_and(|n| n > 0 && !text.starts_with('+'))
    };
    last.strip_prefix('v').is_some_and(|version| {
        let (major, minor) = version
            .split_once("alpha")
            .or_else(|| version.split_once("beta"))
            .unwrap_or((version, "1"));
        is_number(major) && is_number(minor)
    })
}

#[test]
fn names_are_told_apart_by_their_spelling() {
    for (name, lower, upper, pascal) in [
        ("a_b2", true, false, false),
        ("A_B2", false, true, false),
        ("Ab2", false, false, true),
        ("a__b", false, false, false),
        ("_a", false, false, false),
        ("a_", false, false, false),
        ("2a", false, false, false),
        ("aB", false, false, false),
        ("A-B", false, false, false),
        ("", false, false, false),
    ] {
        let found = (is_lower_snake(name), is_upper_snake(name), is_pascal(name));
        assert_eq!(found, (lower, upper, pascal), "{name}");
    }
    for (pascal, snake) in [
        ("SweepState", "SWEEP_STATE"),
        ("HTTPState", "HTTP_STATE"),
        ("V2Beta", "V2_BETA"),
        ("A", "A"),
    ] {
        assert_eq!(to_upper_snake(pascal), snake);
    }
    for name in ["get_room", "getRoom", "GetRoom"] {
        assert_eq!(to_pascal(name), "GetRoom");
    }
    for version in ["a.v1", "a.b.v12", "v1alpha2", "a.v1beta1"] {
        assert!(ends_in_version(version), "{version}");
    }
    for other in [
        "",
        "a",
        "a.v",
        "a.v0",
        "a.v1.b",
        "a.1",
        "a.v1x",
        "a.v+1",
        "a.v1alpha",
    ] {
        assert!(!ends_in_version(other), "{other}");
    }
}
