//! A permutation of 0..n that is computed point by point.
//!
//! A Feistel network whose halves are numbers below a and b instead of bits (FE1 of Bellare,
//! Ristenpart, Rogaway and Stegers, "Format-Preserving Encryption", 2009) permutes 0..ab for the
//! smallest such product of at least n; a point that lands at n or above is permuted again until it
//! is below ("cycle walking", Black and Rogaway 2002), which takes barely more than one pass. No
//! table is kept: an epoch of a billion samples costs as little memory as one of ten.

use crate::random::{Random, below, mix};

/// Rounds of the network: with 4 and 512 points, some pairs of neighbours are visibly more likely
/// than others; with 6 none are, and 2 more are the margin.
const ROUNDS: usize = 8;

/// Rounds below [`FEW_POINTS`]: the fewer the points, the more rounds it takes. With 12, some
/// orders of 5 points are visibly more likely than others.
const ROUNDS_FEW: usize = 24;

/// Points below which there are more rounds.
const FEW_POINTS: u64 = 512;

/// The halves for one number of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    points: u64,
    left: u64,
    right: u64,
    rounds: usize,
}

impl Domain {
    /// Of `points` points, 1 to 2^63.
    pub(crate) fn new(points: u64) -> Self {
        let root = points.isqrt();
        let root = root + u64::from(root * root < points);
        // With both halves odd all rounds are even permutations, and half of all orders are missing.
        let left = root.next_multiple_of(2);
        Self {
            points,
            left,
            right: points.div_ceil(left),
            rounds: if points < FEW_POINTS {
                ROUNDS_FEW
            } else {
                ROUNDS
            },
        }
    }
}

/// One permutation of a domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    domain: Domain,
    keys: [u64; ROUNDS_FEW],
}

impl Permutation {
    /// The permutation of a domain that belongs to a key.
    pub(crate) fn new(domain: Domain, key: [u64; 3]) -> Self {
        let mut random = Random::new(key);
        let keys = std::array::from_fn(|_| random.draw());
        Self { domain, keys }
    }

    /// Where `point` goes, both below the domain's number of points.
    pub(crate) fn apply(&self, point: u64) -> u64 {
        let mut point = self.pass(point);
        while point >= self.domain.points {
            point = self.pass(point);
        }
        point
    }

    /// One pass through the network, over 0..left * right.
    fn pass(&self, point: u64) -> u64 {
        let Domain {
            left,
            right,
            rounds,
            ..
        } = self.domain;
        let (mut l, mut r) = (point % left, point / left);
        for pair in self.keys[..rounds].chunks_exact(2) {
            l = wrap(l + below(mix(r ^ pair[0]), left), left);
            r = wrap(r + below(mix(l ^ pair[1]), right), right);
        }
        r * left + l
    }
}

