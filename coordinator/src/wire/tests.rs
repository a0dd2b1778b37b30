use super::*;
use crate::observe::TraceParent;
use proptest::prelude::*;
use prost::Message as _;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message;
use rangefinder_sweep::event::FailureKind;
use rangefinder_sweep::ids::{SweepId, TaskId};
use rangefinder_sweep::plan::Task;
use rangefinder_sweep::state::{Command, Report};

fn observation(step: u64, loss: f64) -> v1::Observation {
    v1::Observation {
        step,
        learning_rate: 1e-3,
        loss,
        samples: 64,
    }
}

fn request(message: Message) -> v1::ConnectRequest {
    v1::ConnectRequest {
        message: Some(message),
    }
}

fn observed(observations: Vec<v1::Observation>) -> Result<Report, Error> {
    report(request(Message::Observations(v1::Observations {
        lease_token: 7,
        observations,
    })))
}

#[test]
fn non_finite_losses_are_values() {
    let losses = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let sent = (5..)
        .zip(losses)
        .map(|(step, loss)| observation(step, loss));
    let Ok(Report::Observations(token, observations)) = observed(sent.collect()) else {
        panic!("expected observations");
    };
    assert_eq!(token, LeaseToken(7));
    let bits = |loss: f64| loss.to_bits();
    assert!(
        observations
            .iter()
            .map(|observation| bits(observation.loss))
            .eq(losses.map(bits))
    );
}

#[test]
fn a_step_beyond_32_bits_is_an_error_that_names_field_value_and_lease() {
    let error = observed(vec![observation(1 << 32, 1.0)]).unwrap_err();
    assert_eq!(error.lease, Some(LeaseToken(7)));
    assert_eq!(
        error.to_string(),
        "the worker's Observations means nothing: `step` is 4294967296, expected at most 4294967295"
    );
}

#[test]
fn gaps_repetitions_and_the_end_of_the_range_are_errors() {
    for (first, second) in [(1, 3), (1, 1), (2, 1), (u64::from(u32::MAX), 0)] {
        let error = observed(vec![observation(first, 1.0), observation(second, 1.0)]);
        assert!(
            matches!(
                error,
                Err(Error {
                    problem: Problem::NotConsecutive { .. },
                    ..
                })
            ),
            "{first}, {second}: {error:?}"
        );
    }
}

#[test]
fn a_message_with_too_many_observations_is_an_error() {
    let many = |count: u64| (0..count).map(|step| observation(step, 1.0)).collect();
    assert!(observed(many(1000)).is_ok());
    assert_eq!(
        observed(many(1001)).unwrap_err().problem,
        Problem::TooMany { count: 1001 }
    );
}

#[test]
fn an_unknown_reason_or_kind_is_an_error_and_a_known_one_is_not_confused() {
    for (value, known) in [(0, false), (1, true), (3, true), (4, false), (-1, false)] {
        let finished = report(request(Message::Finished(v1::Finished {
            lease_token: 1,
            reason: value,
            end: 10,
        })));
        assert_eq!(finished.is_ok(), known, "{value}: {finished:?}");
        let failed = report(request(Message::Failed(v1::Failed {
            lease_token: 1,
            kind: value,
            message: String::new(),
            fields: vec![],
            code: None,
        })));
        assert_eq!(failed.is_ok(), known, "{value}: {failed:?}");
    }
    let failed = report(request(Message::Failed(v1::Failed {
        lease_token: 1,
        kind: v1::FailureKind::OutOfMemory.into(),
        message: "out of memory".to_owned(),
        fields: vec![],
        code: None,
    })));
    assert!(
        matches!(failed, Ok(Report::Failed(_, failure)) if failure.kind == FailureKind::OutOfMemory)
    );
}

#[test]
fn a_worker_may_name_codes_and_gets_the_general_one_where_it_does_not() {
    let code = |kind: v1::FailureKind, failure: Option<&str>, field: Option<Option<&str>>| {
        let failed = report(request(Message::Failed(v1::Failed {
            kind: kind.into(),
            code: failure.map(str::to_owned),
            fields: field
                .into_iter()
                .map(|code| v1::FieldError {
                    code: code.map(str::to_owned),
                    ..v1::FieldError::default()
                })
                .collect(),
            ..v1::Failed::default()
        })));
        let Ok(Report::Failed(_, failure)) = failed else {
            panic!("{failed:?}");
        };
        assert!(
            failure
                .fields
                .iter()
                .all(|field| field.code == failure.code)
        );
        failure.code
    };
    use v1::FailureKind::{OutOfMemory, User, Worker};
    assert_eq!(code(User, None, None), Code::FieldRefused);
    assert_eq!(code(OutOfMemory, None, None), Code::BatchMemory);
    assert_eq!(code(Worker, None, None), Code::WorkerFailed);
    assert_eq!(code(Worker, Some("RF999"), None), Code::WorkerFailed);
    assert_eq!(code(OutOfMemory, Some("RF802"), None), Code::WeightsMemory);
    assert_eq!(code(User, Some("RF202"), Some(None)), Code::FieldRefused);
    assert_eq!(code(User, None, Some(Some("RF202"))), Code::OutOfRange);
    assert_eq!(code(User, None, Some(Some("E7"))), Code::FieldRefused);
}

