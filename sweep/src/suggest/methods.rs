//! Methods that read a learning rate off a smoothed curve, whoever smoothed it.

use super::Method;
use super::found::{Found, Outcome, SLIDE_THRESHOLD, at, gradient, near, slide, valley, window};
use super::rule::{FEWEST_LOSSES, Fall};
use crate::curve::gaussian::first_lowest;

/// Reads a method's learning rate off smoothed losses, all finite, that begin at step 0.
///
/// # Errors
/// In words, where the method gives nothing; always for [`Method::Auto`], which needs more than a
/// smoothed curve.
pub fn read_off(
    method: Method,
    learning_rates: &[f64],
    smoothed: &[f64],
    skip_begin: usize,
    skip_end: usize,
) -> Outcome {
    let kept = window(
        smoothed.len().min(learning_rates.len()),
        skip_begin,
        skip_end,
    );
    let first = kept.start;
    let losses = &smoothed[kept.clone()];
    let rates = &learning_rates[kept];
    if losses.len() < FEWEST_LOSSES {
        return Err(format!(
            "{} losses are too few: at least {FEWEST_LOSSES} are needed",
            losses.len()
        ));
    }
    let fall = Fall::of(losses).ok_or("the losses are not numbers")?;
    let found = match method {
        Method::Auto => {
            return Err(
                "`auto` needs raw losses: name another method, or give the raw ones".into(),
            );
        }
        Method::Drop50 => at(rates, fall.done(losses, 0.5)),
        Method::Drop80 => at(rates, fall.done(losses, 0.8)),
        Method::Drop95 => at(rates, fall.done(losses, 0.95)),
        Method::Steepest => at(rates, steepest(rates, losses)?),
        Method::Gmean => {
            let steepest = rates[steepest(rates, losses)?];
            // Roots first, so that the product cannot overflow.
            Ok(near(rates, steepest.sqrt() * rates[fall.minimum].sqrt()))
        }
        Method::Minimum => Ok(near(rates, rates[fall.minimum] / 10.0)),
        Method::Valley => valley(losses)
            .ok_or_else(|| "there is no descent".to_owned())
            .and_then(|index| at(rates, index)),
        Method::Slide => {
            let slopes = gradient(losses);
            slide(slopes.len(), |left, right| {
                (slopes[right] - slopes[left]).abs() > SLIDE_THRESHOLD
            })
            .ok_or_else(|| format!("{} losses are too few: `slide` needs 16", losses.len()))
            .and_then(|index| at(rates, index))
        }
    }?;
    Ok(Found {
        index: found.index + first,
        ..found
    })
}

/// The step at which the loss falls fastest over log10 of the learning rate.
fn steepest(rates: &[f64], losses: &[f64]) -> Result<usize, String> {
    let x: Vec<f64> = rates.iter().map(|lr| lr.log10()).collect();
    let slopes = gradient(losses)
        .into_iter()
        .zip(gradient(&x))
        .map(|(loss, x)| loss / x);
    let slopes: Vec<f64> = slopes.collect();
    first_lowest(slopes.iter().copied())
        .filter(|&step| slopes[step] < 0.0)
        .ok_or_else(|| "the smoothed loss never falls".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 until -4, then a straight fall to 1 at -2, then a rise.
    fn curve() -> (Vec<f64>, Vec<f64>) {
        let x = (0..81).map(|i| -8.0 + 0.1 * f64::from(i));
        let loss = |x: f64| match x {
            x if x < -4.0 => 2.0,
            x if x < -2.0 => 2.0 - (x + 4.0) / 2.0,
            x => 1.0 + (x + 2.0),
        };
        (
            x.clone().map(|x| 10_f64.powf(x)).collect(),
            x.map(loss).collect(),
        )
    }

    fn log10_lr(method: Method) -> f64 {
        let (rates, losses) = curve();
        let found = read_off(method, &rates, &losses, 0, 0).unwrap();
        assert!((rates[found.index].log10() - found.lr.log10()).abs() < 0.051);
        found.lr.log10()
    }

    #[test]
    fn each_method_stands_where_its_name_says() {
        for (method, expected) in [
            (Method::Drop50, -3.0),
            (Method::Drop80, -2.4),
            (Method::Drop95, -2.1),
            (Method::Minimum, -3.0),
        ] {
            let value = log10_lr(method);
            assert!((value - expected).abs() < 0.101, "{method}: {value}");
        }
        let steepest = log10_lr(Method::Steepest);
        assert!(-4.0 < steepest && steepest < -2.0, "{steepest}");
        let gmean = log10_lr(Method::Gmean);
        assert!((gmean - (steepest - 2.0) / 2.0).abs() < 0.051, "{gmean}");
        let valley = log10_lr(Method::Valley);
        assert!(-4.0 < valley && valley < -2.0, "{valley}");
    }

    #[test]
    fn skipped_points_are_left_out_and_the_step_is_still_the_curves() {
        let (rates, losses) = curve();
        let found = read_off(Method::Minimum, &rates, &losses, 10, 30).unwrap();
        // The lowest of the kept losses is that of the last kept step, 50.
        assert_eq!(found.lr, rates[50] / 10.0);
        assert_eq!(found.index, 40);
        let too_few = read_off(Method::Minimum, &rates, &losses, 60, 20).unwrap_err();
        assert!(too_few.contains("1 losses are too few"), "{too_few}");
    }

    #[test]
    fn a_curve_that_never_falls_has_no_steepest_fall() {
        let (rates, _) = curve();
        let rising: Vec<f64> = (0..81).map(f64::from).collect();
        assert!(read_off(Method::Steepest, &rates, &rising, 0, 0).is_err());
        assert!(read_off(Method::Gmean, &rates, &rising, 0, 0).is_err());
        assert!(read_off(Method::Auto, &rates, &rising, 0, 0).is_err());
    }
}
