use super::*;
use crate::options::Credential;
use crate::trainer::StepLoss;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MS: Duration = Duration::from_millis(1);

fn machine() -> Machine {
    let uri = "http://127.0.0.1:1".parse().expect("uri");
    let mut options = Options::new(uri, Credential::new("t").expect("token"));
    options.incarnation = 11;
    Machine::new(&options)
}

fn say(message: Incoming) -> Input {
    Input::Message(Box::new(v1::ConnectResponse {
        message: Some(message),
    }))
}

fn welcome() -> Input {
    say(Incoming::Welcome(v1::Welcome {
        heartbeat_interval_ms: 1000,
        lease_ms: 10_000,
    }))
}

fn assign(lease_token: u64, first: u64, end: u64) -> Input {
    say(Incoming::Assign(v1::Assign {
        lease_token,
        stage: v1::Stage::RangeTest.into(),
        warm_up_start: first,
        start: first,
        end,
        learning_rates: (first..end).map(|_| 1e-3).collect(),
        trainer: Some(v1::TrainerSpec::default()),
        ..v1::Assign::default()
    }))
}

fn connected() -> Machine {
    let mut machine = machine();
    let actions = machine.handle(Duration::ZERO, Input::Tick);
    assert!(matches!(actions[..], [Action::Dial(_)]));
    machine.handle(Duration::ZERO, welcome());
    machine
}

fn lost() -> Input {
    Input::Closed(Closed::Lost("cut".to_owned()))
}

/// Lets time pass, deadline by deadline, until the session ends; says when and how.
fn run_out(machine: &mut Machine) -> (Duration, Result<End, Error>) {
    let mut now = Duration::ZERO;
    for _ in 0..100_000 {
        now = now.max(machine.next_deadline());
        for action in machine.handle(now, Input::Tick) {
            match action {
                Action::End(result) => return (now, result),
                Action::Dial(_) => {
                    assert!(machine.handle(now, lost()).is_empty());
                }
                _ => {}
            }
        }
    }
    panic!("never ends");
}

#[test]
fn without_a_coordinator_and_a_lease_it_gives_up_after_the_time_it_was_given() {
    let (now, result) = run_out(&mut machine());
    assert_eq!(now, Timing::default().reconnect);
    assert!(matches!(result, Err(Error::Unreachable { .. })));
}

#[test]
fn with_a_lease_it_looks_as_long_as_the_lease_could_be_valid() {
    let mut machine = connected();
    machine.timing.reconnect = Duration::from_secs(1);
    machine.handle(Duration::ZERO, assign(1, 0, 10));
    machine.handle(Duration::ZERO, lost());
    let (now, _) = run_out(&mut machine);
    assert_eq!(now, Duration::from_secs(10));
}

#[test]
fn a_lease_that_has_run_out_is_dropped_and_its_work_stopped() {
    let mut machine = connected();
    machine.handle(Duration::ZERO, assign(1, 0, 10));
    machine.handle(Duration::ZERO, lost());
    assert!(machine.next_deadline() <= Duration::from_secs(10));
    let before = machine.handle(Duration::from_millis(9_999), Input::Tick);
    assert!(!before.iter().any(|action| matches!(action, Action::Abort)));
    machine.handle(Duration::from_millis(9_999), lost());
    let after = machine.handle(Duration::from_secs(10), Input::Tick);
    assert!(matches!(after[0], Action::Abort));
    assert!(machine.ledger.is_empty());
}

#[test]
fn heartbeats_keep_the_pace_that_welcome_named_and_are_jittered() {
    let mut machine = connected();
    let mut beats = Vec::new();
    let mut now = Duration::ZERO;
    while beats.len() < 20 {
        now = machine.next_deadline();
        machine.handle(now, Input::Tick);
        if machine.next_message(now).is_some() {
            beats.push(now);
            machine.handle(now, say(Incoming::Desired(v1::Desired::default())));
        }
    }
    let pauses: Vec<_> = beats.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause <= 1000 * MS));
    assert!(pauses.iter().all(|pause| *pause >= 800 * MS));
    assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]));
    assert!(now > Duration::ZERO);
}

