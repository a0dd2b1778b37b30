//! In which order tasks are given out, and how long that takes.

use super::{Plan, Task};
use crate::ids::TaskId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

impl Plan {
    /// The order in which tasks are given to workers: the longest first, since whatever runs last
    /// should be short; among equals the earlier segments, since a stop is found there.
    #[must_use]
    pub fn grant_order(&self) -> Vec<TaskId> {
        in_order(&self.tasks).map(|task| task.id).collect()
    }
}

fn in_order(tasks: &[Task]) -> impl Iterator<Item = &Task> {
    let mut order: Vec<&Task> = tasks.iter().collect();
    order.sort_by_key(|task| (Reverse(task.steps()), task.segment, task.replica));
    order.into_iter()
}

/// Steps of the busiest of `workers`, each taking the next task as soon as it is idle.
pub(super) fn makespan(tasks: &[Task], workers: u32) -> u64 {
    let mut busy: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut longest = 0;
    for task in in_order(tasks) {
        let start = if busy.len() < workers as usize {
            0
        } else {
            busy.pop().map_or(0, |Reverse(end)| end)
        };
        let end = start + u64::from(task.steps());
        longest = longest.max(end);
        busy.push(Reverse(end));
    }
    longest
}
