//! Data of every format, from the file to the curve.

use super::support::*;
use std::fmt::Write as _;

/// A short sweep of a tiny model: what it saw is described by its file.
fn samples(folder: &Folder, args: &[&str]) -> u64 {
    let short = [
        "--num-training",
        "20",
        "--batch-size",
        "2",
        "--early-stop-threshold",
        "none",
        "-q",
    ];
    let run = folder.sweep(&[args, &short].concat());
    assert!(matches!(run.code, Some(0 | 3)), "{args:?}: {}", run.shown());
    let document = folder.document("out");
    let losses = &document.curve.loss;
    assert!(losses.len() >= 10, "{args:?}: {losses:?}");
    assert!(losses[..10].iter().all(|loss| loss.is_finite()), "{args:?}");
    document.described.unwrap().samples
}

const SMALL: [&str; 2] = ["--hidden-sizes", "4"];

#[test]
fn packed_idx_files_train() {
    let (images, labels) = (
        data_fixture("images-idx3-ubyte.gz"),
        data_fixture("labels-idx1-ubyte.gz"),
    );
    let data = ["--data", &images, "--targets", &labels];
    assert_eq!(samples(&Folder::new(), &[&SMALL[..], &data].concat()), 6);
    let evaluated = ["--eval-data", &images, "--eval-targets", &labels];
    let all = [&SMALL[..], &data, &evaluated].concat();
    assert_eq!(samples(&Folder::new(), &all), 6);
}

#[test]
fn tables_train_towards_categories_and_numbers() {
    let folder = Folder::new();
    let mut table = "a,b,kind,size\n".to_owned();
    for row in 0..30_u8 {
        let kind = ["small", "large"][usize::from(row % 2)];
        writeln!(table, "{row}.5,{},{kind},{}", 30 - row, row % 2).unwrap();
    }
    folder.write(
        "numbers.csv",
        table.replace("small", "0").replace("large", "1"),
    );
    let without_size: Vec<_> = table
        .lines()
        .map(|row| row.rsplit_once(',').unwrap().0)
        .collect();
    folder.write("kinds.csv", without_size.join("\n"));
    let of = |file, column, loss| {
        let args = ["--data", file, "--target-column", column, "--loss", loss];
        samples(&folder, &[&SMALL[..], &args].concat())
    };
    assert_eq!(of("kinds.csv", "kind", "cross_entropy"), 30);
    for loss in ["mse", "l1", "smooth_l1", "bce_with_logits"] {
        assert_eq!(of("numbers.csv", "size", loss), 30);
    }
    let told = folder
        .sweep(&["--data", "kinds.csv", "--target-column", "kin"])
        .exits(2);
    assert!(
        told.stderr.contains("did you mean `kind`?"),
        "{}",
        told.shown()
    );
}

#[test]
fn files_of_a_pattern_are_one_set_of_data() {
    let pattern = data_fixture("shards") + "/part-{000..002}.npz";
    let one = data_fixture("shards/part-000.npz");
    let of = |data: &str| samples(&Folder::new(), &["--data", data, "--hidden-sizes", "4"]);
    let first = of(&one);
    assert!(of(&pattern) > first + 1, "{first}");
}

#[test]
fn a_stream_of_tokens_trains_gpt_and_is_held_to_its_context_and_vocabulary() {
    let folder = Folder::new();
    let tokens = |count: u16| -> Vec<u8> {
        let tokens = (0..count).map(|at| at * 7 % 11);
        tokens.flat_map(u16::to_le_bytes).collect()
    };
    folder.write("long.bin", tokens(161));
    folder.write("short.bin", tokens(8));
    let gpt = [
        "--model", "gpt", "--layers", "1", "--heads", "2", "--width", "8",
    ];
    let with = |more: &[&'static str]| [&gpt[..], &["--context", "8"], more].concat();
    assert_eq!(samples(&folder, &with(&["--data", "long.bin"])), 20);
    let spec = folder.document("out").spec;
    assert_eq!((spec.context, spec.width), (Some(8), Some(8)));

    for (more, message) in [
        (
            &["--data", "short.bin"][..],
            "has 8 tokens, but a sample of `context` 8 takes one more",
        ),
        (
            &["--data", "long.bin", "--vocabulary", "10"],
            "--vocabulary: token out of range: `inputs` of sample 0 has 10, expected 0 to 9\n  \
             use vocabulary 11, or leave it out",
        ),
        (
            &["--data", "long.bin", "--augment", "flip"],
            "--augment: there are no images",
        ),
    ] {
        let run = folder
            .sweep(&[&with(more)[..], &["--batch-size", "2"]].concat())
            .exits(2);
        assert!(run.stderr.contains(message), "{}", run.shown());
    }
}
