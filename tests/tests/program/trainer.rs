//! What a training is made of beside its data: models, groups, checkpoints, evaluation, batches,
//! precision, memory.

use super::support::*;
use nix::sys::signal::Signal;
use rangefinder_report::SweepDocument;
use rangefinder_report::document::ObservedLoss;
use rangefinder_tests::processes;

const SHORT: [&str; 6] = [
    "--num-training",
    "20",
    "--split",
    "none",
    "--early-stop-threshold",
    "none",
];

/// A short unsplit sweep.
fn swept(args: &[&str]) -> (SweepDocument, Run) {
    let folder = Folder::new();
    let run = folder.sweep(&[&SHORT[..], args].concat());
    assert!(matches!(run.code, Some(0 | 3)), "{args:?}: {}", run.shown());
    (folder.document("out"), run)
}

fn losses(args: &[&str]) -> Vec<f64> {
    let losses = swept(args).0.curve.loss;
    assert!(losses.len() >= 10, "{args:?}: {losses:?}");
    losses
}

#[test]
fn resnet18_trains_on_images_that_are_varied_and_the_variation_is_seen() {
    let resnet = ["--model", "resnet18", "--width", "2", "--batch-size", "8"];
    let plain = losses(&resnet);
    let varied = losses(&[&resnet[..], &["--augment", "crop=1,flip"]].concat());
    assert_ne!(bits(&varied)[0], bits(&plain)[0]);
}

#[test]
fn groups_frozen_parameters_and_clipping_change_the_training_and_are_said() {
    let model = fixture("dropout_norm.pt");
    let base = ["--model", &model, "--min-lr", "1e-3", "--optimizer", "sgd"];
    let plain = losses(&base);
    for more in [
        ["--groups", "last.*:lr=10,weight_decay=0"],
        ["--freeze", "first.*"],
        ["--clip-norm", "0.1"],
        ["--clip-value", "0.01"],
    ] {
        let changed = losses(&[&base[..], &more].concat());
        assert_eq!(
            changed[0].to_bits(),
            plain[0].to_bits(),
            "{more:?}: before any update"
        );
        assert_ne!(changed[5].to_bits(), plain[5].to_bits(), "{more:?}");
    }
    let (_, run) = swept(&[&base[..], &["--groups", "last.*:lr=10"]].concat());
    assert!(run.stderr.contains("times 10 for"), "{}", run.shown());

    for flag in ["--groups=lst.*:lr=2", "--freeze=lst.*"] {
        let folder = Folder::new();
        let run = folder.sweep(&["--model", &model, flag]).exits(2);
        let told = "the pattern `lst.*` fits no parameter of the model, which has `first.weight`";
        assert!(run.stderr.contains(told), "{}", run.shown());
    }
}

/// A model that takes its targets, on its own data.
fn of_open_book(more: &[&str]) -> Vec<String> {
    let (model, data) = (fixture("open_book.pt"), fixture("open_book.npz"));
    let base = [
        "--model",
        &model,
        "--loss",
        "module",
        "--data",
        &data,
        "--input-keys",
        "x,which",
        "--target-key",
        "y",
        "--batch-size",
        "8",
        "--optimizer",
        "sgd",
        "--momentum",
        "0.9",
        "--min-lr",
        "1e-3",
    ];
    base.iter()
        .chain(more)
        .map(|&word| word.to_owned())
        .collect()
}

