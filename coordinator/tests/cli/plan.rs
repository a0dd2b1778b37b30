//! `coordinator plan`.

use super::run;

#[test]
fn the_plan_is_shown_without_a_worker() {
    let plan = run(&["plan", "--workers", "4"]);
    assert_eq!(plan.code, 0, "{}", plan.shown());
    insta::assert_snapshot!(plan.shown());
}

#[test]
fn the_plan_is_one_object_with_json() {
    let plan = run(&["plan", "--workers", "4", "--split", "segments", "--json"]).json();
    let tasks = plan["plan"]["tasks"].as_array().unwrap();
    assert!(tasks.len() > 1, "{plan}");
    assert_eq!(tasks[0]["start"], 0);
    assert_eq!(tasks[tasks.len() - 1]["end"], 100);
    assert_eq!(plan["may_be_shortened_by_a_probe"], true);
    assert_eq!(plan["spec"]["split"], "segments");
}

#[test]
fn memory_of_the_optimizer_lengthens_warm_ups() {
    let warm_up = |args: &[&str]| {
        let args = [
            &["plan", "--workers", "4", "--split", "segments", "--json"],
            args,
        ]
        .concat();
        run(&args).json()["plan"]["warm_up_steps"].as_u64().unwrap()
    };
    let plain = warm_up(&["--optimizer", "sgd"]);
    assert_eq!(
        warm_up(&["--optimizer", "sgd", "--momentum", "0.9"]),
        plain + 10
    );
    assert_eq!(
        warm_up(&["--optimizer", "adam", "--beta1", "0.5"]),
        plain + 2
    );
}
