//! Training on from what PyTorch saved is PyTorch's own run without a break.

use crate::cases::{Case, case, cases};
use crate::support::{fixture, trainer};
use rangefinder_proto::v1;
use rangefinder_session::trainer::{Failure, Trainer};

fn from_safetensors(mut case: Case) -> Case {
    case.spec.weights = case.spec.weights.replace(".pt", ".safetensors");
    case
}

#[test]
fn weights_buffers_and_optimizers_go_on_as_in_pytorch() {
    let cases = cases("resume.json");
    assert_eq!(cases.len(), 6);
    for case in cases {
        case.assert_as_in_pytorch();
        from_safetensors(case).assert_as_in_pytorch();
    }
}

#[test]
fn without_the_optimizers_state_all_but_the_first_loss_differ() {
    // That the state is used shows in what is missing without it.
    for name in ["sgd", "adam", "rmsprop"] {
        let mut case = case("resume.json", name);
        case.spec.optimizer.as_mut().unwrap().state.clear();
        let losses = case.run().losses;
        let off = |step: usize| (losses[step] / case.losses[step] - 1.0).abs();
        assert!(off(0) < 1e-6, "{name}: {}", off(0));
        assert!(off(1) > 1e-5, "{name}: {}", off(1));
    }
}

#[test]
fn each_task_starts_from_the_checkpoint_again() {
    let case = case("resume.json", "adam");
    assert_eq!(case.run().losses, case.run().losses);
}

#[test]
fn the_described_loss_is_that_of_the_checkpoint() {
    let case = case("resume.json", "sgd");
    let described = trainer().describe(&case.spec).unwrap();
    assert_eq!(described.initial_loss, case.run().losses[0]);
}

#[track_caller]
fn assert_refused(spec: &v1::TrainerSpec, field: &str, parts: &[&str]) {
    let failure: Failure = trainer().describe(spec).unwrap_err();
    assert_eq!(failure.kind, v1::FailureKind::User, "{failure:?}");
    assert_eq!(failure.fields[0].field, field, "{failure:?}");
    for part in parts {
        assert!(failure.message.contains(part), "{failure:?} lacks {part}");
    }
}

fn with_state(name: &str, state: &str) -> v1::TrainerSpec {
    let mut spec = case("resume.json", name).spec;
    spec.optimizer.as_mut().unwrap().state = fixture(state).display().to_string();
    spec
}

#[test]
fn every_wrong_name_and_shape_of_weights_is_listed() {
    let mut spec = case("resume.json", "sgd").spec;
    spec.weights = fixture("resume/wrong.pt").display().to_string();
    assert_refused(
        &spec,
        "weights",
        &[
            "wrong.pt",
            "missing `norm.weight`, `norm.running_var`",
            "unknown `nrom.weight`",
            "the model has `norm.weight`",
            "head.weight is [4, 5], expected [3, 5]",
        ],
    );
}

#[test]
fn every_wrong_name_of_an_optimizers_state_is_listed() {
    assert_refused(
        &with_state("adam", "resume/wrong_optimizer.pt"),
        "optimizer_state",
        &[
            "wrong_optimizer.pt",
            "lacks the parameters `body.weight`, `norm.weight`, `norm.bias`, `head.weight`",
            "unknown parameters `tail.bias`",
        ],
    );
}

#[test]
fn the_state_of_another_optimizer_is_refused() {
    let adam = "resume/adam_optimizer.pt";
    assert_refused(
        &with_state("sgd", adam),
        "optimizer_state",
        &["does not fit sgd", "body.weight remembers `step`"],
    );
    assert_refused(
        &with_state("rmsprop", "resume/sgd_optimizer.pt"),
        "optimizer_state",
        &["norm.weight lacks `step`; norm.bias lacks `step`"],
    );
    assert_refused(
        &with_state("adam", "resume/sgd_plain_optimizer.pt.missing"),
        "optimizer_state",
        &["cannot be read"],
    );
}

#[test]
fn a_file_that_holds_no_state_is_named() {
    assert_refused(
        &with_state("adam", "resume/adam.pt"),
        "optimizer_state",
        &["does not hold an optimizer's state"],
    );
    let mut spec = case("resume.json", "sgd").spec;
    spec.weights = fixture("resume/sgd_optimizer.pt").display().to_string();
    assert_refused(&spec, "weights", &["not tensors"]);
}
