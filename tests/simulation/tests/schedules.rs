//! Random schedules of faults: whatever happens, each sweep results in what an undisturbed run gives.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests panic as tests do"
)]

use rangefinder_simulation::{Mutation, Summary, run};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Schedules in a run of the tests.
const SCHEDULES: u64 = 10_000;
/// Seeds within which each mutation has to be found.
const FOUND_WITHIN: u64 = 2_000;

/// Runs seeds on all processors until one fails; adds up what they came to.
fn run_all(seeds: std::ops::Range<u64>) -> Result<Summary, String> {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut sum = Summary::default();
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            match run(seed, None, false) {
                Ok(summary) => sum.add(summary),
                Err(problem) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(format!(
                        "SIMULATION_SEED={seed} fails: {problem}\n\
                         replay it: cargo run -p rangefinder-simulation --bin simulate -- --seed {seed} --trace"
                    ));
                }
            }
        }
        Ok(sum)
    };
    let threads = std::thread::available_parallelism().map_or(2, |threads| threads.get());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut sum = Summary::default();
        for thread in threads {
            sum.add(thread.join().unwrap()?);
        }
        Ok(sum)
    })
}

#[test]
fn whatever_happens_every_sweep_ends_in_the_result_of_an_undisturbed_run() {
    let seeds = match std::env::var("SIMULATION_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SIMULATION_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..SCHEDULES,
    };
    let whole = seeds.end - seeds.start > 1;
    let sum = run_all(seeds).unwrap_or_else(|problem| panic!("{problem}"));
    println!("{sum:?}");
    if whole {
        // The schedules are worth their name.
        assert!(sum.completed > 10_000 && sum.cancelled > 500, "{sum:?}");
        assert!(sum.restarts > 5_000 && sum.faults > 50_000, "{sum:?}");
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..20 {
        assert_eq!(run(seed, None, false), run(seed, None, false));
    }
}

/// The first seed at which a mutation is found, and how.
fn found(mutation: Mutation) -> String {
    let mut seeds =
        (0..FOUND_WITHIN).filter_map(|seed| Some((seed, run(seed, Some(mutation), false).err()?)));
    seeds
        .next()
        .map(|(seed, how)| {
            println!("{mutation:?} is found at seed {seed}");
            how
        })
        .unwrap_or_else(|| panic!("{mutation:?} is not found within {FOUND_WITHIN} seeds"))
}

#[test]
fn without_fencing_a_stale_report_is_found_in_the_attempt_of_another_lease() {
    let how = found(Mutation::FencingOff);
    assert!(how.contains("in the attempt of lease"), "{how}");
}

#[test]
fn an_answer_before_the_commit_is_found_when_the_coordinator_dies() {
    let how = found(Mutation::SendsBeforeCommit);
    assert!(
        how.contains("was acknowledged and is lost")
            || how.contains("were acknowledged, kept are those")
            || how.contains("was sent and is lost"),
        "{how}"
    );
}

#[test]
fn a_lease_that_never_expires_is_found_by_sweeps_that_do_not_end() {
    let how = found(Mutation::EndlessLeases);
    assert!(how.contains("do not end"), "{how}");
}

#[test]
fn losses_of_a_lost_attempt_are_found_in_the_next_one() {
    let how = found(Mutation::LostLossesMerged);
    assert!(how.contains("in the attempt of lease"), "{how}");
}

#[test]
fn an_event_that_the_store_loses_is_found_when_the_coordinator_starts_again() {
    let how = found(Mutation::LastEventLost);
    assert!(
        how.contains("cannot be followed") || how.contains("valid are") || how.contains("a gap"),
        "{how}"
    );
}
