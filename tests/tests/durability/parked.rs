//! The coordinator told to stop.

use super::bench::*;
use nix::sys::signal::Signal;
use rangefinder_report::document::Status;

#[test]
fn a_signal_parks_a_sweep_with_a_folder_of_its_own_and_says_how_to_go_on() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bench = Bench::new();
        let undisturbed = bench.sweep(&["--out", "undisturbed"]).exits(0);
        let running = bench.start(&["--data-dir", "D", "--out", "out"]);
        running.until_step("D", 0, 20);
        let parked = running.end_by(signal).exits(130);
        assert_eq!(parked.stdout, "");
        assert!(
            parked.stderr.ends_with("go on with\n  coordinator resume D\n"),
            "{}",
            parked.shown()
        );
        assert!(!bench.path("out").join("sweep.json").exists());

        let resumed = bench.run(&["resume", "D"]).exits(0);
        assert_eq!(resumed.stdout, undisturbed.stdout);
        // It was closed in good order: there is nothing to note.
        assert!(!resumed.stderr.contains("note: "), "{}", resumed.shown());
        assert_same_answer(&bench.document("out"), &bench.document("undisturbed"));
    }
}

#[test]
fn a_sweep_that_was_gone_on_with_can_be_parked_again() {
    let bench = Bench::new();
    let running = bench.start(&["--data-dir", "D", "--out", "out"]);
    running.until_step("D", 0, 10);
    running.end_by(Signal::SIGINT).exits(130);
    let seen = bench.events("D").len();
    let running = bench.running(&["resume", "D"]);
    running.until_step("D", seen, 15);
    running.end_by(Signal::SIGINT).exits(130);
    bench.run(&["resume", "D"]).exits(0);
    assert_eq!(bench.document("out").status, Status::Completed);
}

#[test]
fn without_a_folder_it_is_cancelled_and_what_there_is_is_written() {
    let bench = Bench::new();
    let running = bench.start(&["--out", "out"]);
    let started = rangefinder_tests::processes::eventually(|| {
        !rangefinder_tests::processes::workers(running.pid()).is_empty()
    });
    assert!(started);
    let cancelled = running.end_by(Signal::SIGINT).exits(130);
    assert!(!cancelled.stderr.contains("resume"), "{}", cancelled.shown());
    assert_eq!(bench.document("out").status, Status::Cancelled);
}