#[test]
fn a_beta_that_is_no_decay_is_an_error_and_an_unknown_one_is_not() {
    for (beta, good) in [
        (None, true),
        (Some(0.0), true),
        (Some(0.9), true),
        (Some(1.0), false),
        (Some(-0.1), false),
        (Some(f64::NAN), false),
    ] {
        let described = report(request(Message::Described(v1::Described {
            beta,
            ..v1::Described::default()
        })));
        assert_eq!(described.is_ok(), good, "{beta:?}: {described:?}");
    }
}

#[test]
fn versions_of_a_worker_are_kept_within_limits() {
    let mut said = std::collections::HashMap::from([
        ("libtorch".to_owned(), "2.11.0".to_owned()),
        ("a".to_owned(), "x".repeat(1000)),
    ]);
    let greeted = |versions| {
        let worker_id = "w0".to_owned();
        let hello_message = v1::Hello {
            worker_id,
            versions,
            ..v1::Hello::default()
        };
        hello(request(Message::Hello(hello_message)))
            .unwrap()
            .versions
    };
    assert_eq!(greeted(said.clone())["libtorch"], "2.11.0");
    assert_eq!(greeted(said.clone()).len(), 1);
    said.extend((0..1000).map(|part| (format!("part {part}"), "1".to_owned())));
    assert_eq!(greeted(said).len(), 16);
}

#[test]
fn what_a_worker_says_is_kept_within_limits() {
    // A character of two bytes stands across the limit.
    let long = || format!("a{}", "é".repeat(16 << 10));
    let failed = Message::Failed(v1::Failed {
        lease_token: 1,
        kind: v1::FailureKind::User.into(),
        message: long(),
        fields: vec![
            v1::FieldError {
                message: long(),
                ..v1::FieldError::default()
            };
            101
        ],
        code: None,
    });
    let Ok(Report::Failed(_, failure)) = report(request(failed)) else {
        panic!("no failure");
    };
    assert_eq!(failure.message.len(), (16 << 10) - 1);
    assert_eq!(failure.fields.len(), 100);
    assert_eq!(failure.fields[99].message.len(), (16 << 10) - 1);
    let back = Message::HandBack(v1::HandBack {
        lease_token: 1,
        reason: long(),
    });
    let Ok(Report::HandBack(_, reason)) = report(request(back)) else {
        panic!("nothing handed back");
    };
    assert_eq!(reason.len(), (16 << 10) - 1);
}

