//! Random stories around a machine: whatever happens, its ledger is sound and no loss is lost.

use super::tests::*;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

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
