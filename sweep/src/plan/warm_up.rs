//! Where a segment must start, and what the probe lets it leave out.

use super::{PlanRequest, Probe, Trainability};
use crate::schedule::Mode;

/// Memory that an optimizer of unknown momentum is taken to have.
const UNKNOWN_BETA: f64 = 0.9;
/// Share of the initial loss that the omitted steps may change.
const PRUNE_SHARE: f64 = 0.01;
/// Width of the fall after the step at which it begins, in decades.
const FALL_DECADES: f64 = 1.5;
/// Keeps quotients such as 1/(1-0.9) from being rounded up past their integer.
const ROUNDING: f64 = 1e-9;

/// For each boundary the step at which its segment starts from the initial weights.
#[derive(Clone, Debug)]
pub(super) struct WarmUps {
    starts: Vec<u32>,
    /// Longest warm-up of any boundary, before pruning.
    pub full_steps: u32,
    /// First step whose cumulative learning rate can matter; 0 when nothing is known.
    pub pruned_before: u32,
    /// Steps between which no boundary should lie: the fall that the probe predicts. Empty when
    /// nothing is known.
    pub fall: std::ops::Range<u32>,
}

impl WarmUps {
    pub(super) fn new(
        learning_rates: &[f64],
        request: &PlanRequest,
        trainability: Trainability,
        probe: Option<&Probe>,
    ) -> Self {
        let (mode, overlap_decades) = (request.range.mode, request.overlap_decades);
        let updates = request.updates_per_step;
        let steps = learning_rates.len();
        let memory = memory_steps(trainability.beta, updates);
        let pruned_before = probe.map_or(0, |probe| {
            first_step_that_matters(learning_rates, request, trainability, probe)
        });
        let decades_per_step = decades_per_step(learning_rates);
        let exponential_steps = ceil_to_steps(overlap_decades / decades_per_step);
        let mut full_steps = 0;
        // Learning rates of all steps before each step, together.
        let mass: Vec<f64> = learning_rates
            .iter()
            .scan(0.0, |sum, lr| {
                let before = *sum;
                *sum += lr;
                Some(before)
            })
            .collect();
        let starts = (0..steps)
            .map(|boundary| {
                let reach = match mode {
                    Mode::Exponential => exponential_steps,
                    // The law of exponential growth says that a start without 10^-d of the learning
                    // rates before the boundary leaves an error of 10^-d; the same share is taken.
                    Mode::Linear => {
                        let omitted = mass[boundary] / 10f64.powf(overlap_decades);
                        let within = mass[..=boundary].partition_point(|before| *before <= omitted);
                        to_steps(boundary - within.saturating_sub(1))
                    }
                };
                let boundary = to_steps(boundary);
                let full = reach.saturating_add(memory);
                full_steps = full_steps.max(full);
                // The decades may be left out where they cannot matter, the optimizer's memory not.
                boundary
                    .saturating_sub(full)
                    .max(pruned_before)
                    .min(boundary.saturating_sub(memory))
            })
            .collect();
        let fall = if mode == Mode::Exponential && pruned_before > 0 {
            let width = ceil_to_steps(FALL_DECADES / decades_per_step);
            pruned_before.saturating_add(1)..pruned_before.saturating_add(width)
        } else {
            0..0
        };
        Self {
            starts,
            full_steps,
            pruned_before,
            fall,
        }
    }

    /// Number of steps of the sweep.
    pub(super) fn steps(&self) -> u32 {
        to_steps(self.starts.len())
    }

    /// Step at which a segment starts that owns the steps from `boundary` on.
    pub(super) fn start(&self, boundary: u32) -> u32 {
        self.starts
            .get(boundary as usize)
            .copied()
            .unwrap_or(boundary)
    }
}

/// Steps that momentum or Adam's beta1 remembers: 1/(1-beta) updates, 0 without memory.
pub(super) fn memory_steps(beta: Option<f64>, updates: u32) -> u32 {
    let beta = known_beta(beta);
    if beta > 0.0 {
        ceil_to_steps(1.0 / (1.0 - beta) / f64::from(updates.max(1)))
    } else {
        0
    }
}

/// The momentum to reckon with: 0.9 where it is unknown or no momentum at all.
pub(super) fn known_beta(beta: Option<f64>) -> f64 {
    beta.filter(|beta| (0.0..1.0).contains(beta))
        .unwrap_or(UNKNOWN_BETA)
}