#[test]
fn hello_comes_first_and_only_first() {
    let named = |name: &str| v1::Hello {
        worker_id: name.to_owned(),
        ..v1::Hello::default()
    };
    let empty = v1::ConnectRequest { message: None };
    assert!(hello(request(Message::Hello(named("w0")))).is_ok());
    assert_eq!(hello(empty.clone()).unwrap_err().problem, Problem::Empty);
    assert_eq!(report(empty).unwrap_err().problem, Problem::Empty);
    assert_eq!(
        hello(request(Message::Heartbeat(v1::Heartbeat::default())))
            .unwrap_err()
            .problem,
        Problem::NotHello
    );
    assert_eq!(
        report(request(Message::Hello(named("w0"))))
            .unwrap_err()
            .problem,
        Problem::NotFirst
    );
    for name in ["", "a b", "a\n", "é", &"x".repeat(254)] {
        assert!(
            hello(request(Message::Hello(named(name)))).is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn an_assignment_carries_the_task_its_rates_and_its_trainer() {
    let trainer = v1::TrainerSpec {
        batch_size: 64,
        ..v1::TrainerSpec::default()
    };
    let trace = TraceParent::random().unwrap();
    let sent = command(
        Command::Assign {
            sweep: SweepId("s".to_owned()),
            token: LeaseToken(9),
            task: Task {
                id: TaskId(3),
                replica: 1,
                segment: 2,
                warm_up_start: 40,
                start: 50,
                end: 52,
            },
            learning_rates: vec![0.5; 12],
        },
        Some(&trainer),
        Some(trace),
    );
    let Some(v1::connect_response::Message::Assign(assign)) = sent.message else {
        panic!("expected an assignment");
    };
    assert_eq!(
        (assign.lease_token, assign.task_id, assign.replica),
        (9, 3, 1)
    );
    assert_eq!(
        (assign.warm_up_start, assign.start, assign.end),
        (40, 50, 52)
    );
    assert_eq!(assign.learning_rates.len(), 12);
    assert_eq!(assign.stage(), v1::Stage::RangeTest);
    assert_eq!(assign.trainer, Some(trainer));
    assert_eq!(assign.group.map(|group| group.world_size), Some(1));
    let attempt = TraceParent::parse(&assign.traceparent).unwrap();
    assert_eq!(attempt, trace.attempt(LeaseToken(9)));
    assert_eq!(attempt.trace_id(), trace.trace_id());
}

/// Any message of any kind, its numbers anywhere in their types.
fn any_message() -> impl Strategy<Value = v1::ConnectRequest> {
    let leases = prop::collection::vec(
        any::<(u64, u64, bool)>().prop_map(|(lease_token, progress, done)| v1::HeldLease {
            lease_token,
            progress,
            done,
            ..v1::HeldLease::default()
        }),
        0..4,
    );
    let step = prop_oneof![any::<u64>(), 0..10_u64, u64::from(u32::MAX) - 2..(1 << 33)];
    let observations = prop::collection::vec(
        (step.clone(), any::<f64>(), any::<f64>(), any::<u32>()).prop_map(
            |(step, learning_rate, loss, samples)| v1::Observation {
                step,
                learning_rate,
                loss,
                samples,
            },
        ),
        0..5,
    );
    let message = prop_oneof![
        ("\\PC{0,300}", any::<u64>(), any::<u32>(), leases.clone()).prop_map(
            |(worker_id, incarnation, protocol_version, leases)| Message::Hello(v1::Hello {
                worker_id,
                incarnation,
                protocol_version,
                leases,
                ..v1::Hello::default()
            })
        ),
        (any::<u64>(), any::<f64>(), any::<Option<f64>>()).prop_map(
            |(lease_token, initial_loss, beta)| Message::Described(v1::Described {
                lease_token,
                initial_loss,
                beta,
                ..v1::Described::default()
            })
        ),
        any::<[f64; 4]>().prop_map(|numbers| Message::Probed(v1::Probed {
            lease_token: 1,
            initial_loss: numbers[0],
            gradient_squared: numbers[1],
            gradient_l1: numbers[2],
            seconds_per_step: numbers[3],
            peak_memory_bytes: u64::MAX,
        })),
        leases.prop_map(|leases| Message::Heartbeat(v1::Heartbeat {
            leases,
            leaving: false,
        })),
        (any::<u64>(), observations).prop_map(|(lease_token, observations)| {
            Message::Observations(v1::Observations {
                lease_token,
                observations,
            })
        }),
        (any::<u64>(), any::<i32>(), step).prop_map(|(lease_token, reason, end)| {
            Message::Finished(v1::Finished {
                lease_token,
                reason,
                end,
            })
        }),
        (any::<u64>(), any::<i32>(), "\\PC*").prop_map(|(lease_token, kind, message)| {
            Message::Failed(v1::Failed {
                lease_token,
                kind,
                message,
                fields: vec![v1::FieldError::default()],
                code: Some("RF".to_owned()),
            })
        }),
        (any::<u64>(), "\\PC*").prop_map(|(lease_token, reason)| Message::HandBack(v1::HandBack {
            lease_token,
            reason
        })),
    ];
    prop::option::of(message).prop_map(|message| v1::ConnectRequest { message })
}

proptest! {
    #[test]
    fn any_message_gives_a_value_or_an_error(message in any_message()) {
        let first = hello(message.clone());
        let later = report(message.clone());
        // Nothing is both a Hello and a report.
        prop_assert!(first.is_err() || later.is_err());
        if let Ok(Report::Observations(_, observations)) = &later {
            let Some(Message::Observations(sent)) = message.message else {
                return Err(TestCaseError::fail("observations out of something else"));
            };
            prop_assert_eq!(observations.len(), sent.observations.len());
            for (got, sent) in observations.iter().zip(&sent.observations) {
                prop_assert_eq!(u64::from(got.step), sent.step);
                prop_assert_eq!(got.loss.to_bits(), sent.loss.to_bits());
            }
        }
    }

    #[test]
    fn any_bytes_that_decode_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = v1::ConnectRequest::decode(bytes.as_slice()) {
            let _ = hello(message.clone());
            let _ = report(message);
        }
    }
}
