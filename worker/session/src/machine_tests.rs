use super::*;
use crate::options::Credential;
use crate::trainer::StepLoss;

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn machine() -> Machine {
    let uri = "http://127.0.0.1:1".parse().expect("uri");
    let mut options = Options::new(uri, Credential::new("t").expect("token"));
    options.incarnation = 11;
    Machine::new(&options)
}

pub(super) fn say(message: Incoming) -> Input {
    Input::Message(Box::new(v1::ConnectResponse {
        message: Some(message),
    }))
}

pub(super) fn welcome() -> Input {
    say(Incoming::Welcome(v1::Welcome {
        heartbeat_interval_ms: 1000,
        lease_ms: 10_000,
    }))
}

pub(super) fn assign(lease_token: u64, first: u64, end: u64) -> Input {
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

pub(super) fn lost() -> Input {
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
    let mut machine = machine();
    machine.timing.reconnect = Duration::from_secs(60);
    let (now, result) = run_out(&mut machine);
    assert_eq!(now, Duration::from_secs(60));
    assert!(matches!(result, Err(Error::Unreachable { .. })));
}

#[test]
fn a_worker_of_a_service_never_gives_up() {
    let mut machine = machine();
    assert_eq!(machine.timing.reconnect, Timing::FOREVER);
    let year = Duration::from_secs(365 * 24 * 3600);
    let mut now = Duration::ZERO;
    for attempt in 0..1000 {
        now = now.max(machine.next_deadline()) + year / 1000;
        let actions = machine.handle(now, Input::Tick);
        assert!(matches!(actions[..], [Action::Dial(_)]), "{attempt}");
        machine.handle(now, lost());
    }
}

#[test]
fn what_was_finished_while_leaving_is_said_over_a_new_connection() {
    let mut machine = connected();
    let now = Duration::ZERO;
    machine.handle(now, assign(1, 0, 10));
    machine.handle(now, Input::Leave(End::ShutDown));
    machine.handle(now, lost());
    let end = Ended::With(Outcome::Finished {
        reason: v1::FinishReason::Completed,
        end: 10,
    });
    machine.handle(now, Input::Reported(report(1, 0..10, Some(end))));
    let again = machine.next_deadline();
    let actions = machine.handle(again, Input::Tick);
    let [Action::Dial(hello)] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert!(hello.leaving && hello.leases[0].done);
    machine.handle(again, welcome());
    let said: Vec<_> = std::iter::from_fn(|| machine.next_message(again)?.message).collect();
    assert!(
        matches!(said[..], [Outgoing::Observations(_), Outgoing::Finished(_)]),
        "{said:?}"
    );
    let accepted = v1::Ack {
        lease_token: 1,
        next_step: 10,
        finished: true,
    };
    let actions = machine.handle(again, say(Incoming::Ack(accepted)));
    assert!(matches!(actions[..], [Action::End(Ok(End::ShutDown))]));
}

#[test]
fn a_worker_that_leaves_says_so_at_once() {
    let mut machine = connected();
    let now = Duration::ZERO;
    machine.handle(now, assign(1, 0, 10));
    assert!(machine.next_message(now).is_none());
    machine.handle(now, Input::Leave(End::ShutDown));
    let message = machine.next_message(now).and_then(|sent| sent.message);
    let Some(Outgoing::Heartbeat(heartbeat)) = message else {
        panic!("{message:?}");
    };
    assert!(heartbeat.leaving);
    assert_eq!(heartbeat.leases.len(), 1);
}

#[test]
fn bytes_that_arrive_are_told_with_the_lease_and_never_shrink() {
    let mut machine = connected();
    machine.handle(Duration::ZERO, assign(1, 0, 10));
    let fetched = |fetched_bytes| {
        Input::Reported(Report {
            token: 1,
            fetched_bytes,
            ..Report::default()
        })
    };
    for (bytes, told) in [(5, 5), (9, 9), (0, 9)] {
        machine.handle(Duration::ZERO, fetched(bytes));
        assert_eq!(machine.ledger.held()[0].fetched_bytes, told);
    }
    assert_eq!(machine.ledger.held()[0].progress, 0);
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
fn what_it_holds_is_kept_however_long_the_coordinator_is_away() {
    let mut machine = connected();
    machine.handle(Duration::ZERO, assign(1, 0, 10));
    machine.handle(Duration::ZERO, lost());
    let mut now = Duration::ZERO;
    for attempt in 0..100 {
        now = machine.next_deadline() + Duration::from_secs(10);
        let actions = machine.handle(now, Input::Tick);
        let [Action::Dial(hello)] = &actions[..] else {
            panic!("{attempt}: {actions:?}");
        };
        assert_eq!(hello.leases[0].lease_token, 1, "{attempt}");
        machine.handle(now, lost());
    }
    // Somebody else has it by now.
    machine.handle(now, welcome());
    let stop = v1::Stop {
        lease_token: 1,
        reason: v1::StopReason::Superseded.into(),
    };
    let actions = machine.handle(now, say(Incoming::Stop(stop)));
    assert!(matches!(actions[..], [Action::Abort]));
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
    machine.handle(now, say(Incoming::Desired(v1::Desired::default())));
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

pub(super) fn report(token: u64, steps: std::ops::Range<u64>, ended: Option<Ended>) -> Report {
    Report {
        token,
        progress: steps.end,
        fetched_bytes: 0,
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