/// Decades of learning rate between two steps, on average; infinite for a single step.
fn decades_per_step(learning_rates: &[f64]) -> f64 {
    match learning_rates {
        [first, .., last] => (last.log10() - first.log10()) / (learning_rates.len() - 1) as f64,
        _ => f64::INFINITY,
    }
}

/// The first step at which cumulative learning rate times G reaches 0.01 of the initial loss,
/// where G is the loss that a learning rate of 1 would take away in one step: |mean gradient|^2
/// for SGD, over (1-momentum) with momentum; |mean gradient|_1 for Adam and kin; all that times the
/// updates in a step and the largest ratio of learning rates. 0 where the probe does not say (an unbiased |mean gradient|^2 may come out negative, a loss may be 0).
fn first_step_that_matters(
    learning_rates: &[f64],
    request: &PlanRequest,
    trainability: Trainability,
    probe: &Probe,
) -> u32 {
    let update = if trainability.adaptive {
        probe.gradient_l1
    } else {
        probe.gradient_squared / (1.0 - known_beta(trainability.beta))
    };
    let updates = f64::from(request.updates_per_step.max(1));
    let pull = update * updates * request.largest_lr_ratio.max(1.0);
    let allowed = PRUNE_SHARE * probe.initial_loss;
    let known = |value: f64| value.is_finite() && value > 0.0;
    if !known(pull) || !known(allowed) {
        return 0;
    }
    let mut mass = 0.0;
    let before = learning_rates.iter().take_while(|lr| {
        mass += **lr;
        mass * pull < allowed
    });
    to_steps(before.count())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, NaN becomes 0, and a warm-up longer than any sweep is as good as infinite"
)]
fn ceil_to_steps(steps: f64) -> u32 {
    (steps - ROUNDING).ceil() as u32
}

