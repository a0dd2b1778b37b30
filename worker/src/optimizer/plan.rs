//! How the parameters of a model are to be optimised: the algorithm, the groups with settings of
//! their own, the limits of gradients, the state to start from.

use rangefinder_errors::Code;
use std::path::PathBuf;

use rangefinder_proto::v1;
use rangefinder_session::trainer::Failure;

use super::clip::Clip;
use super::config::Algorithm;
use crate::{failure, names};

/// A whole optimizer, before it has a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// That of the reference group, whose learning rate is the one that is swept.
    pub algorithm: Algorithm,
    pub groups: Vec<ParameterGroup>,
    pub clip: Option<Clip>,
    /// A file of `torch.save(optimizer.state_dict())`.
    pub state: Option<PathBuf>,
}

/// Parameters with settings of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParameterGroup {
    pub pattern: String,
    pub settings: Settings,
}

/// How a group is updated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub algorithm: Algorithm,
    /// Its learning rate over the swept one.
    pub lr_ratio: f64,
}

impl Plan {
    /// Reads and checks the specification.
    pub(crate) fn parse(spec: &v1::Optimizer) -> Result<Self, Failure> {
        let algorithm = Algorithm::parse(spec)?;
        let groups = spec
            .groups
            .iter()
            .map(|group| ParameterGroup::parse(group, spec))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            algorithm,
            groups,
            clip: Clip::parse(spec)?,
            state: (!spec.state.is_empty()).then(|| PathBuf::from(&spec.state)),
        })
    }

    /// Settings of the reference group, then of each other group.
    pub(super) fn settings(&self) -> Vec<Settings> {
        let reference = Settings {
            algorithm: self.algorithm.clone(),
            lr_ratio: 1.0,
        };
        let others = self.groups.iter().map(|group| group.settings.clone());
        [reference].into_iter().chain(others).collect()
    }

    /// Which of [`Self::settings`] a parameter has: the first group whose pattern fits.
    pub(crate) fn group_of(&self, name: &str) -> usize {
        self.groups
            .iter()
            .position(|group| names::fits(&group.pattern, name))
            .map_or(0, |group| group + 1)
    }

    /// Makes sure that every pattern takes a parameter.
    ///
    /// # Errors
    /// A user's failure that lists near names.
    pub(crate) fn check(&self, trainable: &[String]) -> Result<(), Failure> {
        let taken: Vec<usize> = trainable.iter().map(|name| self.group_of(name)).collect();
        for (group, ParameterGroup { pattern, .. }) in (1..).zip(&self.groups) {
            names::require_fit("groups", pattern, trainable)?;
            if !taken.contains(&group) {
                return Err(failure::user(
                    Code::PatternTaken,
                    "groups",
                    format!("the pattern `{pattern}` fits only what patterns before it take"),
                    "the first pattern that fits counts: give the narrower one first",
                ));
            }
        }
        Ok(())
    }
}

impl From<Algorithm> for Plan {
    fn from(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            groups: Vec::new(),
            clip: None,
            state: None,
        }
    }
}

impl ParameterGroup {
    fn parse(group: &v1::ParameterGroup, optimizer: &v1::Optimizer) -> Result<Self, Failure> {
        if !(group.lr_ratio.is_finite() && group.lr_ratio > 0.0) {
            return Err(failure::user(
                Code::OutOfRange,
                "groups",
                format!(
                    "`{}` has the ratio {}, expected a number above 0",
                    group.pattern, group.lr_ratio
                ),
                "use freeze for parameters that are not to be trained",
            ));
        }
        let own = v1::Optimizer {
            weight_decay: group.weight_decay.unwrap_or(optimizer.weight_decay),
            ..optimizer.clone()
        };
        Ok(Self {
            pattern: group.pattern.clone(),
            settings: Settings {
                algorithm: Algorithm::parse(&own).map_err(|error| {
                    failure::user(
                        error.code,
                        "groups",
                        error.message,
                        "correct the group's weight_decay",
                    )
                })?,
                lr_ratio: group.lr_ratio,
            },
        })
    }
}
