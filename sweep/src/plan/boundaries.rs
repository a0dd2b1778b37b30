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