fn to_steps(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Split;
    use crate::schedule::{Grid, Range};

    const SGD: Trainability = Trainability {
        beta: Some(0.0),
        adaptive: false,
        seekable: true,
        replayable: true,
    };
    const MOMENTUM: Trainability = Trainability {
        beta: Some(0.9),
        ..SGD
    };

    /// 101 steps over 10 decades: 10 steps a decade.
    fn ten_decades() -> Vec<f64> {
        (0..=100)
            .map(|i| 10f64.powf(f64::from(i) / 10.0 - 9.0))
            .collect()
    }

    fn probe(initial_loss: f64, gradient: f64) -> Probe {
        Probe {
            initial_loss,
            gradient_squared: gradient,
            gradient_l1: gradient,
            seconds_per_step: 0.01,
            peak_memory_bytes: 0,
        }
    }

    fn request(mode: Mode) -> PlanRequest {
        PlanRequest {
            range: Range {
                mode,
                grid: Grid::BothEnds,
                min_lr: 1e-9,
                max_lr: 10.0,
                steps: 101,
            },
            split: Split::Segments,
            segments: None,
            replicas: None,
            overlap_decades: 1.0,
            workers: 2,
            updates_per_step: 1,
            largest_lr_ratio: 1.0,
        }
    }

    fn warm_ups(trainability: Trainability, probe: Option<&Probe>) -> WarmUps {
        let request = request(Mode::Exponential);
        WarmUps::new(&ten_decades(), &request, trainability, probe)
    }

    fn several_updates(
        trainability: Trainability,
        updates_per_step: u32,
        probe: Option<&Probe>,
    ) -> WarmUps {
        let request = PlanRequest {
            updates_per_step,
            ..request(Mode::Exponential)
        };
        WarmUps::new(&ten_decades(), &request, trainability, probe)
    }

    #[test]
    fn a_warm_up_is_the_overlap_plus_the_optimizers_memory() {
        assert_eq!(warm_ups(SGD, None).start(50), 40);
        assert_eq!(warm_ups(MOMENTUM, None).start(50), 30);
        assert_eq!(warm_ups(MOMENTUM, None).full_steps, 20);
        assert_eq!(warm_ups(MOMENTUM, None).start(15), 0);
    }

    #[test]
    fn unknown_memory_counts_as_that_of_beta_nine_tenths() {
        assert_eq!(memory_steps(None, 1), 10);
        assert_eq!(memory_steps(Some(f64::NAN), 1), 10);
        assert_eq!(memory_steps(Some(1.0), 1), 10);
        assert_eq!(memory_steps(Some(0.99), 1), 100);
        assert_eq!(memory_steps(Some(0.0), 1), 0);
    }

    #[test]
    fn several_updates_in_a_step_shorten_the_memory_and_move_the_weights_as_much_further() {
        assert_eq!(memory_steps(Some(0.9), 0), 10);
        assert_eq!(memory_steps(Some(0.9), 4), 3);
        assert_eq!(memory_steps(Some(0.9), 1000), 1);
        assert_eq!(memory_steps(Some(0.0), 4), 0);
        assert_eq!(several_updates(MOMENTUM, 5, None).start(50), 50 - 10 - 2);
        let (found, gentle) = (probe(1.0, 1.0), probe(1.0, 0.1));
        assert_eq!(
            several_updates(SGD, 10, Some(&gentle)).pruned_before,
            warm_ups(SGD, Some(&found)).pruned_before,
        );
    }

    #[test]
    fn the_first_step_that_matters_is_where_the_cumulative_rate_has_moved_a_hundredth_of_the_loss()
    {
        let rates = ten_decades();
        // Geometric sum: up to and with step i it is lr_i * 1/(1 - 10^-0.1), about 4.86 lr_i.
        let step = warm_ups(SGD, Some(&probe(1.0, 1.0))).pruned_before;
        let mass = |until: u32| rates[..=until as usize].iter().sum::<f64>();
        assert!(mass(step) >= 0.01 && mass(step - 1) < 0.01);
        let with_momentum = warm_ups(MOMENTUM, Some(&probe(1.0, 1.0))).pruned_before;
        assert_eq!(
            with_momentum,
            step - 10,
            "momentum multiplies the steps by ten"
        );
        let adaptive = Trainability {
            adaptive: true,
            ..MOMENTUM
        };
        assert_eq!(
            warm_ups(adaptive, Some(&probe(1.0, 1.0))).pruned_before,
            step
        );
    }

    #[test]
    fn pruning_leaves_out_decades_but_never_the_optimizers_memory() {
        let found = probe(1.0, 1.0);
        let plain = warm_ups(SGD, Some(&found));
        let step = plain.pruned_before;
        assert_eq!(plain.fall, step + 1..step + 15, "a decade and a half");
        assert_eq!(plain.start(step), step);
        assert_eq!(plain.start(step - 5), step - 5);
        assert_eq!(plain.start(step + 4), step);
        assert_eq!(plain.start(step + 20), step + 10);
        let momentum = warm_ups(MOMENTUM, Some(&found));
        let step = momentum.pruned_before;
        assert_eq!(momentum.start(step), step - 10);
        assert_eq!(momentum.start(step + 15), step);
    }

    #[test]
    fn a_group_with_a_larger_learning_rate_begins_to_matter_earlier() {
        let found = probe(1.0, 1.0);
        let before = |largest_lr_ratio| {
            let request = PlanRequest {
                largest_lr_ratio,
                ..request(Mode::Exponential)
            };
            WarmUps::new(&ten_decades(), &request, SGD, Some(&found)).pruned_before
        };
        assert_eq!(before(10.0), before(1.0) - 10, "a decade");
        assert_eq!(before(0.1), before(1.0));
        assert_eq!(before(f64::NAN), before(1.0));
    }

    #[test]
    fn a_probe_that_says_nothing_prunes_nothing() {
        for (loss, gradient) in [
            (0.0, 1.0),
            (-1.0, 1.0),
            (f64::NAN, 1.0),
            (1.0, -0.1),
            (1.0, f64::NAN),
            (1.0, f64::INFINITY),
        ] {
            assert_eq!(warm_ups(SGD, Some(&probe(loss, gradient))).pruned_before, 0);
        }
    }

    #[test]
    fn a_linear_warm_up_leaves_out_the_same_share_of_the_learning_rates() {
        let rates: Vec<f64> = (1..=100).map(f64::from).collect();
        let warm_ups = WarmUps::new(&rates, &request(Mode::Linear), SGD, None);
        for boundary in [20, 50, 99] {
            let start = warm_ups.start(boundary);
            let sum = |until: u32| rates[..until as usize].iter().sum::<f64>();
            assert!(sum(start) <= 0.1 * sum(boundary) && sum(start + 1) > 0.1 * sum(boundary));
        }
    }
}
