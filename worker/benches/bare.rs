//! The trainer alone: no coordinator, no session, no reports. `scripts/bench/orchestration.py`
//! compares a sweep with it.

use std::time::Instant;

use rangefinder_proto::v1;
use rangefinder_session::trainer::{TaskStart, Trainer};
use rangefinder_worker::{TorchTrainer, keep_freed_memory};

/// The embedded default, as `coordinator --threads-per-worker 1` resolves it.
fn spec() -> v1::TrainerSpec {
    v1::TrainerSpec {
        trainer: Some(v1::trainer_spec::Trainer::Builtin(v1::Builtin {
            name: "mlp".to_owned(),
            hidden_sizes: vec![256, 256],
            ..Default::default()
        })),
        data: Some(v1::Data {
            source: "digits".to_owned(),
            ..Default::default()
        }),
        loss: "cross_entropy".to_owned(),
        optimizer: Some(v1::Optimizer {
            name: "adamw".to_owned(),
            weight_decay: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            ..Default::default()
        }),
        batch_size: 64,
        shuffle: true,
        seed: 0,
        threads: 1,
        accumulate: 1,
        precision: "fp32".to_owned(),
        ..Default::default()
    }
}

/// Argument: a file of learning rates, one a line. Prints {"seconds": ..., "losses": [...]}.
fn main() -> Result<(), String> {
    keep_freed_memory();
    // `cargo bench` adds `--bench`.
    let Some(path) = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
    else {
        return Ok(());
    };
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let rates: Vec<f64> = text
        .lines()
        .map(|line| line.parse().map_err(|error| format!("{line}: {error}")))
        .collect::<Result<_, String>>()?;
    let mut trainer = TorchTrainer::new(tch::Device::Cpu);
    // What a sweep has done before its task is granted.
    trainer
        .describe(&spec())
        .map_err(|error| format!("{error:?}"))?;
    trainer
        .probe(&spec(), 8)
        .map_err(|error| format!("{error:?}"))?;
    let (began, mut losses) = (Instant::now(), Vec::with_capacity(rates.len()));
    trainer
        .start(&TaskStart {
            spec: spec(),
            replica: 0,
            first_step: 0,
            end: rates.len() as u64,
        })
        .map_err(|error| format!("{error:?}"))?;
    for (step, lr) in (0_u64..).zip(&rates) {
        trainer
            .step(step, *lr, &mut losses)
            .map_err(|error| format!("{error:?}"))?;
    }
    trainer
        .flush(&mut losses)
        .map_err(|error| format!("{error:?}"))?;
    let seconds = began.elapsed().as_secs_f64();
    let losses: Vec<f64> = losses.iter().map(|loss| loss.loss).collect();
    println!(
        "{}",
        serde_json::json!({"seconds": seconds, "losses": losses})
    );
    Ok(())
}
