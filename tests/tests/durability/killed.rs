//! The coordinator killed in the middle of a sweep.

use super::bench::*;
use nix::sys::signal::Signal;
use rangefinder_sweep::event::AttemptOutcome;
use rangefinder_tests::sweep::endings;

#[test]
fn a_killed_sweep_comes_to_the_same_files_and_the_same_answer_as_the_command_had_asked_for() {
    for split in ["none", "segments", "replicas"] {
        let bench = Bench::new();
        let undisturbed = bench.sweep(&["--split", split, "--out", "undisturbed"]);
        let undisturbed = undisturbed.exits(0);
        bench.write("hparams.yaml", "lr: 0.5\n");
        let running = bench.start(&[
            "--split",
            split,
            "--data-dir",
            "D",
            "--out",
            "out",
            "--hparams",
            "hparams.yaml",
            "--auto-lr-find",
        ]);
        running.until_step("D", 0, 20);
        let killed = running.end_by(Signal::SIGKILL);
        assert_eq!(killed.code, None, "{}", killed.shown());
        assert_eq!(bench.read("hparams.yaml"), "lr: 0.5\n");

        let resumed = bench.run(&["resume", "D"]).exits(0);
        assert_eq!(resumed.stdout, undisturbed.stdout);
        assert!(!resumed.stderr.contains("error["), "{}", resumed.shown());
        let notes = resumed.stderr.matches("note: ").count();
        assert_eq!(notes, 1, "{}", resumed.shown());
        assert!(
            resumed.stderr.contains("all that it acknowledged is there"),
            "{}",
            resumed.shown()
        );
        assert_eq!(bench.read("out/curve.csv"), bench.read("undisturbed/curve.csv"));
        let document = bench.document("out");
        assert_same_answer(&document, &bench.document("undisturbed"));
        assert_eq!(
            bench.read("hparams.yaml"),
            format!("lr: {}\n", resumed.stdout.trim_end())
        );
        let lost = endings(&document);
        let how = "it ended with the command that was interrupted";
        assert!(
            lost.iter()
                .any(|ending| matches!(ending, AttemptOutcome::Lost(cause) if cause.contains(how))),
            "{lost:?}"
        );
        let checked = bench.run(&["store", "check", "D"]).exits(0);
        assert!(checked.stdout.starts_with("1 sweep, "), "{}", checked.stdout);
    }
}

#[test]
fn it_may_be_killed_any_number_of_times_as_long_as_each_gets_a_little_further() {
    let bench = Bench::new();
    bench
        .sweep(&["--split", "none", "--out", "undisturbed"])
        .exits(0);
    let mut running = bench.start(&["--split", "none", "--data-dir", "D", "--out", "out"]);
    let mut seen = 0;
    // More often than a task may be lost in a row.
    for step in [5, 10, 15, 20, 25] {
        running.until_step("D", seen, step);
        running.end_by(Signal::SIGKILL);
        seen = bench.events("D").len();
        running = bench.running(&["resume", "D"]);
    }
    running.until_step("D", seen, 0);
    running.end_by(Signal::SIGKILL);
    bench.run(&["resume", "D"]).exits(0);
    let document = bench.document("out");
    assert_same_answer(&document, &bench.document("undisturbed"));
    assert!(endings(&document).len() > 6);
    let numbers = bench.events("D").into_iter().map(|event| event.number);
    assert!((1..).zip(numbers).all(|(count, number)| count == number));
}
