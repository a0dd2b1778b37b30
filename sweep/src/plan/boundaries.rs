//! Where to cut, so that the longest task is as short as it can be.
//!
//! A task that owns the steps from `b` on starts at `w(b)`, which never decreases with `b`. So for
//! a given longest task the boundaries that reach furthest are found by going as far as possible
//! each time, and the shortest longest task by bisection.

use super::warm_up::WarmUps;

/// How much longer the longest task may become to keep boundaries out of the fall.
const NEARLY_THE_SAME: f64 = 1.05;
/// Segments above which boundaries are left where they are: some of so many fall into the fall
/// anyway, and the search grows with their cube.
const FEW_SEGMENTS: usize = 32;

/// Ends of the segments, the last one the number of steps: `segments` of them, or fewer where
/// more would not shorten the longest task or would leave a segment whose own steps are under a
/// quarter of its warm-up.
pub(super) fn balanced(warm_ups: &WarmUps, segments: u32) -> Vec<u32> {
    (1..=segments.max(1))
        .rev()
        .map(|count| shortest(warm_ups, count))
        .find(|ends| !has_short_segment(warm_ups, ends))
        .map(|ends| out_of_the_fall(warm_ups, &ends).unwrap_or(ends))
        .unwrap_or_else(|| vec![warm_ups.steps()])
}

/// Steps of the longest task, warm-up included.
pub(super) fn longest_task(warm_ups: &WarmUps, ends: &[u32]) -> u32 {
    tasks(warm_ups, ends)
        .map(|(warm_up_start, _, end)| end - warm_up_start)
        .max()
        .unwrap_or(0)
}

/// Steps of the longest task with as many segments as one likes.
pub(super) fn shortest_possible_task(warm_ups: &WarmUps) -> u32 {
    let ends = shortest(warm_ups, warm_ups.steps().max(1));
    longest_task(warm_ups, &ends)
}

/// Each segment as (start of its warm-up, first own step, end).
pub(super) fn tasks<'a>(
    warm_ups: &'a WarmUps,
    ends: &'a [u32],
) -> impl Iterator<Item = (u32, u32, u32)> + 'a {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts
        .zip(ends)
        .map(|(start, end)| (warm_ups.start(start), start, *end))
}

fn has_short_segment(warm_ups: &WarmUps, ends: &[u32]) -> bool {
    tasks(warm_ups, ends).any(|(warm_up_start, start, end)| {
        4 * u64::from(end - start) < u64::from(start - warm_up_start)
    })
}

/// The smallest value in `low..=high` for which `make` gives something, and what it gives; `high`
/// must give something, and every larger value than one that does.
fn bisect<T>(low: u32, high: u32, make: impl Fn(u32) -> Option<T>) -> Option<T> {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if make(middle).is_some() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    make(high)
}

/// Ends of at most `segments` segments with the shortest longest task.
fn shortest(warm_ups: &WarmUps, segments: u32) -> Vec<u32> {
    let steps = warm_ups.steps();
    let make = |length: u32| {
        let mut ends = Vec::new();
        let mut end = 0;
        while end < steps {
            let next = warm_ups.start(end).saturating_add(length).min(steps);
            if next <= end || ends.len() >= segments as usize {
                return None;
            }
            end = next;
            ends.push(end);
        }
        Some(ends)
    };
    bisect(1, steps.max(1), make).unwrap_or_else(|| vec![steps])
}

/// As few boundaries as possible within the fall, with a longest task nearly as short as that of
/// `ends`; `None` when that is no better than `ends`.
fn out_of_the_fall(warm_ups: &WarmUps, ends: &[u32]) -> Option<Vec<u32>> {
    let inside = |ends: &[u32]| {
        let boundaries = ends.len().saturating_sub(1);
        ends[..boundaries]
            .iter()
            .filter(|end| warm_ups.fall.contains(end))
            .count()
    };
    let now_inside = inside(ends);
    if now_inside == 0 || ends.len() > FEW_SEGMENTS {
        return None;
    }
    let shortest = longest_task(warm_ups, ends);
    let allowed = nearly(shortest);
    (0..now_inside)
        .find(|count| avoiding(warm_ups, ends.len(), allowed, *count).is_some())
        .and_then(|count| {
            bisect(shortest, allowed, |length| {
                avoiding(warm_ups, ends.len(), length, count)
            })
        })
        .filter(|better| !has_short_segment(warm_ups, better))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of steps, at most 5 % above a u32 below a million"
)]
fn nearly(length: u32) -> u32 {
    (f64::from(length) * NEARLY_THE_SAME).floor() as u32
}