#[test]
fn what_a_dropped_job_still_reports_is_not_taken_for_the_next_one_of_that_lease() {
    let mut machine = connected();
    let now = Duration::ZERO;
    machine.handle(now, assign(1, 0, 10));
    machine.handle(now, lost());
    machine.handle(Duration::from_secs(10), Input::Tick);
    machine.handle(Duration::from_secs(10), welcome());
    // The coordinator grants it again while the old run has not stopped yet.
    let now = Duration::from_secs(10);
    machine.handle(now, assign(1, 0, 10));
    machine.handle(now, Input::Reported(report(1, 3..5, None)));
    machine.ledger.check().expect("sound");
    assert!(!machine.ledger.wants_to_send());
    let actions = machine.handle(now, Input::Reported(report(1, 5..5, Some(Ended::Aborted))));
    assert!(matches!(actions[..], [Action::Run(1, _)]));
}

#[test]
fn a_trainer_that_skips_a_step_has_failed() {
    let mut machine = connected();
    machine.handle(Duration::ZERO, assign(1, 0, 10));
    let actions = machine.handle(Duration::ZERO, Input::Reported(report(1, 1..2, None)));
    assert!(matches!(actions[..], [Action::Abort]));
    let message = machine
        .next_message(Duration::ZERO)
        .and_then(|sent| sent.message);
    let Some(Outgoing::Failed(failed)) = message else {
        panic!("{message:?}");
    };
    assert!(failed.message.contains("step 1") && failed.message.contains("step 0"));
}

#[test]
fn a_new_connection_hears_at_once_all_that_was_not_acknowledged() {
    let mut machine = connected();
    let now = Duration::ZERO;
    machine.handle(now, assign(1, 0, 10));
    let end = Ended::With(Outcome::Finished {
        reason: v1::FinishReason::Completed,
        end: 10,
    });
    machine.handle(now, Input::Reported(report(1, 0..10, Some(end))));
    while machine.next_message(now).is_some() {}
    machine.handle(now, lost());
    let now = machine.next_deadline();
    machine.handle(now, Input::Tick);
    assert!(machine.next_message(now).is_none(), "not greeted yet");
    machine.handle(now, welcome());
    let said: Vec<_> = std::iter::from_fn(|| machine.next_message(now)?.message).collect();
    let [Outgoing::Observations(batch), Outgoing::Finished(_)] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!(batch.observations.len(), 10);
}

#[test]
fn work_beyond_what_the_ledger_can_hold_is_handed_back_with_the_bound() {
    let mut machine = connected();
    for token in 1..=65 {
        machine.handle(Duration::ZERO, assign(token, 0, 10));
    }
    let message = machine
        .next_message(Duration::ZERO)
        .and_then(|sent| sent.message);
    let Some(Outgoing::HandBack(back)) = message else {
        panic!("{message:?}");
    };
    assert_eq!(back.lease_token, 65);
    assert!(back.reason.contains("at most 64 leases"), "{}", back.reason);
}

#[test]
fn pauses_grow_with_failures_and_start_afresh_after_a_good_connection() {
    let mut machine = connected();
    let pause_after_loss = |machine: &mut Machine, now| {
        machine.handle(now, lost());
        let again = machine.next_deadline();
        assert!(matches!(
            machine.handle(again, Input::Tick)[..],
            [Action::Dial(_)]
        ));
        (again - now, again)
    };
    let mut now = Duration::ZERO;
    let mut pause = Duration::ZERO;
    for _ in 0..8 {
        (pause, now) = pause_after_loss(&mut machine, now);
    }
    assert!(pause >= machine.timing.backoff_max / 2);
    machine.handle(now, welcome());
    machine.handle(now, say(Incoming::Desired(v1::Desired::default())));
    let (pause, _) = pause_after_loss(&mut machine, now);
    assert!(pause <= machine.timing.backoff_min, "{pause:?}");
}

#[test]
fn leaving_without_a_connection_ends_in_time() {
    let mut machine = connected();
    machine.handle(Duration::ZERO, assign(1, 0, 10));
    machine.handle(Duration::ZERO, Input::Leave(End::ShutDown));
    machine.handle(Duration::ZERO, lost());
    let (now, result) = run_out(&mut machine);
    assert!(matches!(result, Ok(End::ShutDown)));
    assert!(now <= Timing::default().drain);
}

