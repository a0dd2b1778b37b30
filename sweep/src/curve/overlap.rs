//! The self-check of a split, which needs no reference, and what is said of a split afterwards.
//!
//! Over the last quarter of a segment's warm-up two tasks computed the same steps on the same
//! batches: the segment and whoever owns those steps. Before the minimum their difference predicts
//! the error of the merged curve (`docs/method.md`, the self-check of overlaps).

use super::gaussian::{Gaussian, LogGrid};
use crate::event::Observation;
use crate::plan::{Task, Warning};
use crate::state::OverlapCheck;

/// Difference above which a notice is given.
const NOTICE: f64 = 0.03;
/// Difference above which the split is called not faithful.
const NOT_FAITHFUL: f64 = 0.1;

/// The warm-up of a segment, as its own task saw it.
#[derive(Clone, Copy, Debug)]
pub struct WarmUp<'a> {
    /// The segment's task.
    pub task: &'a Task,
    /// Its observations, from the start of the warm-up on.
    pub observations: &'a [Observation],
}

/// Compares each warm-up with the merged curve; a warm-up without steps gives nothing to compare.
/// One that blew up where the merged curve did not is infinitely far off.
#[must_use]
pub fn check(curve: &[Observation], warm_ups: &[WarmUp<'_>]) -> Vec<OverlapCheck> {
    if warm_ups.is_empty() {
        return Vec::new();
    }
    let shape = Shape::of(curve);
    warm_ups
        .iter()
        .filter_map(|warm_up| {
            let Task {
                warm_up_start,
                start,
                segment,
                ..
            } = *warm_up.task;
            let from = start - (start - warm_up_start).div_ceil(4);
            let merged = curve.get(from as usize..start as usize)?;
            if merged.is_empty() || merged.iter().any(|seen| !seen.loss.is_finite()) {
                return None;
            }
            let own = warm_up.observations.get((from - warm_up_start) as usize..);
            let pairs: Vec<(f64, f64)> = own
                .unwrap_or_default()
                .iter()
                .zip(merged)
                .map(|(own, merged)| (own.loss, merged.loss))
                .take_while(|(own, _)| own.is_finite())
                .collect();
            let blew_up = pairs.len() < merged.len()
                && warm_up.observations.iter().any(|own| !own.loss.is_finite());
            let delta = if blew_up {
                f64::INFINITY
            } else if pairs.len() == merged.len() {
                difference(&pairs, shape.drop)
            } else {
                return None;
            };
            Some(OverlapCheck {
                segment,
                from,
                to: start,
                delta,
                past_minimum: start as usize > shape.minimum + 1,
            })
        })
        .collect()
}

/// Root mean square difference of the log losses; where a loss is not positive, of the losses over
/// the drop.
fn difference(pairs: &[(f64, f64)], drop: f64) -> f64 {
    let positive = pairs
        .iter()
        .all(|(own, merged)| *own > 0.0 && *merged > 0.0);
    let squares = pairs.iter().map(|(own, merged)| {
        let difference = if positive {
            own.ln() - merged.ln()
        } else if own == merged {
            0.0
        } else {
            (own - merged) / drop
        };
        difference * difference
    });
    (squares.sum::<f64>() / pairs.len() as f64).sqrt()
}

/// Where the smoothed curve has its minimum, and how far it falls to it.
struct Shape {
    minimum: usize,
    drop: f64,
}

impl Shape {
    fn of(curve: &[Observation]) -> Self {
        let finite = curve
            .iter()
            .take_while(|observation| observation.loss.is_finite());
        let (rates, losses): (Vec<f64>, Vec<f64>) = finite
            .map(|observation| (observation.lr, observation.loss))
            .unzip();
        let smoothed = match LogGrid::new(&rates) {
            Ok(grid) => Gaussian::new(&grid, losses.len()).smooth(&losses),
            // A range too narrow for its steps: the raw losses have to do.
            Err(_) => losses,
        };
        let plateau_steps = (smoothed.len() / 10).max(3).min(smoothed.len());
        let plateau = smoothed[..plateau_steps].iter().sum::<f64>() / plateau_steps as f64;
        let minimum = (0..smoothed.len())
            .min_by(|a, b| smoothed[*a].total_cmp(&smoothed[*b]))
            .unwrap_or(0);
        let lowest = smoothed.get(minimum).copied().unwrap_or(0.0);
        Self {
            minimum,
            drop: plateau - lowest,
        }
    }
}

/// Notices and warnings of a replica's checks. Past the minimum differences are chaos and mean
/// nothing.
#[must_use]
pub fn warnings(replica: u32, checks: &[OverlapCheck]) -> Vec<Warning> {
    let meaning = checks.iter().filter(|check| !check.past_minimum);
    meaning
        .filter_map(|check| {
            let OverlapCheck {
                segment,
                from,
                to,
                delta,
                ..
            } = check;
            let what = format!(
                "segment {segment} of replica {replica} differs by {delta:.3} from the one before it, \
                 over steps {from} to {} that both computed",
                to - 1
            );
            // Not a number (losses around 0 on a flat curve) counts as far off.
            if delta.is_nan() || *delta > NOT_FAITHFUL {
                let remedy = "the merged curve is not faithful to an unsplit sweep: double the overlap, \
                              or run with split none";
                Some(Warning::new(
                    "not_faithful",
                    format!("{what} (limit {NOT_FAITHFUL}): {remedy}"),
                ))
            } else if *delta > NOTICE {
                let remedy = "the suggestion may be off a little more than usual; a larger overlap \
                              brings them together";
                Some(Warning::new(
                    "overlap_differs",
                    format!("{what} (notice above {NOTICE}): {remedy}"),
                ))
            } else {
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TaskId;

    const STEPS: u32 = 81;

    fn task() -> Task {
        Task {
            id: TaskId(1),
            replica: 0,
            segment: 1,
            warm_up_start: 20,
            start: 40,
            end: 60,
        }
    }

    /// Ten steps a decade from 1e-8 on.
    fn observations(steps: std::ops::Range<u32>, loss: impl Fn(u32) -> f64) -> Vec<Observation> {
        steps
            .map(|step| Observation {
                step,
                lr: 10f64.powf(f64::from(step) / 10.0 - 8.0),
                loss: loss(step),
                samples: 32,
            })
            .collect()
    }

    /// A plateau, a fall from step 30 to 60, and a rise.
    fn falling(step: u32) -> f64 {
        match step {
            0..30 => 2.0,
            30..60 => 2.0 - f64::from(step - 30) / 30.0,
            _ => 1.0 + f64::from(step - 60),
        }
    }

    fn checked(curve: impl Fn(u32) -> f64, warm_up: impl Fn(u32) -> f64) -> Vec<OverlapCheck> {
        let task = task();
        let warm_up = WarmUp {
            task: &task,
            observations: &observations(20..60, warm_up),
        };
        check(&observations(0..STEPS, curve), &[warm_up])
    }

    #[test]
    fn the_last_quarter_of_the_warm_up_is_compared_in_log_loss() {
        // Far off in the first three quarters, a fiftieth in the last.
        let checks = checked(falling, |step| {
            falling(step) * if step < 35 { 9.0 } else { 1.02 }
        });
        let [check] = checks[..] else {
            panic!("{checks:?}")
        };
        assert_eq!((check.segment, check.from, check.to), (1, 35, 40));
        assert!((check.delta - 1.02f64.ln()).abs() < 1e-12);
        assert!(!check.past_minimum);
        assert_eq!(warnings(0, &[check]), []);
    }

    #[test]
    fn losses_that_are_not_positive_are_compared_by_the_drop() {
        let [check] = checked(|step| falling(step) - 1.8, |step| falling(step) - 1.75)[..] else {
            panic!("one check");
        };
        // The smoothed drop is a little under the raw one of 1.
        assert!((0.05..0.07).contains(&check.delta), "{}", check.delta);
    }

    #[test]
    fn differences_are_noticed_above_three_and_warned_of_above_ten_hundredths() {
        for (factor, code) in [
            (1.029, None),
            (1.032, Some("overlap_differs")),
            (1.104, Some("overlap_differs")),
            (1.107, Some("not_faithful")),
        ] {
            let checks = checked(falling, |step| falling(step) * factor);
            let found = warnings(3, &checks);
            assert_eq!(found.first().map(|warning| warning.code.as_str()), code);
            let number = format!("{:.3}", f64::ln(factor));
            assert!(found.iter().all(|warning| {
                warning.message.contains(&number) && warning.message.contains("replica 3")
            }));
        }
    }

    #[test]
    fn past_the_minimum_differences_mean_nothing() {
        let early = |step: u32| {
            if step < 20 {
                2.0
            } else {
                1.0 + f64::from(step)
            }
        };
        let checks = checked(early, |step| early(step) * 2.0);
        assert!(checks[0].past_minimum && checks[0].delta > 0.1);
        assert_eq!(warnings(0, &checks), []);
    }

    #[test]
    fn a_warm_up_that_blew_up_where_the_curve_did_not_is_warned_of() {
        let blown_up = |from: u32, until: u32| {
            let task = task();
            let own = observations(20..until, |step| {
                if step < from { falling(step) } else { f64::NAN }
            });
            let warm_up = WarmUp {
                task: &task,
                observations: &own,
            };
            check(&observations(0..STEPS, falling), &[warm_up])
        };
        // A worker ends at the loss that is not finite; one that goes on is no better.
        for (from, until) in [(22, 23), (38, 39), (38, 60)] {
            let checks = blown_up(from, until);
            assert_eq!(checks[0].delta, f64::INFINITY);
            assert_eq!(warnings(0, &checks)[0].code, "not_faithful");
        }
        assert!(
            blown_up(60, 30).is_empty(),
            "one that was cut short says nothing"
        );
    }

    #[test]
    fn nothing_is_compared_without_a_warm_up() {
        let pruned = Task {
            warm_up_start: 40,
            ..task()
        };
        let warm_up = WarmUp {
            task: &pruned,
            observations: &observations(40..60, falling),
        };
        assert!(check(&observations(0..STEPS, falling), &[warm_up]).is_empty());
    }
}
