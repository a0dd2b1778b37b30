//! Verdicts and warnings in words, with the numbers and the remedy.

use super::verdict::{Evidence, FEWEST_PER_DECADE, FEWEST_STEPS, Judgement, Wandering};
use super::{Reason, Verdict};
use crate::curve::gaussian::LogGrid;
use crate::plan::Warning;

const QUIETER: &str = "take 2 to 3 times more steps (`num_training`), replicas, or a larger batch";

/// What a verdict is put into words for.
pub(crate) struct Facts<'a> {
    /// All planned steps that were looked at.
    pub(crate) grid: &'a LogGrid,
    /// Losses that were used.
    pub(crate) used: usize,
    /// The rule's value, log10 of a learning rate.
    pub(crate) log10_lr: Option<f64>,
}

/// The verdict in words.
pub(crate) fn verdict(judgement: &Judgement, facts: &Facts<'_>) -> Verdict {
    let message = match (judgement.reason, &judgement.evidence) {
        (None, Some(evidence)) => usable(evidence),
        (Some(reason), Some(evidence)) => judged(reason, evidence, facts),
        (reason, None) => unjudged(reason, facts),
    };
    Verdict {
        usable: judgement.reason.is_none(),
        reason: judgement.reason,
        message,
    }
}

fn usable(evidence: &Evidence) -> String {
    format!(
        "usable: one fall of {} from a plateau at {}, {:.0} standard errors deep",
        number(evidence.drop),
        number(evidence.plateau),
        evidence.z
    )
}

fn unjudged(reason: Option<Reason>, facts: &Facts<'_>) -> String {
    let (planned, used) = (facts.grid.len(), facts.used);
    if reason == Some(Reason::DivergedAtOnce) {
        return format!(
            "diverged at once: only {used} of {planned} losses came before the loss exploded, was \
             not finite, or the sweep ended; lower the range (`min_lr`, `max_lr`)"
        );
    }
    if planned < FEWEST_STEPS {
        return format!(
            "too few points: {planned} steps, where at least {FEWEST_STEPS} are needed and 200 to \
             500 are best; raise `num_training`"
        );
    }
    format!(
        "too few points: {:.1} steps a decade, where at least {FEWEST_PER_DECADE} are needed; raise \
         `num_training` or narrow the range",
        1.0 / facts.grid.step()
    )
}

fn judged(reason: Reason, evidence: &Evidence, facts: &Facts<'_>) -> String {
    let (planned, used, z) = (facts.grid.len(), facts.used, evidence.z);
    let ends = |x: Option<&f64>| x.map_or_else(|| "?".to_owned(), |x| rate(10_f64.powf(*x)));
    let lowest = ends(facts.grid.positions().first());
    let highest = ends(facts.grid.positions().last());
    let value = ends(facts.log10_lr.as_ref());
    match reason {
        Reason::RisesWithoutFalling => format!(
            "rises without having fallen: {:.0} standard errors up, and {z:.1} down where 6 are \
             needed; lower `min_lr`, or, if the loss is that noisy, {QUIETER}",
            evidence.rise
        ),
        Reason::DivergedWithoutFalling => format!(
            "diverged without having fallen: the losses end after {used} of {planned} steps with a \
             fall of {z:.1} standard errors where 6 are needed; lower `min_lr` or `max_lr`, or \
             {QUIETER}"
        ),
        Reason::Flat if z < 6.0 => format!(
            "flat: no drop above the noise ({z:.1} standard errors where 6 are needed); {QUIETER}, \
             and check that `max_lr` ({highest}) is high enough to learn"
        ),
        Reason::Flat => format!(
            "flat: the drop of {} is less than 1.5 times the noise of a single loss ({}); {QUIETER}",
            number(evidence.drop),
            number(evidence.noise_sd)
        ),
        Reason::Wanders => wanders(evidence.wandering, &lowest),
        Reason::StillFalling => format!(
            "still falling at {highest}: {:.0} % of the drop is done in the last half decade, so \
             that {value} is only a lower bound; raise `max_lr`",
            100.0 * evidence.tail.unwrap_or(0.0)
        ),
        Reason::RangeTooHigh => format!(
            "range too high: the learning rate would be {value}, below the lowest of the range, \
             {lowest}; lower `min_lr`"
        ),
        Reason::TooFewPoints | Reason::DivergedAtOnce => unjudged(Some(reason), facts),
    }
}

