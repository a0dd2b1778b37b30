//! Tasks that workers under test are given.

use rangefinder_proto::v1;

/// Steps of a task that no worker gets through while a case looks at it.
pub(crate) const LONG: u64 = 200_000;

/// A task over steps [first, end), at a learning rate that changes little.
pub(crate) fn task(lease_token: u64, spec: v1::TrainerSpec, first: u64, end: u64) -> v1::Assign {
    v1::Assign {
        lease_token,
        sweep_id: "conformance".to_owned(),
        task_id: 0,
        stage: v1::Stage::RangeTest.into(),
        replica: 0,
        warm_up_start: first,
        start: first,
        end,
        learning_rates: (first..end).map(|_| 1e-5).collect(),
        trainer: Some(spec),
        group: Some(v1::Group {
            rank: 0,
            world_size: 1,
            rendezvous: String::new(),
        }),
        traceparent: String::new(),
    }
}

/// All that a step's report holds, its floating-point numbers as bits.
pub(crate) type Bits = (u64, u64, u64, u32);

/// What was observed, to be compared bit for bit.
pub(crate) fn bits(observations: &[v1::Observation]) -> Vec<Bits> {
    observations
        .iter()
        .map(|seen| {
            let (lr, loss) = (seen.learning_rate.to_bits(), seen.loss.to_bits());
            (seen.step, lr, loss, seen.samples)
        })
        .collect()
}
