use super::samples;
use crate::document;
use crate::files::{check_folder, write, write_plots};
use std::fs;
use std::path::Path;

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_sweep_leaves_five_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b");
    let document = samples::split(samples::sample("falls"), 4).document();
    let written = write(&out, &document).unwrap();
    assert_eq!(
        written.names,
        [
            "sweep.json",
            "curve.csv",
            "losses.csv",
            "plot.svg",
            "plot.png"
        ]
    );
    assert_eq!(
        entries(&out),
        [
            "curve.csv",
            "losses.csv",
            "plot.png",
            "plot.svg",
            "sweep.json"
        ]
    );
    assert_eq!(document::read(&out.join("sweep.json")).unwrap(), document);
}

#[test]
fn curve_csv_holds_the_losses_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let document = samples::sample("nan").document();
    write(folder.path(), &document).unwrap();
    let text = fs::read_to_string(folder.path().join("curve.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("step,lr,loss,smoothed"));
    let mut rows = 0;
    for (index, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0], index.to_string());
        assert_eq!(
            cells[1].parse::<f64>().unwrap().to_bits(),
            document.curve.lr[index].to_bits()
        );
        let loss: f64 = cells[2].parse().unwrap();
        assert!(
            loss == document.curve.loss[index]
                || loss.is_nan() && document.curve.loss[index].is_nan()
        );
        match document.curve.smoothed.get(index) {
            Some(smoothed) => assert_eq!(cells[3].parse::<f64>().unwrap(), *smoothed),
            None => assert_eq!(cells[3], ""),
        }
        rows += 1;
    }
    assert_eq!(rows, document.curve.loss.len());
    assert!(
        text.contains(",NaN,"),
        "the loss that ended the sweep is in the file"
    );
}

#[test]
fn curve_csv_of_replicas_is_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let document = samples::sample("replicas").document();
    write(folder.path(), &document).unwrap();
    let text = fs::read_to_string(folder.path().join("curve.csv")).unwrap();
    let first: f64 = text
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    let mean = document
        .replicas
        .iter()
        .map(|replica| replica.curve.loss[0])
        .sum::<f64>()
        / 4.0;
    assert!((first - mean).abs() < 1e-12);
}

#[test]
fn losses_csv_has_every_loss_of_the_attempts_that_count_warm_ups_included() {
    let folder = tempfile::tempdir().unwrap();
    let document = samples::split(samples::sample("falls"), 4).document();
    write(folder.path(), &document).unwrap();
    let text = fs::read_to_string(folder.path().join("losses.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(
        text.lines().next(),
        Some("replica,task,attempt,step,lr,loss")
    );
    let planned = document.plan.unwrap().total_steps;
    assert_eq!(rows.len(), planned as usize);
    let attempts_of_task_1: Vec<&str> = rows
        .iter()
        .filter(|row| row[1] == "1")
        .map(|row| row[2])
        .collect();
    assert!(
        attempts_of_task_1.iter().all(|attempt| *attempt == "2"),
        "its first attempt was lost"
    );
}

#[test]
fn a_folder_that_can_be_written_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("not/yet/there");
    check_folder(&out).unwrap();
    assert!(entries(folder.path()).is_empty());
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("mine.txt"), "x").unwrap();
    check_folder(&out).unwrap();
    assert_eq!(entries(&out), ["mine.txt"]);
}

#[test]
fn what_is_in_the_way_of_the_folder_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for out in [file.clone(), file.join("below")] {
        let error = check_folder(&out).unwrap_err().to_string();
        assert!(error.contains("file") && error.contains("--out"), "{error}");
    }
    fs::create_dir(folder.path().join("sweep.json")).unwrap();
    let error = check_folder(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("sweep.json") && error.contains("folder"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_without_room_is_refused_before_any_work() {
    // A file system of the kernel, on which nobody can write, root included.
    let error = check_folder(Path::new("/proc/rangefinder"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot write /proc/rangefinder: ") && error.contains("--out"),
        "{error}"
    );
}

#[test]
fn files_of_an_earlier_sweep_are_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &samples::drawn(1000, 0.3, 2.3, 1).document()).unwrap();
    let document = samples::sample("falls").document();
    write(folder.path(), &document).unwrap();
    assert_eq!(
        document::read(&folder.path().join("sweep.json")).unwrap(),
        document
    );
}

#[test]
#[cfg(unix)]
fn files_can_be_read_by_whom_the_umask_lets() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    write_plots(folder.path(), &samples::sample("falls").document()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("plot.svg")), mode(&plain));
}
