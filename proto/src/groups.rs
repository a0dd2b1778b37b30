//! A group of parameters as people write it: `PATTERN:lr=RATIO,weight_decay=DECAY`.

use crate::v1::ParameterGroup;

/// The settings of a group.
pub const SETTINGS: [&str; 2] = ["lr", "weight_decay"];

/// Why a text is not a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAGroup {
    /// No colon.
    NoSettings,
    /// Nothing before the colon.
    NoPattern,
    /// This is not `name=value`.
    NotASetting(String),
    /// This setting stands there twice.
    Twice(String),
    /// There is no setting of this name.
    Unknown(String),
    /// The ratio is not a finite number above 0.
    Ratio(String),
    /// The weight decay is not a finite number of 0 or more.
    WeightDecay(String),
}

/// Reads a group: at least one setting after the first colon, which no dotted name holds.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str) -> Result<ParameterGroup, NotAGroup> {
    let (pattern, settings) = text.split_once(':').ok_or(NotAGroup::NoSettings)?;
    if pattern.trim().is_empty() {
        return Err(NotAGroup::NoPattern);
    }
    let mut group = ParameterGroup {
        pattern: pattern.trim().to_owned(),
        lr_ratio: 1.0,
        weight_decay: None,
    };
    let mut seen = Vec::new();
    for setting in settings.split(',') {
        let (name, value) = setting
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
            .ok_or_else(|| NotAGroup::NotASetting(setting.trim().to_owned()))?;
        if seen.contains(&name) {
            return Err(NotAGroup::Twice(name.to_owned()));
        }
        seen.push(name);
        let number = value.parse::<f64>().ok().filter(|n| n.is_finite());
        match (name, number) {
            ("lr", Some(ratio)) if ratio > 0.0 => group.lr_ratio = ratio,
            ("lr", _) => return Err(NotAGroup::Ratio(value.to_owned())),
            ("weight_decay", Some(decay)) if decay >= 0.0 => group.weight_decay = Some(decay),
            ("weight_decay", _) => return Err(NotAGroup::WeightDecay(value.to_owned())),
            (unknown, _) => return Err(NotAGroup::Unknown(unknown.to_owned())),
        }
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_pattern_and_its_settings() {
        let group = |text| parse(text).unwrap();
        let both = group("head.*:lr=10,weight_decay=0");
        assert_eq!(both.pattern, "head.*");
        assert_eq!((both.lr_ratio, both.weight_decay), (10.0, Some(0.0)));
        let decay = group("*.bias: weight_decay = 1e-3");
        assert_eq!((decay.lr_ratio, decay.weight_decay), (1.0, Some(1e-3)));
        assert_eq!(group("a:lr=.5").weight_decay, None);
    }

    #[test]
    fn what_is_no_group_says_why() {
        let text = |text: &str| text.to_owned();
        for (group, why) in [
            ("head.*", NotAGroup::NoSettings),
            (" :lr=1", NotAGroup::NoPattern),
            ("head.*:", NotAGroup::NotASetting(text(""))),
            ("head.*:lr", NotAGroup::NotASetting(text("lr"))),
            ("head.*:lr=0", NotAGroup::Ratio(text("0"))),
            ("head.*:lr=nan", NotAGroup::Ratio(text("nan"))),
            ("head.*:lr=1,lr=2", NotAGroup::Twice(text("lr"))),
            ("a:weight_decay=-1", NotAGroup::WeightDecay(text("-1"))),
            ("a:momentum=1", NotAGroup::Unknown(text("momentum"))),
        ] {
            assert_eq!(parse(group), Err(why), "{group}");
        }
    }
}