#[test]
fn training_goes_on_from_a_checkpoint_of_either_format_and_from_the_optimizers_state() {
    let of = |more: &[&str]| {
        let args = of_open_book(more);
        losses(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (pt, safetensors) = (fixture("resume/sgd.pt"), fixture("resume/sgd.safetensors"));
    let state = fixture("resume/sgd_optimizer.pt");
    let fresh = of(&[]);
    let weights = of(&["--weights", &pt]);
    let all = of(&["--weights", &safetensors, "--optimizer-state", &state]);
    assert_ne!(weights[0].to_bits(), fresh[0].to_bits());
    assert_eq!(all[0].to_bits(), weights[0].to_bits());
    assert_ne!(
        all[1].to_bits(),
        weights[1].to_bits(),
        "the momentum is remembered"
    );
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_with_every_name() {
    let folder = Folder::new();
    let refused = |more: &[&str], told: &str| {
        let args = of_open_book(more);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let run = folder.sweep(&args).exits(2);
        assert!(run.stderr.contains(told), "{told:?}: {}", run.shown());
        assert!(run.stderr.contains("state_dict"), "{}", run.shown());
    };
    let (weights, adam) = (
        fixture("resume/sgd.pt"),
        fixture("resume/adam_optimizer.pt"),
    );
    refused(
        &["--weights", &fixture("resume/wrong.pt")],
        "error[RF315]: --weights: ",
    );
    refused(&["--weights", &adam], "entries that are not tensors");
    refused(
        &["--optimizer-state", &weights],
        "error[RF314]: --optimizer-state: ",
    );
    refused(
        &["--optimizer-state", &weights],
        "does not hold an optimizer's state",
    );
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn the_loss_of_evaluation_data_is_observed_and_named() {
    let eval = [
        "--eval-data",
        "digits",
        "--eval-batches",
        "2",
        "--eval-every",
        "3",
    ];
    let (document, run) = swept(&eval);
    assert_eq!(document.observed_loss, Some(ObservedLoss::Evaluation));
    assert_ne!(bits(&document.curve.loss), bits(&losses(&[])));
    assert!(
        run.stderr.contains("20 steps of 3 updates"),
        "{}",
        run.shown()
    );
    assert!(run.stderr.contains("evaluation loss"), "{}", run.shown());
}

#[test]
fn a_global_batch_is_accumulated_and_stands_beside_the_learning_rate() {
    let (by_global, run) = swept(&["--batch-size", "32", "--global-batch-size", "128"]);
    let (by_count, _) = swept(&["--batch-size", "32", "--accumulate", "4"]);
    let (at_once, _) = swept(&["--batch-size", "128"]);
    assert_eq!(bits(&by_global.curve.loss), bits(&by_count.curve.loss));
    for document in [&by_global, &by_count, &at_once] {
        assert_eq!(document.effective_batch_size, Some(128));
    }
    assert_eq!(by_global.spec.accumulate, Some(4));
    // The same samples in the same order: only the sums are rounded otherwise.
    for (one, other) in by_global.curve.loss.iter().zip(&at_once.curve.loss).take(8) {
        assert!((one - other).abs() < 1e-4 * other, "{one} and {other}");
    }
    let said = "effective batch size 128 (4 batches of 32)";
    assert!(run.stderr.contains(said), "{}", run.shown());
}

#[test]
fn bf16_rounds_the_losses_and_is_said() {
    let (document, run) = swept(&["--precision", "bf16"]);
    let plain = losses(&[]);
    let (one, other) = (document.curve.loss[0], plain[0]);
    assert_ne!(one.to_bits(), other.to_bits());
    assert!((one - other).abs() < 0.02 * other, "{one} and {other}");
    assert!(
        run.stderr.contains("adamw, bf16: 20 steps"),
        "{}",
        run.shown()
    );
}

#[test]
fn running_out_of_memory_ends_the_sweep_at_once_with_a_remedy() {
    let folder = Folder::new();
    // Weights that no machine holds, and logits that no address space does.
    folder.write("tokens.bin", [1, 0].repeat(1 << 22));
    let weights = ["--hidden-sizes", "1048576,1048576"];
    let gpt = "--model gpt --layers 1 --heads 1 --width 2 --vocabulary 16777216 --data tokens.bin \
               --context 1 --batch-size 4000000";
    let gpt: Vec<&str> = gpt.split_whitespace().collect();
    for (args, what) in [
        (
            &weights[..],
            [
                "error[RF802]: --model: the weights alone",
                "use a smaller model",
            ],
        ),
        (
            &gpt[..],
            [
                "error[RF801]: --batch-size: ",
                "such as --batch-size 2000000 --accumulate 2",
            ],
        ),
    ] {
        for split in ["none", "segments"] {
            let run = folder.sweep(&[&["--workers", "2", "--split", split], args].concat());
            let run = run.exits(1);
            assert!(run.stderr.contains("memory"), "{}", run.shown());
            for part in what {
                assert!(run.stderr.contains(part), "{}", run.shown());
            }
            assert!(
                !run.stderr.contains("attempt"),
                "it was retried: {}",
                run.shown()
            );
            assert_eq!(folder.names(), ["tokens.bin"]);
        }
    }
}

#[test]
fn killed_workers_change_no_bit_with_accumulation_variation_and_evaluation() {
    let folder = Folder::new();
    for split in ["segments", "replicas"] {
        let sweep = |out: &str| {
            let args = [
                "--workers",
                "2",
                "--split",
                split,
                "--model",
                "cnn",
                "--hidden-sizes",
                "4,8",
                "--augment",
                "crop=1,flip",
                "--accumulate",
                "2",
                "--eval-data",
                "digits",
                "--eval-batches",
                "1",
                "--eval-every",
                "2",
                "--num-training",
                "200",
                "--out",
                out,
            ];
            Running::start(folder.sweep_command(&args))
        };
        let (whole, killed) = (format!("{split}-whole"), format!("{split}-killed"));
        let undisturbed = sweep(&whole).end();
        let running = sweep(&killed);
        running.until_training(2);
        let workers = running.workers();
        processes::signal(workers[0].pid, Signal::SIGKILL);
        let disturbed = running.end();
        let all = disturbed.shown();
        assert!(disturbed.stderr.contains("SIGKILL"), "{split}: {all}");
        assert_eq!(
            (disturbed.code, &disturbed.stdout),
            (undisturbed.code, &undisturbed.stdout)
        );
        let curve = |out: &str| folder.read(&format!("{out}/curve.csv"));
        assert_eq!(curve(&killed), curve(&whole), "{split}");
    }
}