fn report(token: u64, steps: std::ops::Range<u64>, ended: Option<Ended>) -> Report {
    Report {
        token,
        progress: steps.end,
        losses: steps
            .map(|step| StepLoss {
                step,
                lr: 1e-3,
                loss: 1.0,
                samples: 1,
            })
            .collect(),
        ended,
    }
}

/// One move of a random story.
#[derive(Clone, Debug)]
enum Move {
    Wait(u64),
    Cut,
    Welcome,
    Assign {
        token: u64,
        first: u64,
        len: u64,
    },
    Nonsense(u64),
    Ack {
        token: u64,
        next: u64,
        finished: bool,
    },
    Stop(u64),
    Desired(Vec<u64>),
    Train {
        steps: u64,
        end: bool,
    },
    Send(usize),
    Leave,
}

fn moves() -> impl Strategy<Value = Move> {
    let token = 0..6_u64;
    prop_oneof![
        3 => (0..3_000_u64).prop_map(Move::Wait),
        1 => Just(Move::Cut),
        3 => Just(Move::Welcome),
        4 => (token.clone(), 0..5_u64, 1..30_u64)
            .prop_map(|(token, first, len)| Move::Assign { token, first, len }),
        1 => token.clone().prop_map(Move::Nonsense),
        4 => (token.clone(), prop_oneof![0..40_u64, Just(u64::MAX)], prop::bool::weighted(0.2))
            .prop_map(|(token, next, finished)| Move::Ack { token, next, finished }),
        1 => token.clone().prop_map(Move::Stop),
        1 => prop::collection::vec(token, 0..6).prop_map(Move::Desired),
        6 => (0..12_u64, prop::bool::weighted(0.3))
            .prop_map(|(steps, end)| Move::Train { steps, end }),
        6 => (1..5_usize).prop_map(Move::Send),
        1 => prop::bool::weighted(0.1).prop_map(|leave| if leave { Move::Leave } else { Move::Cut }),
    ]
}

