//! The names that people may write, and the nearest one to what they wrote.

use rangefinder_sweep::plan::Split;
use rangefinder_sweep::schedule::Mode;
use rangefinder_sweep::suggest::profiles::FASTAI_METHODS;
use rangefinder_sweep::suggest::{Method, Profile};

/// Built-in models.
pub const MODELS: [&str; 4] = ["mlp", "cnn", "resnet18", "gpt"];
/// Embedded data.
pub const DATA: [&str; 1] = ["digits"];
/// Endings of files of data.
pub const DATA_FILES: [&str; 7] = [
    ".npz",
    ".safetensors",
    ".npy",
    ".csv",
    ".bin",
    "-ubyte",
    ".idx",
];
/// Types of tokens.
pub const TOKEN_DTYPES: [&str; 2] = ["u16", "u32"];
/// What a target's column may hold.
pub const TARGET_TYPES: [&str; 2] = ["categorical", "numeric"];
/// Losses.
pub const LOSSES: [&str; 7] = [
    "cross_entropy",
    "nll",
    "bce_with_logits",
    "mse",
    "l1",
    "smooth_l1",
    "module",
];
/// Optimizers.
pub const OPTIMIZERS: [&str; 4] = ["sgd", "adam", "adamw", "rmsprop"];

/// Arithmetics of the model.
pub const PRECISIONS: [&str; 3] = ["fp32", "tf32", "bf16"];

/// How the learning rate grows.
#[must_use]
pub fn modes() -> [(&'static str, Mode); 2] {
    Mode::ALL.map(|mode| (mode.name(), mode))
}

/// How a learning rate is read off a curve.
#[must_use]
pub fn methods() -> [(&'static str, Method); 9] {
    Method::ALL.map(|method| (method.name(), method))
}

/// fastai's own methods; its default comes first.
#[must_use]
pub fn fastai_methods() -> [(&'static str, Method); 4] {
    FASTAI_METHODS.map(|method| (method.name(), method))
}

/// Tools that are reproduced.
#[must_use]
pub fn profiles() -> [(&'static str, Profile); 5] {
    Profile::ALL.map(|profile| (profile.name(), profile))
}

/// How the work is split.
pub const SPLITS: [(&str, Split); 5] = [
    ("auto", Split::Auto),
    ("none", Split::None),
    ("segments", Split::Segments),
    ("replicas", Split::Replicas),
    ("hybrid", Split::Hybrid),
];

/// Presets of the overlap, in decades of learning rate.
pub const OVERLAPS: [(&str, f64); 3] = [("fast", 0.5), ("default", 1.0), ("faithful", 2.0)];

/// The known name that someone who wrote `word` most likely meant: a third of its letters may be
/// wrong or swapped, or its end missing.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let word = plain(word);
    let slips = |name: &str| {
        if word.len() >= 3 && name.starts_with(&word) {
            return 0;
        }
        strsim::damerau_levenshtein(&word, name)
    };
    known
        .into_iter()
        .map(|name| (slips(&plain(name)), name))
        .filter(|(slips, name)| *slips <= (name.chars().count() / 3).max(1))
        // Letters are swapped more often than left out: of two that are as near, the one as long.
        .min_by_key(|(slips, name)| (*slips, name.len().abs_diff(word.len())))
        .map(|(_, name)| name)
}

/// `` `a`, `b` or `c` ``.
pub fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.pop() {
        None => String::new(),
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} or {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_what_results_say() {
        for (name, split) in SPLITS {
            assert_eq!(serde_json::to_value(split).unwrap(), name);
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        assert_eq!(nearest("adamW", OPTIMIZERS), Some("adamw"));
        assert_eq!(nearest("cross-entropy", LOSSES), Some("cross_entropy"));
        assert_eq!(
            nearest("torch_lr_finder", profiles().map(|p| p.0)),
            Some("torch-lr-finder")
        );
        assert_eq!(nearest("mpl", MODELS), Some("mlp"));
        assert_eq!(
            nearest("exp", modes().map(|mode| mode.0)),
            Some("exponential")
        );
        assert_eq!(nearest("modle", ["mode", "model"]), Some("model"));
        assert_eq!(nearest("zzz", OPTIMIZERS), None);
        assert_eq!(nearest("cuda", ["auto", "cpu"]), None);
    }

    proptest! {
        #[test]
        fn any_word_is_compared_without_panic(word in ".*") {
            nearest(&word, OPTIMIZERS);
        }
    }
}
