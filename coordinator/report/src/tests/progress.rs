use super::samples;
use crate::terminal::Progress;
use indicatif::{InMemoryTerm, ProgressDrawTarget};
use rangefinder_sweep::curve::StopReason;
use rangefinder_sweep::event::{
    AttemptOutcome, Happening, Observation, Outcome, SweepEvent, WorkKind,
};
use rangefinder_sweep::ids::{Incarnation, LeaseToken, SweepId, TaskId, WorkerId};
use rangefinder_sweep::plan::Warning;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that has been closed.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(5))
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn lrs() -> Vec<f64> {
    samples::exponential(1e-8, 1.0, 100)
}

fn worker(number: u32) -> WorkerId {
    WorkerId(format!("worker-{number}"))
}

fn observed(task: u32, token: u64, steps: std::ops::Range<u32>) -> Happening {
    let loss = |step: u32| {
        if step < 60 {
            2.3
        } else {
            2.3 - 0.05 * f64::from(step - 60)
        }
    };
    Happening::Observed {
        task: TaskId(task),
        replica: 0,
        token: LeaseToken(token),
        observations: steps
            .map(|step| Observation {
                step,
                lr: lrs()[step as usize],
                loss: loss(step),
                samples: 64,
            })
            .collect(),
    }
}

fn granted(task: u32, token: u64, by: u32, attempt: u32) -> Happening {
    Happening::Granted {
        worker: worker(by),
        incarnation: Incarnation(1),
        work: WorkKind::Task(TaskId(task)),
        attempt,
        token: LeaseToken(token),
    }
}

fn ended(task: u32, token: u64, by: u32, outcome: AttemptOutcome) -> Happening {
    Happening::AttemptEnded {
        work: WorkKind::Task(TaskId(task)),
        worker: worker(by),
        token: LeaseToken(token),
        outcome,
    }
}

/// A sweep of two segments, in which one worker fails and one is lost; a happening every `pace_ms`.
fn story(pace_ms: u64) -> Vec<SweepEvent> {
    let plan = samples::plan(100, 2, 1);
    let (first, second) = (plan.tasks[0], plan.tasks[1]);
    let mut happenings = vec![
        Happening::Created,
        Happening::Waiting {
            reason: "no worker has joined yet".to_owned(),
        },
        Happening::WorkerJoined {
            worker: worker(0),
            device: "cpu".to_owned(),
            versions: BTreeMap::new(),
        },
        Happening::WorkerJoined {
            worker: worker(1),
            device: "cuda:0".to_owned(),
            versions: BTreeMap::new(),
        },
        Happening::Granted {
            worker: worker(0),
            incarnation: Incarnation(1),
            work: WorkKind::Describe,
            attempt: 1,
            token: LeaseToken(1),
        },
        Happening::Described {
            described: samples::described(),
        },
        Happening::Probed {
            probe: samples::probe(),
        },
        Happening::Planned { plan },
        granted(0, 2, 0, 1),
        granted(1, 3, 1, 1),
    ];
    happenings.extend((0..4).map(|part| observed(0, 2, part * 10..part * 10 + 10)));
    happenings.extend([
        observed(1, 3, second.warm_up_start..60),
        ended(
            1,
            3,
            1,
            AttemptOutcome::Failed(samples::failure("cannot read batch 60\nthe disk is gone")),
        ),
        granted(1, 4, 0, 2),
        ended(
            1,
            4,
            0,
            AttemptOutcome::Lost("its process was killed by signal 9".to_owned()),
        ),
        Happening::WorkerGone {
            worker: worker(0),
            cause: "killed by signal 9".to_owned(),
        },
        Happening::WorkerSetAside {
            worker: worker(1),
            incarnation: Incarnation(1),
            reason: "failed 2 of 2 tasks that others complete".to_owned(),
        },
        Happening::Warned {
            warning: Warning {
                code: "odd".to_owned(),
                message: "something \u{1b}[31modd".to_owned(),
            },
        },
        observed(0, 2, 40..first.end),
        ended(0, 2, 0, AttemptOutcome::Completed),
        granted(1, 5, 2, 3),
        observed(1, 5, second.warm_up_start..90),
        Happening::Stopped {
            replica: 0,
            reason: StopReason::Diverged,
            step: Some(89),
        },
        ended(1, 5, 2, AttemptOutcome::Diverged),
        Happening::Ended {
            outcome: Outcome::Completed,
        },
    ]);
    (0..)
        .zip(happenings)
        .map(|(number, happening)| SweepEvent {
            sweep: SweepId("sweep".to_owned()),
            number: number + 1,
            at_ms: number * pace_ms,
            happening,
        })
        .collect()
}

fn plain(pace_ms: u64, quiet: bool) -> String {
    let shared = Shared::default();
    let mut progress = Progress::plain(lrs(), Box::new(shared.clone()), 80, quiet);
    for event in story(pace_ms) {
        progress.show(&event);
    }
    progress.finish();
    shared.text()
}