/// The world around a machine: a connection, a trainer, and what must always hold.
struct World {
    machine: Machine,
    now: Duration,
    linked: bool,
    job: Option<(u64, std::ops::Range<u64>)>,
    over: bool,
    /// First step of each lease that was not acknowledged on this or an earlier connection.
    acknowledged: BTreeMap<u64, u64>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            machine: machine(),
            now: Duration::ZERO,
            linked: false,
            job: None,
            over: false,
            acknowledged: BTreeMap::new(),
        };
        world.input(Input::Tick);
        world
    }

    fn input(&mut self, input: Input) {
        let actions = self.machine.handle(self.now, input);
        assert!(!self.over || actions.is_empty(), "acts after its end");
        for action in actions {
            match action {
                Action::Dial(_) => {
                    assert!(!self.linked, "dials twice");
                    self.linked = true;
                }
                Action::HangUp => self.linked = false,
                Action::Run(token, job) => {
                    assert!(self.job.is_none(), "two jobs at once");
                    self.job = Some((token, job.steps()));
                }
                Action::Abort => {}
                Action::End(_) => self.over = true,
            }
        }
        self.machine.ledger.check().expect("a sound ledger");
    }

    fn send(&mut self) -> Option<Outgoing> {
        let sent = self.machine.next_message(self.now)?.message;
        assert!(self.linked, "speaks without a connection");
        self.machine.ledger.check().expect("a sound ledger");
        if let Some(Outgoing::Observations(batch)) = &sent {
            let steps: Vec<_> = batch.observations.iter().map(|seen| seen.step).collect();
            assert!(!steps.is_empty() && steps.len() <= 1000);
            assert!(steps.windows(2).all(|pair| pair[1] == pair[0] + 1));
            let known = self.acknowledged.get(&batch.lease_token).copied();
            assert!(
                steps[0] >= known.unwrap_or(0),
                "repeats what was acknowledged"
            );
        }
        sent
    }

    fn wait(&mut self, until: Duration) {
        while !self.over {
            let deadline = self.machine.next_deadline();
            if deadline > until {
                break;
            }
            self.now = self.now.max(deadline);
            self.input(Input::Tick);
            // Nothing that is due stays due: the loop around the machine must not spin.
            assert!(
                self.over || self.machine.next_deadline() > self.now,
                "spins"
            );
        }
        self.now = self.now.max(until);
    }

    fn train(&mut self, steps: u64, end: bool) {
        let Some((token, range)) = self.job.clone() else {
            return;
        };
        let to = range.start.saturating_add(steps).min(range.end);
        let done = end && to == range.end;
        let ended = done.then_some(Ended::With(Outcome::Finished {
            reason: v1::FinishReason::Completed,
            end: to,
        }));
        self.job = (!done).then_some((token, to..range.end));
        self.input(Input::Reported(report(token, range.start..to, ended)));
    }

    fn play(&mut self, step: Move) {
        if self.over {
            return;
        }
        match step {
            Move::Wait(ms) => self.wait(self.now + Duration::from_millis(ms)),
            Move::Cut if self.linked => {
                self.linked = false;
                self.input(lost());
            }
            Move::Send(count) => {
                for _ in 0..count {
                    self.send();
                }
            }
            Move::Train { steps, end } => self.train(steps, end),
            Move::Leave => self.input(Input::Leave(End::ShutDown)),
            _ if !self.linked => {}
            Move::Welcome => self.input(welcome()),
            Move::Assign { token, first, len } => {
                if !self.machine.ledger.holds(token) {
                    self.acknowledged.remove(&token);
                }
                self.input(assign(token, first, first + len));
            }
            Move::Nonsense(token) => self.input(say(Incoming::Assign(v1::Assign {
                lease_token: token,
                ..v1::Assign::default()
            }))),
            Move::Ack {
                token,
                next,
                finished,
            } => {
                self.input(say(Incoming::Ack(v1::Ack {
                    lease_token: token,
                    next_step: next,
                    finished,
                })));
            }
            Move::Stop(token) => self.input(say(Incoming::Stop(v1::Stop {
                lease_token: token,
                reason: v1::StopReason::Superseded.into(),
            }))),
            Move::Desired(lease_tokens) => {
                self.input(say(Incoming::Desired(v1::Desired { lease_tokens })));
            }
            Move::Cut => {}
        }
    }

    /// A faithful coordinator reads all that is said and acknowledges it.
    fn accept(&mut self, token: u64, accepted: &mut Vec<u64>) -> bool {
        while let Some(sent) = self.send() {
            let mut finished = false;
            match sent {
                Outgoing::Observations(batch) => {
                    for seen in batch.observations {
                        if seen.step == accepted.len() as u64 {
                            accepted.push(seen.step);
                        }
                    }
                }
                Outgoing::Finished(end) => finished = end.end == accepted.len() as u64,
                Outgoing::Heartbeat(_) => {
                    let desired = v1::Desired {
                        lease_tokens: vec![token],
                    };
                    self.input(say(Incoming::Desired(desired)));
                    continue;
                }
                other => panic!("{other:?}"),
            }
            let next_step = accepted.len() as u64;
            self.acknowledged.insert(token, next_step);
            self.input(say(Incoming::Ack(v1::Ack {
                lease_token: token,
                next_step,
                finished,
            })));
            if finished {
                return true;
            }
        }
        false
    }
}

proptest! {
    #[test]
    fn no_story_breaks_the_ledger_or_the_session(story in prop::collection::vec(moves(), 0..120)) {
        let mut world = World::new();
        for step in story {
            world.play(step);
        }
    }

    #[test]
    fn every_loss_arrives_whatever_is_cut_or_lost(
        story in prop::collection::vec((0..4_u8, 1..9_u64), 0..60),
        steps in 1..80_u64,
    ) {
        let mut world = World::new();
        world.input(welcome());
        world.input(assign(1, 0, steps));
        let mut accepted = Vec::new();
        let mut done = false;
        for (what, size) in story {
            match what {
                0 => world.train(size, true),
                // Said, but never heard.
                1 => {
                    world.send();
                }
                2 => {
                    world.play(Move::Cut);
                    // Found again long before the lease runs out.
                    let soon = world.machine.next_deadline();
                    world.wait(soon);
                    world.input(welcome());
                }
                _ => done = done || world.accept(1, &mut accepted),
            }
        }
        for _ in 0..10 {
            world.train(steps, true);
            world.wait(world.now + 2500 * MS);
            done = done || world.accept(1, &mut accepted);
        }
        prop_assert!(done, "accepted {} of {steps}", accepted.len());
        prop_assert_eq!(accepted.len() as u64, steps);
        prop_assert!(world.machine.ledger.is_empty());
    }
}
