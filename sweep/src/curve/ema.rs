//! Causal smoothing: the averages that decide a stop while a sweep runs.
//!
//! Formulas as in the sources of lightning 2.6 and 0.7.6, fastai 2.8, torch-lr-finder 0.2 and
//! pytorch-ignite 0.5; see `docs/method.md`.

use crate::suggest::Profile;

/// A running average of losses, one of the kinds that finders use.
#[derive(Clone, Debug)]
pub struct Average {
    kind: Kind,
    seen: i32,
}

#[derive(Clone, Debug)]
enum Kind {
    /// `a = b a + (1-b) loss`, read as `a / (1 - b^(i + offset))` at the 0-based step i.
    Debiased { beta: f64, offset: i32, sum: f64 },
    /// The same with offset 1 in single precision, with the one rounding of `torch.lerp`.
    Single { beta: f32, sum: f32 },
    /// `s = f loss + (1-f) s`, started at the first loss.
    Plain { share: f64, value: f64 },
}

impl Average {
    /// The average of a profile; `None`: the default rule's, debiased with .9.
    #[must_use]
    pub fn new(profile: Option<Profile>) -> Self {
        let kind = match profile {
            None => debiased(0.9, 1),
            // The step counter has already moved on when these versions read it.
            Some(Profile::Lightning) => debiased(0.98, 2),
            Some(Profile::Lightning076) => debiased(0.98, 1),
            Some(Profile::Fastai) => Kind::Single {
                beta: 0.98,
                sum: 0.0,
            },
            Some(Profile::TorchLrFinder | Profile::Ignite) => Kind::Plain {
                share: 0.05,
                value: 0.0,
            },
        };
        Self { kind, seen: 0 }
    }

    /// Takes in the next loss and returns the smoothed one.
    pub fn push(&mut self, loss: f64) -> f64 {
        self.seen = self.seen.saturating_add(1);
        match &mut self.kind {
            Kind::Debiased { beta, offset, sum } => {
                *sum = *beta * *sum + (1.0 - *beta) * loss;
                *sum / (1.0 - power(*beta, self.seen.saturating_add(*offset - 1)))
            }
            Kind::Single { beta, sum } => {
                let loss = single(loss);
                *sum = (*beta - 1.0).mul_add(*sum - loss, *sum);
                f64::from(*sum / single(1.0 - power(0.98, self.seen)))
            }
            Kind::Plain { share, value } => {
                *value = if self.seen == 1 {
                    loss
                } else {
                    *share * loss + (1.0 - *share) * *value
                };
                *value
            }
        }
    }
}

/// A power as Python takes it: `powi` rounds otherwise, which decides where a constant curve is
/// lowest.
fn power(base: f64, exponent: i32) -> f64 {
    base.powf(f64::from(exponent))
}

fn debiased(beta: f64, offset: i32) -> Kind {
    Kind::Debiased {
        beta,
        offset,
        sum: 0.0,
    }
}

/// The nearest single-precision number, as tools that hold their losses in `float32` see it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is the purpose"
)]
#[must_use]
pub(crate) fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ones(profile: Option<Profile>, steps: usize) -> Vec<f64> {
        let mut average = Average::new(profile);
        (0..steps).map(|_| average.push(1.0)).collect()
    }

    #[test]
    fn a_constant_loss_is_kept_by_all_but_lightnings_off_by_one() {
        for profile in [
            None,
            Some(Profile::Lightning076),
            Some(Profile::Fastai),
            Some(Profile::TorchLrFinder),
            Some(Profile::Ignite),
        ] {
            for smoothed in of_ones(profile, 200) {
                assert!((smoothed - 1.0).abs() < 1e-5, "{profile:?}: {smoothed}");
            }
        }
        let lightning = of_ones(Some(Profile::Lightning), 100);
        assert!((lightning[0] - 0.505).abs() < 5e-4);
        assert!((lightning[1] - 0.673).abs() < 5e-4);
    }

    #[test]
    fn averages_are_the_tools_own_bit_for_bit() {
        // Recorded by fastai, by PyTorch on a machine with fused multiplication.
        let mut fastai = Average::new(Some(Profile::Fastai));
        let recorded: [f32; 3] = [0.999_999_05, 1.288_599_1, 1.579_122_9];
        for (step, recorded) in recorded.into_iter().enumerate() {
            let loss = 1.0 + ((step * 37) % 11) as f64 / 7.0;
            assert_eq!(fastai.push(loss), f64::from(recorded), "{step}");
        }
        // Recorded by Lightning 0.7.6 of losses of .7.
        let mut lightning = Average::new(Some(Profile::Lightning076));
        let recorded: Vec<f64> = (0..8).map(|_| lightning.push(0.7)).collect();
        assert_eq!(recorded[4..], [0.7, 0.7, 0.700_000_000_000_000_1, 0.7]);
    }

    #[test]
    fn a_loss_that_is_not_finite_is_never_forgotten() {
        for profile in Profile::ALL.iter().copied().map(Some).chain([None]) {
            let mut average = Average::new(profile);
            average.push(1.0);
            average.push(f64::NAN);
            assert!(average.push(1.0).is_nan(), "{profile:?}");
        }
    }
}