/// Ends of at most `segments` segments of at most `length` steps with at most `inside` boundaries
/// within the fall. For each number of boundaries within it, only the furthest reach counts.
fn avoiding(warm_ups: &WarmUps, segments: usize, length: u32, inside: usize) -> Option<Vec<u32>> {
    let steps = warm_ups.steps();
    let fall = &warm_ups.fall;
    // reached[c]: the ends so far with c boundaries within the fall, the last one furthest.
    let mut reached: Vec<Option<Vec<u32>>> = vec![None; inside + 1];
    reached[0] = Some(Vec::new());
    for _ in 0..segments {
        let mut next: Vec<Option<Vec<u32>>> = vec![None; inside + 1];
        for (count, ends) in reached.iter().enumerate() {
            let Some(ends) = ends else { continue };
            let from = ends.last().copied().unwrap_or(0);
            let furthest = warm_ups.start(from).saturating_add(length).min(steps);
            let within = furthest < steps && fall.contains(&furthest);
            let outside = if within { fall.start - 1 } else { furthest };
            let mut offer = |count: usize, end: u32| {
                let Some(place) = next.get_mut(count) else {
                    return;
                };
                let better = place
                    .as_ref()
                    .and_then(|ends| ends.last())
                    .is_none_or(|other| *other < end);
                if end > from && better {
                    let mut ends = ends.clone();
                    ends.push(end);
                    *place = Some(ends);
                }
            };
            offer(count, outside);
            if within {
                offer(count + 1, furthest);
            }
        }
        if let Some(ends) = next
            .iter()
            .flatten()
            .find(|ends| ends.last() == Some(&steps))
        {
            return Some(ends.clone());
        }
        reached = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlanRequest, Probe, Split, Trainability};
    use crate::schedule::{Grid, Mode, Range};

    /// 301 steps over 10 decades, with a fall that begins where the learning rates together reach
    /// `mass`.
    fn warm_ups(mass: f64) -> WarmUps {
        let rates: Vec<f64> = (0..=300)
            .map(|i| 10f64.powf(f64::from(i) / 30.0 - 9.0))
            .collect();
        let trainability = Trainability {
            beta: Some(0.9),
            adaptive: true,
            seekable: true,
            replayable: true,
        };
        let probe = Probe {
            initial_loss: 1.0,
            gradient_squared: 0.0,
            gradient_l1: 0.01 / mass,
            seconds_per_step: 0.01,
            peak_memory_bytes: 0,
        };
        let request = PlanRequest {
            range: Range {
                mode: Mode::Exponential,
                grid: Grid::BothEnds,
                min_lr: 1e-8,
                max_lr: 1.0,
                steps: 100,
            },
            split: Split::Segments,
            segments: None,
            replicas: None,
            overlap_decades: 1.0,
            workers: 2,
            updates_per_step: 1,
            largest_lr_ratio: 1.0,
        };
        WarmUps::new(&rates, &request, trainability, Some(&probe))
    }

    fn inside(warm_ups: &WarmUps, ends: &[u32]) -> usize {
        ends.iter()
            .filter(|end| warm_ups.fall.contains(end))
            .count()
    }

    #[test]
    fn boundaries_leave_the_fall_for_at_most_five_per_cent_more_steps() {
        let mut moved = 0;
        for exponent in 0..70 {
            let warm_ups = warm_ups(10f64.powf(-f64::from(exponent) / 10.0));
            for segments in 2..7 {
                let plain = shortest(&warm_ups, segments);
                let chosen = balanced(&warm_ups, segments);
                if chosen.len() < plain.len() {
                    continue;
                }
                let lengths =
                    [&plain, &chosen].map(|ends| f64::from(longest_task(&warm_ups, ends)));
                assert!(lengths[1] <= NEARLY_THE_SAME * lengths[0]);
                assert!(inside(&warm_ups, &chosen) <= inside(&warm_ups, &plain));
                moved += inside(&warm_ups, &plain) - inside(&warm_ups, &chosen);
                // No other pair of segments does better within the same length.
                if segments == 2 {
                    let possible = (1..warm_ups.steps()).any(|end| {
                        let ends = [end, warm_ups.steps()];
                        let length = f64::from(longest_task(&warm_ups, &ends));
                        length <= (NEARLY_THE_SAME * lengths[0]).floor()
                            && inside(&warm_ups, &ends) == 0
                    });
                    assert_eq!(
                        inside(&warm_ups, &chosen) == 0,
                        possible,
                        "at 10^-{exponent}/10"
                    );
                }
            }
        }
        assert!(moved > 0, "some boundary had to be moved");
    }

    #[test]
    fn a_segment_is_too_short_when_it_owns_less_than_a_quarter_of_its_warm_up() {
        let warm_ups = warm_ups(1e-7);
        assert_eq!(200 - warm_ups.start(200), 40);
        assert!(!has_short_segment(&warm_ups, &[200, 210, 301]));
        assert!(has_short_segment(&warm_ups, &[200, 209, 301]));
    }

    #[test]
    fn no_choice_of_boundaries_has_a_shorter_longest_task() {
        for exponent in [10, 30, 50] {
            let warm_ups = warm_ups(10f64.powf(-f64::from(exponent) / 10.0));
            let steps = warm_ups.steps();
            let found = longest_task(&warm_ups, &shortest(&warm_ups, 3));
            let best = (1..steps)
                .flat_map(|first| (first + 1..steps).map(move |second| [first, second, steps]))
                .map(|ends| longest_task(&warm_ups, &ends))
                .min();
            assert_eq!(Some(found), best);
        }
    }
}
