//! What splits and numbers of workers may change, and what they may not.
//!
//! The threads of a worker are fixed: they change the order of sums.

use super::support::*;
use rangefinder_report::SweepDocument;

/// Dropout and batch norm: what a step computes depends on noise and on all steps before it.
fn sweep(args: &[&str]) -> SweepDocument {
    let folder = Folder::new();
    let model = fixture("dropout_norm.pt");
    let args = [&["--model", &model, "--quiet"], args].concat();
    folder.sweep(&args).exits(0);
    folder.document("out")
}

#[test]
fn the_result_depends_on_the_plan_and_not_on_how_many_workers_run_it() {
    let plans: [(&[&str], &str); 2] = [
        (&["--split", "segments", "--segments", "3"], "2"),
        (
            &["--split", "hybrid", "--segments", "2", "--replicas", "2"],
            "3",
        ),
    ];
    for (plan, workers) in plans {
        let with = |workers: &str| sweep(&[plan, &["--workers", workers]].concat());
        let (one, several) = (with("1"), with(workers));
        assert!(one.suggestion.is_some());
        let tasks = |document: &SweepDocument| document.plan.as_ref().unwrap().tasks.clone();
        assert!(tasks(&one).len() > 2);
        assert_eq!(tasks(&several), tasks(&one));
        assert_eq!(several.curve, one.curve, "{plan:?} on {workers} workers");
        assert_eq!(several.suggestion, one.suggestion);
        for (replica, same) in several.replicas.iter().zip(&one.replicas) {
            assert_eq!(bits(&replica.curve.loss), bits(&same.curve.loss));
        }
    }
}

#[test]
fn the_first_replica_is_the_unsplit_sweep_and_the_others_are_not() {
    let unsplit = sweep(&["--split", "none"]);
    let replicas = sweep(&["--split", "replicas", "--replicas", "2", "--workers", "2"]);
    let of =
        |document: &SweepDocument, replica: usize| bits(&document.replicas[replica].curve.loss);
    assert_eq!(of(&replicas, 0), of(&unsplit, 0));
    assert_ne!(of(&replicas, 1), of(&unsplit, 0));
}

#[test]
fn the_first_segment_is_the_beginning_of_the_unsplit_sweep() {
    let unsplit = sweep(&["--split", "none"]);
    let split = sweep(&["--split", "segments", "--segments", "2", "--workers", "2"]);
    let boundary = split.plan.as_ref().unwrap().tasks[1].start as usize;
    assert!(boundary > 10);
    assert_eq!(
        bits(&split.curve.loss[..boundary]),
        bits(&unsplit.curve.loss[..boundary])
    );
}

#[test]
fn a_warm_up_that_reaches_back_to_the_first_step_gives_the_unsplit_curve() {
    // From 1e-3 on no step is too small to matter, so nothing of the warm-up can be left out: a
    // segment would have to begin at step 0 itself, and the plan says that it is not worth it.
    let range = ["--min-lr", "1e-3", "--max-lr", "10", "--optimizer", "sgd"];
    let unsplit = sweep(&[&range[..], &["--split", "none"]].concat());
    let split = [
        "--split",
        "segments",
        "--segments",
        "2",
        "--overlap",
        "8",
        "--workers",
        "2",
    ];
    let split = sweep(&[&range[..], &split].concat());
    assert_eq!(bits(&split.curve.loss), bits(&unsplit.curve.loss));
    assert_eq!(split.suggestion, unsplit.suggestion);
}
