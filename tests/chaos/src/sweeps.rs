//! The sweeps that are run.

use crate::Result;
use rangefinder_proto::v1;
use rangefinder_session::mock::Config;

/// Workers that every plan counts on.
pub const WORKERS: usize = 2;

/// How a sweep is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// Two segments, the second with a warm-up; every step counts.
    Segments,
    /// Two replicas; every step counts.
    Replicas,
    /// Two replicas of two segments; each curve ends where it has diverged.
    Hybrid,
}

/// What is asked of the coordinator for a sweep.
///
/// # Errors
/// Never: the script of the trainer is JSON.
pub fn request(shape: Shape) -> Result<v1::CreateSweepRequest> {
    let script = Config {
        step_ms: 1.0,
        ..Config::default()
    };
    let (split, segments, replicas) = match shape {
        Shape::Segments => ("segments", Some(2), None),
        Shape::Replicas => ("replicas", None, Some(2)),
        Shape::Hybrid => ("hybrid", Some(2), Some(2)),
    };
    let spec = v1::SweepSpec {
        entry: Some("chaos".to_owned()),
        custom_config: Some(serde_json::to_string(&script)?),
        min_lr: Some(1e-5),
        max_lr: Some(1.0),
        num_training: Some(80),
        early_stop_threshold: (shape != Shape::Hybrid).then_some(f64::INFINITY),
        split: Some(split.to_owned()),
        segments,
        replicas,
        overlap: Some("1".to_owned()),
        ..v1::SweepSpec::default()
    };
    Ok(v1::CreateSweepRequest {
        request_id: "chaos".to_owned(),
        spec: Some(spec),
        workers: u32::try_from(WORKERS)?,
        ..v1::CreateSweepRequest::default()
    })
}