#[test]
fn without_a_terminal_there_are_plain_lines_that_tell_the_story() {
    let text = plain(700, false);
    assert!(
        text.chars()
            .all(|character| character == '\n' || !character.is_control()),
        "{text:?}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn plain_lines_about_steps_are_rate_limited() {
    let about_steps = |text: &str| text.lines().filter(|line| line.contains("steps/s")).count();
    assert_eq!(
        about_steps(&plain(1, false)),
        1,
        "a short sweep says it once, at its end"
    );
    let slow = about_steps(&plain(1000, false));
    assert!((2..=6).contains(&slow), "{slow} lines in 31 seconds");
}

#[test]
fn quiet_shows_nothing_but_failures_of_workers() {
    assert_eq!(
        plain(700, true),
        "worker-1 failed at task 1 (segment 1), attempt 1: cannot read batch 60\n  the disk is gone\n"
    );
}

#[test]
fn the_live_view_has_notes_above_a_bar_and_leaves_no_bar_behind() {
    let term = InMemoryTerm::new(60, 80);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
    let mut progress = Progress::live(lrs(), target, 80, false);
    let story = story(700);
    let (before, after) = story.split_at(26);
    for event in before {
        progress.show(event);
    }
    progress.draw();
    insta::assert_snapshot!("live_middle", term.contents());
    for event in after {
        progress.show(event);
    }
    progress.finish();
    insta::assert_snapshot!("live_end", term.contents());
}

#[test]
fn the_bar_fits_a_narrow_terminal() {
    let term = InMemoryTerm::new(80, 40);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
    let mut progress = Progress::live(lrs(), target, 40, false);
    for event in story(700).iter().take(15) {
        progress.show(event);
    }
    progress.draw();
    insta::assert_snapshot!(term.contents());
}

#[test]
fn the_bar_counts_a_lost_attempt_back_and_an_early_end_as_the_end() {
    let shared = Shared::default();
    let mut progress = Progress::plain(lrs(), Box::new(shared.clone()), 80, false);
    for event in story(6000) {
        progress.show(&event);
    }
    let text = shared.text();
    let counts: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("steps/s"))
        .collect();
    let total = |line: &str| -> (u32, u32) {
        let (done, rest) = line.split_once('/').unwrap();
        (
            done.parse().unwrap(),
            rest.split(' ').next().unwrap().parse().unwrap(),
        )
    };
    assert!(
        counts
            .windows(2)
            .any(|pair| total(pair[1]).0 < total(pair[0]).0),
        "{counts:?}"
    );
    let (done, all) = total(counts.last().unwrap());
    assert_eq!(
        done, all,
        "a sweep that has ended has nothing left: {counts:?}"
    );
}

#[test]
fn the_last_words_of_a_worker_that_cannot_start_are_told_once() {
    let shared = Shared::default();
    let mut progress = Progress::plain(lrs(), Box::new(shared.clone()), 80, false);
    for words in ["no such file", "no such file", "no such module"] {
        progress.show(&SweepEvent {
            happening: Happening::WorkerGone {
                worker: worker(0),
                cause: format!("worker worker-0 exited with code 2; its last words:\n{words}"),
            },
            ..story(700)[0].clone()
        });
    }
    let expected = "worker-0 exited with code 2; its last words:\n  no such file\n\
                    worker-0 exited with code 2; its last words were the same\n\
                    worker-0 exited with code 2; its last words:\n  no such module\n";
    assert_eq!(shared.text(), expected);
}

#[test]
fn a_terminal_that_is_gone_stops_nothing() {
    let mut progress = Progress::plain(lrs(), Box::new(Broken), 80, false);
    for event in story(6000) {
        progress.show(&event);
    }
    progress.note("more");
    progress.finish();
}

#[test]
fn a_cancelled_sweep_does_not_look_finished_and_says_so_once() {
    let shared = Shared::default();
    let mut progress = Progress::plain(lrs(), Box::new(shared.clone()), 80, false);
    let story = story(6000);
    let planned: u32 = samples::plan(100, 2, 1)
        .tasks
        .iter()
        .map(|task| task.steps())
        .sum();
    let breaking_off = [
        Happening::Stopped {
            replica: 0,
            reason: StopReason::Cancelled,
            step: Some(9),
        },
        ended(0, 2, 0, AttemptOutcome::Cancelled),
        Happening::Ended {
            outcome: Outcome::Cancelled,
        },
    ];
    let before: Vec<_> = story.into_iter().take(11).collect();
    let broken_off = (11..)
        .zip(breaking_off)
        .map(|(number, happening)| SweepEvent {
            number,
            happening,
            ..before[9].clone()
        });
    for event in before.iter().cloned().chain(broken_off) {
        progress.show(&event);
    }
    let text = shared.text();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with(&format!("10/{planned} steps")), "{text}");
    assert!(!text.contains("cancelled"), "the summary says it: {text}");
}
