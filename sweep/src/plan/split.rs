//! The names of the modes.

use super::Split;
use std::fmt;
use std::str::FromStr;

const NAMES: [(&str, Split); 5] = [
    ("auto", Split::Auto),
    ("none", Split::None),
    ("segments", Split::Segments),
    ("replicas", Split::Replicas),
    ("hybrid", Split::Hybrid),
];

/// A name that is none of the modes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("split {0:?} is unknown: expected auto, none, segments, replicas or hybrid")]
pub struct UnknownSplit(pub String);

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(text: &str) -> Result<Self, UnknownSplit> {
        NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, split)| *split)
            .ok_or_else(|| UnknownSplit(text.to_owned()))
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Segments => "segments",
            Self::Replicas => "replicas",
            Self::Hybrid => "hybrid",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_back_from_its_name_and_from_json() {
        for (name, split) in NAMES {
            assert_eq!(split.to_string(), name);
            assert_eq!(name.parse::<Split>(), Ok(split));
            assert_eq!(serde_json::to_value(split).unwrap(), name);
        }
    }

    #[test]
    fn an_unknown_mode_is_named_together_with_the_known_ones() {
        let error = "Segment".parse::<Split>().unwrap_err().to_string();
        assert!(error.contains("\"Segment\"") && error.contains("segments, replicas"));
    }
}
