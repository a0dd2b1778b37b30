//! Curves on which nothing was learnt must not get a learning rate.

use rangefinder_sweep::schedule::{Grid, Mode, Range};
use rangefinder_sweep::suggest::{Method, Request, suggest};
use std::collections::BTreeMap;

/// A generator of its own, so that the curves stay the same whatever becomes of any library.
struct Random(u64);

impl Random {
    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Box and Muller's.
    fn gaussian(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    fn student(&mut self, freedom: usize) -> f64 {
        let squares: f64 = (0..freedom).map(|_| self.gaussian().powi(2)).sum();
        self.gaussian() / (squares / freedom as f64).sqrt()
    }
}

const KINDS: [&str; 9] = [
    "gaussian",
    "student t2",
    "student t3",
    "log-normal",
    "flat",
    "rounded",
    "outliers",
    "nan",
    "rising",
];

fn curve(kind: &str, steps: usize, random: &mut Random) -> Vec<f64> {
    let level = 2.3;
    let spread = 10_f64.powf(-2.0 + 2.0 * random.uniform());
    let broken = (random.uniform() * steps as f64).floor();
    (0..steps)
        .map(|step| {
            let along = step as f64 / steps as f64;
            match kind {
                "gaussian" => level + spread * random.gaussian(),
                "student t2" => level + spread * random.student(2),
                "student t3" => level + spread * random.student(3),
                "log-normal" => level * (spread * random.gaussian()).exp(),
                "flat" => level,
                "rounded" => level + 1e-7 * (4.0 * random.gaussian()).round(),
                "outliers" => {
                    let outlier = random.uniform() < 0.03;
                    let sign = if random.uniform() < 0.5 { -1.0 } else { 1.0 };
                    let far = if outlier {
                        20.0 * sign * random.uniform()
                    } else {
                        0.0
                    };
                    level + spread * (random.gaussian() + far)
                }
                "nan" if step as f64 == broken => f64::NAN,
                "nan" => level + spread * random.gaussian(),
                "rising" => {
                    let rise = (8.0 * (along - 0.7)).exp();
                    level + spread * random.gaussian() + spread * 5.0 * rise
                }
                _ => unreachable!(),
            }
        })
        .collect()
}

#[test]
fn of_ten_thousand_curves_without_learning_at_most_two_are_usable() {
    let mut random = Random(20_261_124);
    let mut usable: BTreeMap<&str, u32> = BTreeMap::new();
    for number in 0..10_000 {
        let kind = KINDS[number % KINDS.len()];
        let steps = [50, 100, 200, 300][number / KINDS.len() % 4];
        let range = Range {
            mode: Mode::Exponential,
            grid: Grid::BothEnds,
            min_lr: if number % 2 == 0 { 1e-8 } else { 1e-6 },
            max_lr: 1.0,
            steps,
        };
        let answer = suggest(&Request {
            learning_rates: &range.learning_rates(),
            replicas: &[curve(kind, steps as usize, &mut random)],
            beta: Some(if number % 3 == 0 { 0.0 } else { 0.9 }),
            method: Method::Auto,
            profile: None,
            skip_begin: None,
            skip_end: None,
            threshold: None,
            seed: 1,
        });
        assert_eq!(answer.verdict.usable, answer.suggestion.is_some());
        if answer.verdict.usable {
            *usable.entry(kind).or_default() += 1;
        }
    }
    assert!(usable.values().sum::<u32>() <= 2, "{usable:?}");
}
