//! `coordinator workers`: the workers of a service.

use super::args::WorkersArgs;
use super::screen::Screen;
use super::service::Service;
use super::table::{plain, table};
use crate::cli::output::{Trouble, print};
use crate::exit;
use crate::wire::sweeps;
use rangefinder_proto::v1;
use serde::Serialize;
use std::collections::BTreeMap;

const COLUMNS: [&str; 7] = [
    "worker",
    "state",
    "device",
    "sweep",
    "completed",
    "failed",
    "reason",
];

/// A worker as `--json` prints it.
#[derive(Debug, Serialize)]
struct WorkerJson<'a> {
    id: &'a str,
    state: &'static str,
    reason: &'a str,
    device: &'a str,
    versions: BTreeMap<&'a str, &'a str>,
    /// Empty for none, and for one that the caller may not see.
    sweep: &'a str,
    completed: u32,
    failed: u32,
}

impl<'a> WorkerJson<'a> {
    fn of(worker: &'a v1::Worker) -> Self {
        let versions = worker.versions.iter();
        Self {
            id: &worker.id,
            state: sweeps::worker_state_name(worker.state()),
            reason: &worker.reason,
            device: &worker.device,
            versions: versions
                .map(|(part, version)| (part.as_str(), version.as_str()))
                .collect(),
            sweep: &worker.sweep_id,
            completed: worker.completed,
            failed: worker.failed,
        }
    }
}

pub(in crate::cli) fn workers(args: WorkersArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let screen = Screen::new(false);
    service.run(&screen, async |client| {
        let workers = client
            .workers()
            .await
            .map_err(|error| Trouble::service(&error))?;
        if args.json {
            let all: Vec<_> = workers.iter().map(WorkerJson::of).collect();
            print(&serde_json::to_string(&all).map_err(|error| Trouble::not_json(&error))?)?;
        } else if workers.is_empty() {
            screen.note("No worker is connected, or was not long ago.");
        } else {
            let rows: Vec<_> = workers.iter().map(row).collect();
            print(&table(&COLUMNS, &rows))?;
        }
        Ok(exit::OK)
    })
}

fn row(worker: &v1::Worker) -> Vec<String> {
    vec![
        plain(&worker.id),
        sweeps::worker_state_name(worker.state()).to_owned(),
        plain(&worker.device),
        plain(&worker.sweep_id),
        worker.completed.to_string(),
        worker.failed.to_string(),
        plain(&worker.reason),
    ]
}
