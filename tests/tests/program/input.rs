//! What can be asked wrongly and only a worker can tell: each is one clear message, soon, and
//! nothing is left behind.

use super::support::*;
use std::fs;
use std::time::Duration;

/// A `.npy` file; `data` in little-endian order.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

fn integers(values: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let data: Vec<_> = values.into_iter().flat_map(i64::to_le_bytes).collect();
    npy("<i8", &format!("({},)", data.len() / 8), &data)
}

fn floats(rows: usize, columns: usize) -> Vec<u8> {
    let data = vec![0; rows * columns * 4];
    npy("<f4", &format!("({rows}, {columns})"), &data)
}

/// A folder with data of 80 samples and files that are none.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("text.pt", "hello\n");
    folder.write("text.npz", "hello\n");
    folder.write("x.npy", floats(80, 64));
    folder.write("reals.npy", floats(80, 1));
    folder.write("y.npy", integers((0..80).map(|sample| sample % 10)));
    folder.write("high.npy", integers((0..80).map(|sample| sample % 11)));
    folder.write(
        "negative.npy",
        integers((0..80).map(|sample| sample % 10 - 1)),
    );
    folder.write("few.npy", integers((0..79).map(|sample| sample % 10)));
    folder
}

#[test]
fn bad_input_is_one_clear_message_with_a_remedy_and_leaves_nothing_behind() {
    let folder = folder();
    let before = folder.names();
    let (cnn, net, scalar) = (
        fixture("cnn.pt"),
        fixture("dropout_norm.pt"),
        fixture("module_loss.pt"),
    );
    let (two, none) = (fixture("two_inputs.pt"), fixture("no_parameters.pt"));
    let on = |targets: &'static str| ["--data", "x.npy", "--targets", targets];
    let [data, x, targets, y] = on("y.npy");
    let cases: &[(&[&str], &str, &str, &str)] = &[
        (
            &["--model", "gone.pt"],
            "RF701",
            "--model: there is no file `gone.pt`",
            "check the path",
        ),
        (
            &["--model", "."],
            "RF702",
            "--model: `.` is a folder",
            "the file itself",
        ),
        (
            &["--model", "text.pt"],
            "RF301",
            "is not a TorchScript file",
            "torch.jit.script(model).save",
        ),
        (
            &["--model", &none],
            "RF302",
            "--model: the model has no trainable parameters",
            "require a gradient",
        ),
        (
            &["--model", &two],
            "RF303",
            "--input-keys: the model's forward does not take 1 argument (",
            "name one input array",
        ),
        (
            &["--model", &cnn, data, x, targets, y],
            "RF304",
            "--model: the model cannot process a batch of the data (inputs: Float [64, 64])",
            "of the shape",
        ),
        (
            &["--model", &net, "--loss", "module"],
            "RF303",
            "does not take 2 arguments",
            "`module`",
        ),
        (
            &["--model", &scalar],
            "RF303",
            "does not take 1 argument (",
            "`module`",
        ),
        (
            &["--data", "gone.npz"],
            "RF701",
            "--data: there is no file `gone.npz`",
            "check the path",
        ),
        (
            &["--data", "text.npz"],
            "RF402",
            "is not a .npz file",
            "numpy.savez",
        ),
        (
            &[data, x, targets, "few.npy"],
            "RF406",
            "80 samples but",
            "save arrays that belong together",
        ),
        (
            &["--model", &net, data, x, targets, "high.npy"],
            "RF409",
            "of sample 10 is 10, expected 0 to 9",
            "number the classes from 0",
        ),
        (
            &["--model", &net, data, x, targets, "negative.npy"],
            "RF409",
            "of sample 0 is -1, expected 0 to 9",
            "number the classes from 0",
        ),
        (
            &[data, x, targets, "reals.npy"],
            "RF309",
            "--loss: cross_entropy needs class indices",
            "mse",
        ),
        (
            &["--loss", "mse"],
            "RF309",
            "--loss: mse needs real targets",
            "cross_entropy",
        ),
        (
            &[
                "--model",
                &net,
                data,
                x,
                targets,
                "reals.npy",
                "--loss",
                "mse",
            ],
            "RF310",
            "--loss: ",
            "shape",
        ),
        (
            &["--batch-size", "1798"],
            "RF210",
            "--batch-size: the batch size 1798 is larger than the data, which has 1797 samples",
            "at most 1797",
        ),
        (
            &["--device", "cuda:0"],
            "RF501",
            "device `cuda:0` was asked for, but no GPU is visible",
            "--device cpu",
        ),
        (
            &["--workers", "100000"],
            "RF202",
            "--workers: 100000",
            "expected 1 to",
        ),
        (
            &["--batch-size", "64", "--global-batch-size", "1856"],
            "RF210",
            "--accumulate: 29 batches of batch_size 64 are 1856 samples a step",
            "at most 1797",
        ),
        (
            &["--out", "text.pt/below"],
            "RF705",
            "text.pt/below",
            "--out",
        ),
    ];
    for (args, code, message, remedy) in cases {
        let run = folder.sweep(args).exits(2);
        let told = |part: &str| {
            assert!(
                run.stderr.contains(part),
                "{args:?} does not say {part:?}: {}",
                run.shown()
            );
        };
        told(message);
        told(remedy);
        assert_eq!(run.stdout, "", "{args:?}");
        // Besides workers that join, all that is said is the error.
        let said: Vec<_> = run
            .stderr
            .lines()
            .filter(|line| !line.contains("joined on"))
            .collect();
        assert!(
            said[0].starts_with(&format!("error[{code}]: ")) && said.len() <= 3,
            "{args:?}: {}",
            run.shown()
        );
        for noise in [
            "panicked",
            "acktrace",
            "Exception raised",
            "c10",
            "frame #",
            "Caused by",
        ] {
            assert!(
                !run.stderr.contains(noise),
                "{args:?}: {noise}: {}",
                run.shown()
            );
        }
        assert_eq!(folder.names(), before, "{args:?}");
        assert!(
            run.took < Duration::from_secs(15),
            "{args:?} took {:?}",
            run.took
        );
    }
}

#[test]
fn what_the_users_data_may_be_is_swept() {
    let folder = folder();
    let net = fixture("dropout_norm.pt");
    let inputs: Vec<u8> = (0..80 * 64_u32)
        .flat_map(|at| (f32::from(u16::try_from(at * 37 % 101).unwrap()) / 101.0).to_le_bytes())
        .collect();
    folder.write("x.npy", npy("<f4", "(80, 64)", &inputs));
    let args = [
        "--model",
        &net,
        "--data",
        "x.npy",
        "--targets",
        "y.npy",
        "--batch-size",
        "80",
        "-q",
    ];
    let run = folder.sweep(&args);
    assert!(matches!(run.code, Some(0 | 3)), "{}", run.shown());
    let document = folder.document("out");
    assert_eq!(document.described.unwrap().samples, 80);
    assert!(fs::exists(folder.path("out/plot.png")).unwrap());
}