fn wanders(how: Option<Wandering>, lowest: &str) -> String {
    let flat_at_first =
        format!("lower `min_lr` ({lowest}) so that the loss is flat at first, or {QUIETER}");
    let told = match how {
        Some(Wandering::NoPlateau(off)) => format!(
            "the loss falls already at the lowest learning rates, by {} of the drop off their \
             mean, where 10 % are allowed; {flat_at_first}",
            percent(off)
        ),
        Some(Wandering::UnevenPlateau(off)) => format!(
            "the plateau is uneven, by {} of the drop off its mean, where 10 % are allowed; {QUIETER}",
            percent(off)
        ),
        Some(Wandering::Rise(up)) => format!(
            "the loss rises before the fall is done, by {} of the drop, where 10 % are allowed; \
             {QUIETER}",
            percent(up)
        ),
        Some(Wandering::SlowFall(early, from_the_start)) => {
            let remedy = if from_the_start {
                flat_at_first
            } else {
                format!(
                    "{QUIETER}, or, where it falls in stages, choose by eye among the values of \
                     the other methods"
                )
            };
            format!(
                "the fall is slow: {} of it is done two decades before 90 % are, where 30 % are \
                 allowed; {remedy}",
                percent(early)
            )
        }
        None => return format!("wanders: {QUIETER}"), // Which no curve does for no reason.
    };
    format!("wanders: not a plateau followed by one fall, since {told}")
}

/// The warning of a usable curve whose minimum lies at the end of the range.
pub(crate) fn minimum_at_end(judgement: &Judgement, grid: &LogGrid) -> Option<Warning> {
    let tail = judgement
        .evidence?
        .tail
        .filter(|_| judgement.minimum_at_end)?;
    let highest = rate(10_f64.powf(*grid.positions().last()?));
    Some(warning(
        "minimum_at_end",
        format!(
            "the minimum lies at the end of the range, {highest}, with {:.0} % of the drop in the \
             last half decade: raise `max_lr` to see the whole fall",
            100.0 * tail
        ),
    ))
}

/// The warning about settings that the rule was not measured with.
pub(crate) fn not_measured_here(grid: &LogGrid, beta: Option<f64>) -> Option<Warning> {
    let mut unmeasured = Vec::new();
    let x = grid.positions();
    if !is_nearly_uniform(x) {
        unmeasured.push("steps that are not uniform in the logarithm of the learning rate".into());
    }
    if let [first, .., last] = x
        && last - first < 1.0 - 1e-9
    {
        unmeasured.push(format!("a range of {:.2} decades, under one", last - first));
    }
    if let Some(beta) = beta.filter(|beta| *beta != 0.0 && (beta - 0.9).abs() > 1e-9) {
        // The power of a decimal fraction has digits that nobody wrote.
        let beta = (beta * 1e9).round() / 1e9;
        unmeasured.push(format!(
            "a momentum or beta1 of {beta} from step to step, neither 0 nor 0.9"
        ));
    }
    not_measured(&unmeasured)
}

/// The warning that these settings were not among those which the rule was measured with; none
/// for no settings.
#[must_use]
pub fn not_measured(settings: &[String]) -> Option<Warning> {
    (!settings.is_empty()).then(|| {
        warning(
            "not_measured_here",
            format!(
                "the rule, its verdict and its interval were not measured with {}: take them with \
                 care",
                settings.join("; ")
            ),
        )
    })
}

/// Whether all steps are as far apart, up to learning rates that were written with few digits.
/// Lightning's grid is not: it leaves out a step after the first.
fn is_nearly_uniform(x: &[f64]) -> bool {
    let gaps: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let most = gaps.iter().copied().fold(0.0, f64::max);
    most <= 1.1 * least
}

pub(crate) fn warning(code: &str, message: String) -> Warning {
    Warning {
        code: code.to_owned(),
        message,
    }
}

/// A loss or a difference of losses with three digits.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e4).contains(&value.abs()) {
        format!("{value:.3}")
    } else {
        format!("{value:.2e}")
    }
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A learning rate with three digits.
fn rate(lr: f64) -> String {
    if (0.01..1e4).contains(&lr) {
        let digits = format!("{lr:.4}");
        digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        let digits = format!("{lr:.2e}");
        digits.replace(".00e", "e")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_read_as_people_write_them() {
        let written = [1e-8, 0.0123, 0.36, 1.0, 10.0, 2.345e-5].map(rate);
        assert_eq!(written, ["1e-8", "0.0123", "0.36", "1", "10", "2.35e-5"]);
    }
}
