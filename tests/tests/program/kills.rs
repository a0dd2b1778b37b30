//! Workers on libtorch that are killed: the curve is bit for bit that of an undisturbed sweep.

use super::support::*;
use nix::sys::signal::Signal;
use rangefinder_config::{Resolved, resolve};
use rangefinder_coordinator::run::Options;
use rangefinder_proto::v1::SweepSpec;
use rangefinder_report::SweepDocument;
use rangefinder_report::document::Status;
use rangefinder_sweep::event::{AttemptOutcome, Happening, SweepEvent, WorkKind};
use rangefinder_sweep::ids::{LeaseToken, TaskId, WorkerId};
use rangefinder_sweep::plan::Task;
use rangefinder_tests::processes::{self, MARK};
use rangefinder_tests::{programs, sweep};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(60);
/// How often a worker may have been too quick to be met where it was waited for.
const TRIES: u32 = 5;

/// A sweep whose warm-up takes long enough to be met in its middle: nothing of it is left out,
/// since from 1e-5 on no step is too small to matter.
fn spec(model: &str, split: &str) -> Resolved {
    let spec = SweepSpec {
        model: Some(model.to_owned()),
        batch_size: Some(512),
        min_lr: Some(1e-5),
        num_training: Some(300),
        split: Some(split.to_owned()),
        threads_per_worker: Some(1),
        device: Some("cpu".to_owned()),
        ..SweepSpec::default()
    };
    resolve(spec, 2, 2).unwrap()
}

async fn run(
    resolved: &Resolved,
    mark: &str,
    on_event: &mut (dyn FnMut(&SweepEvent) + Send),
) -> SweepDocument {
    let options = Options {
        worker_program: Some(programs::worker()),
        environment: vec![(MARK.into(), mark.into())],
        ..Options::default()
    };
    let running = sweep::run(resolved, &options, CancellationToken::new(), on_event);
    let result = timeout(DEADLINE, running)
        .await
        .expect("the sweep does not end")
        .unwrap();
    assert_eq!(processes::marked(mark), []);
    assert_eq!(result.status, Status::Completed);
    result
}

/// Kills the worker of the first attempt whose last step is in a place.
struct Killer<'a> {
    mark: &'a str,
    place: fn(&Task, u32) -> bool,
    tasks: Vec<Task>,
    holders: BTreeMap<LeaseToken, WorkerId>,
    killed: Option<(TaskId, LeaseToken)>,
    /// The last step that was seen of the attempt.
    last: u32,
}

impl Killer<'_> {
    fn see(&mut self, event: &SweepEvent) {
        match &event.happening {
            Happening::Planned { plan } => self.tasks.clone_from(&plan.tasks),
            Happening::Granted {
                worker,
                work: WorkKind::Task(_),
                token,
                ..
            } => {
                self.holders.insert(*token, worker.clone());
            }
            Happening::Observed {
                task,
                token,
                observations,
                ..
            } => self.observed(*task, *token, observations.last().unwrap().step),
            _ => {}
        }
    }

    fn observed(&mut self, task: TaskId, token: LeaseToken, step: u32) {
        match self.killed {
            Some((_, killed)) if killed == token => self.last = step,
            Some(_) => {}
            None => {
                let task = self
                    .tasks
                    .iter()
                    .find(|planned| planned.id == task)
                    .unwrap();
                if (self.place)(task, step) {
                    let worker = &self.holders[&token];
                    let process = processes::marked(self.mark)
                        .into_iter()
                        .find(|process| process.worker.as_ref() == Some(&worker.0));
                    processes::signal(process.unwrap().pid, Signal::SIGKILL);
                    self.killed = Some((task.id, token));
                    self.last = step;
                }
            }
        }
    }
}

/// Kills a worker in `place`, in sweeps of both models; all else is as without it.
async fn killed_in(split: &str, place: fn(&Task, u32) -> bool) {
    for model in ["mlp", &fixture("dropout_norm.pt")] {
        let sweep = spec(model, split);
        let expected = run(&sweep, &fresh_mark(), &mut |_| {}).await;
        let mut met = false;
        for _ in 0..TRIES {
            met = killed_once(&sweep, &expected, place).await;
            if met {
                break;
            }
        }
        assert!(met, "{model}: no worker was met there");
    }
}

/// Kills a worker in `place` and compares. Says whether it met one there, and it went no further
/// before it was dead.
async fn killed_once(
    sweep: &Resolved,
    expected: &SweepDocument,
    place: fn(&Task, u32) -> bool,
) -> bool {
    let mark = fresh_mark();
    let mut killer = Killer {
        mark: &mark,
        place,
        tasks: Vec::new(),
        holders: BTreeMap::new(),
        killed: None,
        last: 0,
    };
    let result = run(sweep, &mark, &mut |event| killer.see(event)).await;
    let (replica, undisturbed) = (&result.replicas[0], &expected.replicas[0]);
    assert_eq!(bits(&replica.curve.loss), bits(&undisturbed.curve.loss));
    assert_eq!(replica.stop, undisturbed.stop);
    assert_eq!(replica.overlaps, undisturbed.overlaps);

    let Some((task, token)) = killer.killed else {
        return false;
    };
    let all = &replica.tasks;
    let met = all.iter().find(|one| one.id == task).unwrap();
    let first = &met.attempts[0];
    let lost = matches!(&first.outcome, Some(AttemptOutcome::Lost(how)) if how.contains("SIGKILL"));
    let planned = killer.tasks.iter().find(|one| one.id == task).unwrap();
    lost && first.token == token && met.attempts.len() > 1 && place(planned, killer.last)
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_warm_up_changes_no_bit_of_the_curve() {
    killed_in("segments", |task, step| {
        (task.warm_up_start + 3..task.start).contains(&step)
    })
    .await;
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_the_own_steps_of_a_segment_changes_no_bit_of_the_curve() {
    killed_in("segments", |task, step| {
        task.warm_up_start > 0 && (task.start + 10..task.end).contains(&step)
    })
    .await;
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_an_unsplit_sweep_changes_no_bit_of_the_curve() {
    killed_in("none", |_, step| (100..200).contains(&step)).await;
}

#[test]
fn all_workers_of_the_program_may_be_killed_and_the_files_are_those_of_an_undisturbed_sweep() {
    let folder = Folder::new();
    let sweep = |out: &str| {
        let args = [
            "--workers",
            "2",
            "--num-training",
            "400",
            "--batch-size",
            "256",
            "--out",
            out,
        ];
        Running::start(folder.sweep_command(&args))
    };
    let undisturbed = sweep("undisturbed").end().exits(0);
    let running = sweep("disturbed");
    running.until_training(2);
    for worker in running.workers() {
        processes::signal(worker.pid, Signal::SIGKILL);
    }
    let disturbed = running.end().exits(0);
    assert!(
        disturbed.stderr.contains("SIGKILL"),
        "{}",
        disturbed.shown()
    );
    assert!(
        disturbed.stderr.contains("attempt 2"),
        "{}",
        disturbed.shown()
    );
    assert_eq!(disturbed.stdout, undisturbed.stdout);
    assert_eq!(
        folder.read("disturbed/curve.csv"),
        folder.read("undisturbed/curve.csv")
    );
    let (one, other) = (folder.document("disturbed"), folder.document("undisturbed"));
    assert_eq!(one.suggestion, other.suggestion);
    assert_eq!(one.verdict, other.verdict);
}
