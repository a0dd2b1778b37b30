//! A training loop of the user's own, which brings its model, data, loss and optimizer.

use super::mistakes::Mistakes;
use super::{place, range};
use crate::{Resolved, fields};
use rangefinder_errors::Code;
use rangefinder_proto::{sections, v1};
use rangefinder_sweep::event::FieldError;
use rangefinder_sweep::state::SweepRequest;

/// Headings under which everything belongs to the model that the worker brings itself.
const OF_THE_MODEL: [&str; 5] = [
    sections::MODEL,
    sections::DATA,
    sections::LOSS,
    sections::OPTIMIZER,
    sections::EVALUATION,
];
/// What else only our own worker does.
const OF_OUR_WORKER: [&str; 3] = ["accumulate", "global_batch_size", "precision"];

/// As [`super::resolve`], for a specification that names an `entry`.
///
/// What the worker brings does not apply here. `batch_size` is handed on where it is set; without
/// it the worker's own holds. The optimizer's memory is not known before the worker has said it.
pub(super) fn resolve(
    mut spec: v1::SweepSpec,
    workers: u32,
    cores: u32,
    mut mistakes: Mistakes,
) -> Result<Resolved, Vec<FieldError>> {
    brought_by_the_worker(&spec, &mut mistakes);
    if spec.batch_size == Some(0) {
        mistakes.add(
            Code::OutOfRange,
            "batch_size",
            "0 is too small; expected 1 or more",
            "remove it to use the batch size of your own training loop",
        );
    }
    let shuffle = *spec.shuffle.get_or_insert(true);
    let drop_last = *spec.drop_last.get_or_insert(false);
    let seed = *spec.seed.get_or_insert(0);
    let unknown = v1::Optimizer::default();
    let (range, stop, mut answer) = range::range(&mut spec, &mut mistakes, &unknown);
    answer.beta = None;
    let plan = place::plan(&mut spec, &mut mistakes, range, workers);
    let (device, workers_per_gpu) = place::device(&mut spec, &mut mistakes);
    let threads = place::threads(&mut spec, &mut mistakes, workers, cores);
    let deterministic = *spec.deterministic.get_or_insert(false);
    mistakes.into_result()?;

    let custom = v1::Custom {
        entry: spec.entry.clone().unwrap_or_default(),
        config: spec.custom_config.clone().unwrap_or_default().into_bytes(),
    };
    Ok(Resolved {
        request: SweepRequest {
            plan,
            stop,
            owner: String::new(),
            priority: 0,
        },
        trainer: v1::TrainerSpec {
            trainer: Some(v1::trainer_spec::Trainer::Custom(custom)),
            batch_size: spec.batch_size.unwrap_or_default(),
            shuffle,
            drop_last,
            seed,
            threads,
            deterministic,
            ..v1::TrainerSpec::default()
        },
        answer,
        device,
        workers,
        workers_per_gpu,
        spec,
    })
}

/// Notes every field that is set and belongs to a model, data or optimizer of ours.
fn brought_by_the_worker(spec: &v1::SweepSpec, mistakes: &mut Mistakes) {
    let set = serde_json::to_value(spec).unwrap_or_default();
    for field in fields::all() {
        let ours =
            OF_THE_MODEL.contains(&field.section) || OF_OUR_WORKER.contains(&field.name.as_str());
        mistakes.does_not_apply(
            &field.name,
            ours && set.get(&field.name).is_some(),
            "a training loop of your own, which brings its model, data and optimizer",
            "Rangefinder's own worker, without `--worker-command`",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::{Device, resolve};
    use rangefinder_proto::v1;
    use rangefinder_proto::v1::trainer_spec::Trainer;

    fn resolved(json: serde_json::Value) -> Result<crate::Resolved, String> {
        let spec: v1::SweepSpec = serde_json::from_value(json).unwrap();
        resolve(spec, 2, 8).map_err(|errors| {
            let lines = errors
                .iter()
                .map(|error| format!("{}: {}", error.field, error.message));
            lines.collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn an_entry_makes_the_trainer_the_workers_own_with_its_configuration() {
        let json = serde_json::json!({"entry": "m:setup", "custom_config": "{\"width\": 8}"});
        let resolved = resolved(json).unwrap();
        let Some(Trainer::Custom(custom)) = &resolved.trainer.trainer else {
            panic!("{:?}", resolved.trainer);
        };
        assert_eq!(custom.entry, "m:setup");
        assert_eq!(custom.config, b"{\"width\": 8}");
        assert_eq!(
            (resolved.trainer.batch_size, resolved.spec.batch_size),
            (0, None)
        );
        assert_eq!(
            (resolved.trainer.data.as_ref(), resolved.spec.model.as_ref()),
            (None, None)
        );
        assert_eq!(resolved.answer.beta, None, "the worker says it");
        assert_eq!(resolved.device, Device::Auto);
    }

    #[test]
    fn a_batch_size_is_handed_on_where_it_is_set() {
        let json = serde_json::json!({"entry": "", "batch_size": 16});
        assert_eq!(resolved(json).unwrap().trainer.batch_size, 16);
    }

    #[test]
    fn a_resolved_custom_specification_resolves_to_itself() {
        let once = resolved(serde_json::json!({"entry": "m:setup"})).unwrap();
        assert_eq!(resolve(once.spec.clone(), 2, 8).unwrap(), once);
    }

    #[test]
    fn what_the_worker_brings_itself_does_not_apply() {
        let json = serde_json::json!({
            "entry": "", "model": "mlp", "data": "digits", "loss": "mse", "optimizer": "sgd",
            "momentum": 0.9, "batch_size": 0,
        });
        let mistakes = resolved(json).unwrap_err();
        for field in [
            "model",
            "data",
            "loss",
            "optimizer",
            "momentum",
            "batch_size",
        ] {
            assert!(mistakes.contains(&format!("{field}: ")), "{mistakes}");
        }
    }

    #[test]
    fn a_configuration_needs_a_worker_that_reads_it() {
        let mistakes = resolved(serde_json::json!({"custom_config": "{}"})).unwrap_err();
        assert!(
            mistakes.contains("custom_config: does not apply"),
            "{mistakes}"
        );
    }
}
