//! The mock worker, held to the protocol as every worker is: see `docs/workers.md`.

use rangefinder_conformance::{Scenario, Subject, broken, common};
use rangefinder_proto::v1;
use rangefinder_session::mock::{Config, Fault, FieldMistake, Misdeed};

fn script(scenario: Scenario) -> Config {
    let fault = |step, what| {
        vec![Fault {
            step,
            what,
            times: None,
        }]
    };
    let ordinary = Config {
        step_ms: 1.0,
        ..Config::default()
    };
    match scenario {
        Scenario::Ordinary => ordinary,
        Scenario::Hang => Config {
            faults: fault(5, Misdeed::Hang),
            ..ordinary
        },
        Scenario::Nan => Config {
            faults: fault(8, Misdeed::Nan),
            ..ordinary
        },
        Scenario::UserError => Config {
            mistakes: vec![FieldMistake {
                field: "model".to_owned(),
                message: "there is no file `no.pt`".to_owned(),
                remedy: "check the path".to_owned(),
            }],
            ..ordinary
        },
        Scenario::OutOfMemory => Config {
            out_of_memory: true,
            ..ordinary
        },
    }
}

#[tokio::test]
async fn the_mock_worker_keeps_every_promise_of_the_protocol() {
    let spec = |scenario| v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Custom(v1::Custom {
            entry: "mock".to_owned(),
            config: serde_json::to_vec(&script(scenario)).unwrap_or_default(),
        })),
        ..common()
    };
    let subject = Subject {
        command: vec![env!("CARGO_BIN_EXE_scripted-worker").into()],
        spec: Box::new(spec),
    };
    let broken = broken(&subject).await;
    assert!(broken.is_empty(), "{broken:#?}");
}
