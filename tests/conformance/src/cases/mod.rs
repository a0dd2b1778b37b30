//! The cases.
//!
//! - `joining`: Hello, credential, how a worker process ends.
//! - `work`: describe, probe, tasks and their losses.
//! - `leases`: what is stopped, superseded, handed back.
//! - `links`: connections that break, acknowledgements that do not come.
//! - `trouble`: mistakes, memory, NaN, a step that hangs.

mod joining;
mod leases;
mod links;
mod trouble;
mod work;

use crate::Subject;
use crate::coordinator::{Connection, Coordinator};
use crate::process::Worker;
use rangefinder_proto::v1;
use rangefinder_proto::v1::connect_request::Message as FromWorker;
use rangefinder_proto::v1::connect_response::Message as ToWorker;
use std::pin::Pin;

type Case = for<'a> fn(&'a Subject) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// A table of cases: the name of each is the promise that it holds the worker to.
macro_rules! cases {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        [$((stringify!($case), (|subject| Box::pin(on_a_bench(subject, async |bench| {
            $module::$case(bench).await
        }))) as Case)),+]
    };
}

pub(crate) fn all() -> Vec<(&'static str, Case)> {
    cases![
        joining::hello_says_who_the_worker_is,
        joining::a_wrong_credential_ends_the_worker_with_words,
        joining::a_worker_that_was_replaced_ends,
        joining::the_worker_ends_with_its_standard_input,
        joining::sigterm_ends_an_idle_worker_in_good_order,
        work::describe_says_what_model_and_data_are,
        work::probe_measures_the_gradient_and_the_time_of_a_step,
        work::a_task_reports_exactly_its_steps_and_rates,
        work::replay_of_a_task_gives_the_same_bits_also_in_another_process,
        work::a_batch_belongs_to_its_step_wherever_the_task_starts,
        work::another_replica_has_another_order,
        leases::stop_drops_the_task_and_the_next_one_runs,
        leases::a_stale_token_is_dropped_quietly,
        leases::repeated_and_late_messages_change_nothing,
        leases::drain_lets_the_task_at_hand_finish,
        leases::drain_hands_back_what_takes_too_long_or_has_not_begun,
        links::a_reconnect_loses_nothing,
        links::what_is_not_acknowledged_is_sent_again,
        trouble::a_user_error_comes_back_with_its_field_and_a_remedy,
        trouble::running_out_of_memory_is_a_kind_of_its_own_and_names_the_batch_size,
        trouble::a_nan_loss_is_reported_and_ends_the_task,
        trouble::heartbeats_go_on_while_a_step_hangs_and_show_no_progress,
    ]
    .into()
}

/// A scripted coordinator and the worker that is to join it.
struct Bench<'a> {
    subject: &'a Subject,
    coordinator: Coordinator,
    worker: Option<Worker>,
}

/// Runs a case; what goes wrong in it is told with the worker's last words.
async fn on_a_bench(
    subject: &Subject,
    case: impl AsyncFnOnce(&mut Bench<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut bench = Bench {
        subject,
        coordinator: Coordinator::start().await?,
        worker: None,
    };
    let result = case(&mut bench).await;
    let words = bench.worker.as_ref().map(Worker::words).unwrap_or_default();
    result.map_err(|why| match words.as_str() {
        "" => why,
        words => format!("{why}\nthe worker's last words:\n{words}"),
    })
}

impl Bench<'_> {
    /// Starts the worker, `extra` in its environment.
    fn start(&mut self, extra: &[(&str, &str)]) -> Result<&mut Worker, String> {
        let worker = Worker::start(self.subject, self.coordinator.address, extra)?;
        Ok(self.worker.insert(worker))
    }

    /// Starts the worker and greets it.
    async fn joined(&mut self, extra: &[(&str, &str)]) -> Result<Connection, String> {
        self.start(extra)?;
        Ok(self.coordinator.greet().await?.0)
    }

    fn worker(&mut self) -> Result<&mut Worker, String> {
        self.worker
            .as_mut()
            .ok_or_else(|| "no worker was started".to_owned())
    }
}

/// Fails with words unless something holds.
fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Runs a task to its end and acknowledges it.
async fn run(
    connection: &mut Connection,
    assign: v1::Assign,
) -> Result<(Vec<v1::Observation>, v1::Finished), String> {
    let (token, first) = (assign.lease_token, assign.warm_up_start);
    connection.send(ToWorker::Assign(assign)).await?;
    let (seen, end) = connection.until_end(token, first).await?;
    let end = finished(end, token)?;
    connection.ack(token, end.end, true).await?;
    Ok((seen, end))
}

fn finished(message: FromWorker, token: u64) -> Result<v1::Finished, String> {
    match message {
        FromWorker::Finished(end) if end.lease_token == token => Ok(end),
        other => Err(format!("expected Finished of lease {token}, got {other:?}")),
    }
}

fn failed(message: FromWorker, token: u64) -> Result<v1::Failed, String> {
    match message {
        FromWorker::Failed(failure) if failure.lease_token == token => Ok(failure),
        other => Err(format!("expected Failed of lease {token}, got {other:?}")),
    }
}

/// Describes a specification; the answer must be Described.
async fn describe(
    connection: &mut Connection,
    lease_token: u64,
    trainer: v1::TrainerSpec,
) -> Result<v1::Described, String> {
    let trainer = Some(trainer);
    let order = v1::Describe {
        lease_token,
        trainer,
        traceparent: String::new(),
    };
    connection.send(ToWorker::Describe(order)).await?;
    match connection.report().await? {
        FromWorker::Described(described) if described.lease_token == lease_token => {
            connection.ack(lease_token, 0, true).await?;
            Ok(described)
        }
        other => Err(format!(
            "expected Described of lease {lease_token}, got {other:?}"
        )),
    }
}
