//! `rangefinder-load`: how the service scales, as the tables of `docs/benchmarks.md` and one JSON
//! object.

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use rangefinder_load::{Coordinator, Pace, Sweep, ramp, stored, table};
use std::path::PathBuf;
use std::time::Duration;

/// Measures how the service scales. Tables and one JSON object go to stdout.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is measured.
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// The coordinator; by default the one that was built beside this program.
    #[arg(long, value_name = "FILE")]
    coordinator: Option<PathBuf>,
    /// Folder for the stores; by default the system's for temporary files, which should be on a disk.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Levels of load, in workers.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10,30,100,300,1000,2000,4000"
    )]
    workers: Vec<u32>,
    /// Seconds for which a level is measured.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Seconds for which a level runs before that.
    #[arg(long, default_value_t = 3.0)]
    warm_up: f64,
    /// Seconds between two reports of a worker.
    #[arg(long, default_value_t = 1.0)]
    period: f64,
    /// Observations in a report.
    #[arg(long, default_value_t = 100)]
    batch: u32,
    /// Steps of a replica.
    #[arg(long, default_value_t = 2000)]
    steps: u32,
    /// Replicas of a sweep.
    #[arg(long, default_value_t = 10)]
    replicas: u32,
    /// Finished sweeps in the store.
    #[arg(long, default_value_t = 10_000)]
    sweeps: u64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Both.
    All,
    /// Levels of load, one after the other, until it breaks.
    Ramp,
    /// A store of many finished sweeps.
    Store,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let program = match arguments.coordinator {
        Some(program) => program,
        None => Coordinator::program()?,
    };
    let mut levels = Vec::new();
    if arguments.what != What::Store {
        let seconds = |seconds| {
            Duration::try_from_secs_f64(seconds).context("this many seconds cannot be waited")
        };
        let options = ramp::Options {
            program: program.clone(),
            folder: arguments.folder.clone(),
            pace: Pace {
                period: seconds(arguments.period)?,
                batch: arguments.batch,
            },
            sweep: Sweep {
                replicas: arguments.replicas,
                steps: arguments.steps,
            },
            warm_up: seconds(arguments.warm_up)?,
            measured: seconds(arguments.seconds)?,
        };
        let done = |level: &ramp::Level| eprint!("{}", table::levels(std::slice::from_ref(level)));
        levels = ramp::levels(&options, &arguments.workers, done).await?;
        println!("{}", table::levels(&levels));
    }
    let mut store = None;
    if arguments.what != What::Ramp {
        let options = stored::Options {
            program,
            folder: arguments.folder,
            sweeps: arguments.sweeps,
        };
        let measured = stored::measure(&options).await?;
        println!("{}", table::stored(&measured));
        store = Some(measured);
    }
    println!("{}", serde_json::json!({"levels": levels, "store": store}));
    Ok(())
}
