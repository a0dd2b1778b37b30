//! The worker on libtorch, held to the protocol as every worker is: see `docs/workers.md`.

use rangefinder_conformance::{Scenario, Subject, broken, common};
use rangefinder_proto::v1;
use rangefinder_proto::v1::trainer_spec::Trainer;

fn model(scenario: Scenario) -> Trainer {
    let fixture = |name: &str| {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        Trainer::Torchscript(v1::TorchScript { path })
    };
    let mlp = |hidden_sizes: &[u32]| {
        Trainer::Builtin(v1::Builtin {
            name: "mlp".to_owned(),
            hidden_sizes: hidden_sizes.to_vec(),
            ..v1::Builtin::default()
        })
    };
    match scenario {
        // With SGD, a learning rate of 1e30 leaves no finite loss.
        Scenario::Ordinary | Scenario::Nan => mlp(&[32]),
        Scenario::Hang => fixture("hangs.pt"),
        Scenario::UserError => fixture("no_such_file.pt"),
        // More bytes than any address space has, so that no machine tries.
        Scenario::OutOfMemory => mlp(&[1 << 27, 1 << 27]),
    }
}

#[tokio::test]
async fn the_worker_on_libtorch_keeps_every_promise_of_the_protocol() {
    let spec = |scenario| v1::TrainerSpec {
        trainer: Some(model(scenario)),
        data: Some(v1::Data {
            source: "digits".to_owned(),
            ..v1::Data::default()
        }),
        loss: "cross_entropy".to_owned(),
        optimizer: Some(v1::Optimizer {
            name: "sgd".to_owned(),
            ..v1::Optimizer::default()
        }),
        ..common()
    };
    let subject = Subject {
        command: vec![env!("CARGO_BIN_EXE_worker").into()],
        spec: Box::new(spec),
    };
    let broken = broken(&subject).await;
    assert!(broken.is_empty(), "{broken:#?}");
}
