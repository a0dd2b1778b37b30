//! Losses that look like those of a range test.

use super::Config;
use std::f64::consts::TAU;

/// Where a task began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Beginning {
    /// Its first global step.
    pub(super) step: u64,
    /// The learning rate there.
    pub(super) lr: f64,
}

/// The loss of a step: a plateau, a fall and a divergence over the logarithm of the learning rate,
/// times log-normal noise.
///
/// With `memory`, the loss of a task that began d decades before, and not at step 0, still lies
/// 10^-d of the way back to the plateau: the law of forgetting of `docs/method.md`.
pub(super) fn loss(
    config: &Config,
    (seed, replica): (u64, u32),
    beginning: Beginning,
    step: u64,
    lr: f64,
) -> f64 {
    let sweep = learned(config, lr);
    let learned = if config.memory && beginning.step > 0 && beginning.lr > 0.0 {
        sweep + (config.initial_loss - sweep) * (beginning.lr / lr).min(1.0)
    } else {
        sweep
    };
    let risen = config.initial_loss * (lr / config.divergence_lr).powi(2);
    (learned + risen) * (config.noise * gaussian(seed, replica, step)).exp()
}

/// The loss without divergence and noise: a logistic fall.
fn learned(config: &Config, lr: f64) -> f64 {
    // A logistic goes from a tenth to nine tenths over 2 ln 9 of its scale.
    let scale = config.fall_decades / (2.0 * 9.0_f64.ln());
    let share = 1.0 / (1.0 + (-(lr / config.fall_lr).log10() / scale).exp());
    config.initial_loss + (config.lowest_loss - config.initial_loss) * share
}

/// A standard normal number (Box and Muller 1958) that belongs to (seed, replica, step).
fn gaussian(seed: u64, replica: u32, step: u64) -> f64 {
    let key = mix(mix(mix(seed) ^ u64::from(replica)) ^ step);
    let radius = (-2.0 * unit(mix(key ^ 1)).ln()).sqrt();
    radius * (TAU * unit(mix(key ^ 2))).cos()
}

/// A number in (0, 1].
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn unit(bits: u64) -> f64 {
    ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// The finisher of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Beginning = Beginning { step: 0, lr: 1e-8 };

    fn quiet() -> Config {
        Config {
            noise: 0.0,
            ..Config::default()
        }
    }

    #[test]
    fn the_curve_has_a_plateau_a_fall_and_a_divergence() {
        let config = quiet();
        let at = |lr| loss(&config, (0, 0), WHOLE, 5, lr);
        assert!((at(1e-7) - config.initial_loss).abs() < 0.01);
        assert!(at(1e-2) < 0.5 * config.initial_loss);
        assert!(at(1.0) > 4.0 * config.initial_loss);
    }

    #[test]
    fn the_noise_is_a_function_of_seed_replica_and_step() {
        let config = Config::default();
        let at = |seed, replica, step| loss(&config, (seed, replica), WHOLE, step, 1e-3).to_bits();
        assert_eq!(at(1, 2, 3), at(1, 2, 3));
        assert_ne!(at(1, 2, 3), at(2, 2, 3));
        assert_ne!(at(1, 2, 3), at(1, 3, 3));
        assert_ne!(at(1, 2, 3), at(1, 2, 4));
    }

    #[test]
    fn a_segment_forgets_its_beginning_by_a_factor_of_ten_a_decade() {
        let config = quiet();
        let error = |first: f64, lr: f64| {
            let beginning = Beginning { step: 9, lr: first };
            loss(&config, (0, 0), beginning, 50, lr) - loss(&config, (0, 0), WHOLE, 50, lr)
        };
        let (one, two) = (error(1e-3, 1e-2), error(1e-4, 1e-2));
        assert!(one > 0.0 && (one / two - 10.0).abs() < 1e-6, "{one} {two}");
    }

    #[test]
    fn a_warm_up_from_step_0_leaves_no_error() {
        let config = Config::default();
        let late = Beginning { step: 0, lr: 1e-3 };
        assert_eq!(
            loss(&config, (0, 0), WHOLE, 50, 2e-3).to_bits(),
            loss(&config, (0, 0), late, 50, 2e-3).to_bits()
        );
    }
}
