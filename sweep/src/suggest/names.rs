//! The names that people use for methods and profiles, read and written.

use super::{Method, Profile};
use crate::schedule::Mode;
use std::fmt;
use std::str::FromStr;

/// A name that is not one of those known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`: expected one of {}", known.join(", "))]
pub struct UnknownName {
    /// What was to be named, such as `method`.
    pub what: &'static str,
    /// The name that was given.
    pub given: String,
    /// The names that there are.
    pub known: Vec<&'static str>,
}

impl Method {
    /// All methods, the default first.
    pub const ALL: [Self; 9] = [
        Self::Auto,
        Self::Drop50,
        Self::Drop80,
        Self::Drop95,
        Self::Steepest,
        Self::Gmean,
        Self::Minimum,
        Self::Valley,
        Self::Slide,
    ];

    /// Its name, such as `drop80`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Drop50 => "drop50",
            Self::Drop80 => "drop80",
            Self::Drop95 => "drop95",
            Self::Steepest => "steepest",
            Self::Gmean => "gmean",
            Self::Minimum => "minimum",
            Self::Valley => "valley",
            Self::Slide => "slide",
        }
    }
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 5] = [
        Self::Lightning,
        Self::Lightning076,
        Self::Fastai,
        Self::TorchLrFinder,
        Self::Ignite,
    ];

    /// Its name, such as `lightning-0.7.6`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lightning => "lightning",
            Self::Lightning076 => "lightning-0.7.6",
            Self::Fastai => "fastai",
            Self::TorchLrFinder => "torch-lr-finder",
            Self::Ignite => "ignite",
        }
    }
}

impl Mode {
    /// Both modes, the default first.
    pub const ALL: [Self; 2] = [Self::Exponential, Self::Linear];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::Linear => "linear",
        }
    }
}

macro_rules! named {
    ($type:ty, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            /// Upper case, spaces around and `_` for `-` are forgiven.
            fn from_str(given: &str) -> Result<Self, UnknownName> {
                let name = given.trim().to_ascii_lowercase().replace('_', "-");
                Self::ALL
                    .into_iter()
                    .find(|known| known.name() == name)
                    .ok_or_else(|| UnknownName {
                        what: $what,
                        given: given.to_owned(),
                        known: Self::ALL.iter().map(|known| known.name()).collect(),
                    })
            }
        }
    };
}

named!(Method, "method");
named!(Profile, "profile");
named!(Mode, "mode");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_the_one_in_files() {
        fn check<T>(all: &[T])
        where
            T: Copy + PartialEq + fmt::Debug + fmt::Display + FromStr<Err = UnknownName>,
            T: serde::Serialize,
        {
            for &one in all {
                assert_eq!(one.to_string().parse(), Ok(one));
                assert_eq!(one.to_string().to_uppercase().parse(), Ok(one));
                assert_eq!(
                    serde_json::to_value(one).unwrap(),
                    one.to_string().as_str(),
                    "{one:?}"
                );
            }
        }
        check(&Method::ALL);
        check(&Profile::ALL);
        check(&Mode::ALL);
        assert_eq!("torch_lr_finder".parse(), Ok(Profile::TorchLrFinder));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "drop85".parse::<Method>().unwrap_err().to_string();
        assert!(error.starts_with("unknown method `drop85`: expected one of auto, drop50, drop80"));
    }
}