/// `sum` modulo `modulus`, where `sum` is below twice that.
fn wrap(sum: u64, modulus: u64) -> u64 {
    if sum >= modulus { sum - modulus } else { sum }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// Standard deviations beyond which a statistic is called wrong: a fair one lies there once in
    /// some 30,000 tests, and the keys are fixed.
    const LIMIT: f64 = 4.0;

    fn order(points: u64, key: [u64; 3]) -> Vec<u64> {
        let permutation = Permutation::new(Domain::new(points), key);
        (0..points).map(|point| permutation.apply(point)).collect()
    }

    /// How far the counts of `cells` equally likely outcomes are from chi-square's mean, in its
    /// standard deviations.
    fn unevenness<T: Eq + std::hash::Hash>(cells: usize, outcomes: impl Iterator<Item = T>) -> f64 {
        let mut counts: HashMap<T, f64> = HashMap::new();
        let mut all = 0.0;
        for outcome in outcomes {
            *counts.entry(outcome).or_default() += 1.0;
            all += 1.0;
        }
        assert!(counts.len() <= cells);
        let expected = all / cells as f64;
        assert!(expected > 5.0, "too few outcomes for a chi-square");
        let empty = (cells - counts.len()) as f64 * expected;
        let chi: f64 = counts
            .values()
            .map(|n| (n - expected).powi(2) / expected)
            .sum();
        let degrees = (cells - 1) as f64;
        (chi + empty - degrees) / (2.0 * degrees).sqrt()
    }

    #[test]
    fn every_point_is_reached_exactly_once() {
        for points in (1..=300).chain([1797, 4096, 50_000, 65_535, 65_536, 65_537]) {
            let mut order = order(points, [points, 1, 2]);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..points), "{points} points");
        }
    }

    #[test]
    fn the_largest_domains_stay_within_their_points() {
        for points in [1 << 32, (1 << 62) + 12_345, 1 << 63] {
            let permutation = Permutation::new(Domain::new(points), [1, 2, 3]);
            let reached: HashSet<u64> = (points - 1000..points)
                .chain(0..1000)
                .map(|point| permutation.apply(point))
                .inspect(|&to| assert!(to < points))
                .collect();
            assert_eq!(reached.len(), 2000, "{points} points");
        }
    }

    #[test]
    fn all_orders_of_few_points_are_equally_likely() {
        for (points, orders) in [(2, 2), (3, 6), (4, 24), (5, 120)] {
            for seed in 0..3 {
                let z = unevenness(
                    orders,
                    (0..200 * orders as u64).map(|epoch| order(points, [seed, 0, epoch])),
                );
                assert!(z.abs() < LIMIT, "{points} points, seed {seed}: {z}");
            }
        }
    }

    #[test]
    fn every_pair_of_neighbours_is_equally_likely() {
        for points in [7, 9, 10, 16, 25] {
            let cells = points * (points - 1);
            let draws = (0..400 * cells).map(|epoch| {
                let permutation = Permutation::new(Domain::new(points), [7, 1, epoch]);
                let first = epoch % (points - 1);
                (permutation.apply(first), permutation.apply(first + 1))
            });
            let z = unevenness(usize::try_from(cells).unwrap(), draws);
            assert!(z.abs() < LIMIT, "{points} points: {z}");
        }
    }

    #[test]
    fn every_distance_of_neighbours_is_equally_likely() {
        for points in [512, 600, 1797] {
            let distances = (0..200_000 / points).flat_map(|epoch| {
                let order = order(points, [8, 2, epoch]);
                let pairs = order
                    .windows(2)
                    .map(|pair| (pair[1] + points - pair[0]) % points);
                pairs.collect::<Vec<u64>>()
            });
            let z = unevenness(usize::try_from(points - 1).unwrap(), distances);
            assert!(z.abs() < LIMIT, "{points} points: {z}");
        }
    }

    #[test]
    fn every_sample_comes_equally_often_to_every_part_of_the_epoch() {
        for points in [100, 1797] {
            let mut cells = Vec::new();
            for epoch in 0..400 {
                let order = order(points, [3, 0, epoch]);
                let positions = (0u64..).zip(order);
                cells.extend(positions.map(|(at, to)| (at * 20 / points, to * 20 / points)));
            }
            // Blocks of a permutation are less uneven than independent draws, never more.
            let z = unevenness(400, cells.into_iter());
            assert!(z < LIMIT, "{points} points: {z}");
        }
    }

    /// Pearson correlation of two sequences of the same permutation of 0..n, times sqrt(n): about
    /// normal with deviation 1.
    fn correlation(a: impl Iterator<Item = u64>, b: impl Iterator<Item = u64>, n: u64) -> f64 {
        let middle = (n - 1) as f64 / 2.0;
        let covariance: f64 = a
            .zip(b)
            .map(|(a, b)| (a as f64 - middle) * (b as f64 - middle))
            .sum();
        let variance = (n * n - 1) as f64 / 12.0 * n as f64;
        covariance / variance * (n as f64).sqrt()
    }

    #[test]
    fn neither_neighbours_nor_epochs_nor_replicas_nor_seeds_are_correlated() {
        const POINTS: u64 = 1797;
        const EPOCHS: u64 = 300;
        let mut sums = [0.0; 5];
        for epoch in 0..EPOCHS {
            let here = order(POINTS, [5, 0, epoch]);
            let others = [
                here.iter()
                    .copied()
                    .cycle()
                    .skip(1)
                    .take(here.len())
                    .collect(),
                (0..POINTS).collect(),
                order(POINTS, [5, 0, epoch + 1]),
                order(POINTS, [5, 1, epoch]),
                order(POINTS, [6, 0, epoch]),
            ];
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum += correlation(here.iter().copied(), other.into_iter(), POINTS);
            }
        }
        for sum in sums {
            let z = sum / (EPOCHS as f64).sqrt();
            assert!(z.abs() < LIMIT, "{sums:?}");
        }
    }

    #[test]
    fn two_orders_agree_in_one_place_on_average() {
        let agreements: usize = (0..2000)
            .map(|epoch| {
                let (a, b) = (order(97, [1, 0, epoch]), order(97, [1, 0, epoch + 1]));
                a.iter().zip(&b).filter(|(a, b)| a == b).count()
            })
            .sum();
        // Sum of 2,000 numbers of mean and variance 1.
        let z = (agreements as f64 - 2000.0) / 2000_f64.sqrt();
        assert!(z.abs() < LIMIT, "{agreements}");
    }
}
