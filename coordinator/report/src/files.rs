//! Writes a document into a folder, each file whole or not at all.

use crate::document::{Curve, SweepDocument};
use crate::plot;
use rangefinder_errors::{Code, Coded};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const SWEEP: &str = "sweep.json";
const CURVE: &str = "curve.csv";
const LOSSES: &str = "losses.csv";
const SVG: &str = "plot.svg";
const PNG: &str = "plot.png";

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {reason}; {remedy}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Coded for FileError {
    fn code(&self) -> Code {
        Code::Unwritable
    }
}

impl FileError {
    fn new(path: &Path, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => {
                "give yourself the right to write there, or choose another folder with --out"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on the disk, or choose a folder on another one with --out"
            }
            ErrorKind::ReadOnlyFilesystem => "choose a folder on a writable disk with --out",
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "a file stands where a folder is needed: choose another folder with --out"
            }
            ErrorKind::IsADirectory => {
                "a folder stands where the file should: remove it, or choose another one with --out"
            }
            _ => "choose another folder with --out",
        };
        Self {
            path: path.to_owned(),
            reason: error.to_string(),
            remedy,
        }
    }

    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::new(path, &error)
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The folder.
    pub folder: PathBuf,
    /// Names of the files in it.
    pub names: Vec<&'static str>,
}

/// Checks that the folder can be made and written, and leaves nothing behind.
///
/// # Errors
/// When a file written there later would fail: names what is in the way and what to do.
pub fn check_folder(path: &Path) -> Result<(), FileError> {
    let missing: Vec<&Path> = path
        .ancestors()
        .filter(|folder| !folder.as_os_str().is_empty())
        .take_while(|folder| !folder.exists())
        .collect();
    let checked = std::fs::create_dir_all(path)
        .map_err(FileError::of(path))
        .and_then(|()| check_files(path));
    for folder in missing {
        // Only what was made here: a folder that something else has filled meanwhile stays.
        let _ = std::fs::remove_dir(folder);
    }
    checked
}

fn check_files(folder: &Path) -> Result<(), FileError> {
    for name in [SWEEP, CURVE, LOSSES, SVG, PNG] {
        let file = folder.join(name);
        if file.is_dir() {
            return Err(FileError::new(&file, &ErrorKind::IsADirectory.into()));
        }
    }
    let mut probe = NamedTempFile::new_in(folder).map_err(FileError::of(folder))?;
    probe
        .write_all(b"rangefinder")
        .map_err(FileError::of(folder))?;
    probe.close().map_err(FileError::of(folder))
}

/// Writes `sweep.json`, `curve.csv`, `losses.csv`, `plot.svg` and `plot.png`, making the folder
/// where it is missing. The data come first: pictures can be drawn again from `sweep.json`.
///
/// # Errors
/// At the first file that cannot be written; those before it stand, and none is half written.
pub fn write(folder: &Path, document: &SweepDocument) -> Result<Written, FileError> {
    std::fs::create_dir_all(folder).map_err(FileError::of(folder))?;
    let path = folder.join(SWEEP);
    let json = document
        .to_json()
        .map_err(|error| FileError::new(&path, &error.into()))?;
    replace(&path, json.as_bytes())?;
    replace(&folder.join(CURVE), curve_csv(&document.curve).as_bytes())?;
    replace(&folder.join(LOSSES), losses_csv(document).as_bytes())?;
    let Written {
        folder,
        names: pictures,
    } = write_plots(folder, document)?;
    let names = [SWEEP, CURVE, LOSSES].into_iter().chain(pictures).collect();
    Ok(Written { folder, names })
}

/// Writes `plot.svg` and `plot.png` only, making the folder where it is missing.
///
/// # Errors
/// As [`write()`].
pub fn write_plots(folder: &Path, document: &SweepDocument) -> Result<Written, FileError> {
    std::fs::create_dir_all(folder).map_err(FileError::of(folder))?;
    let svg = plot::svg(document);
    replace(&folder.join(SVG), svg.as_bytes())?;
    let path = folder.join(PNG);
    let png = plot::png(&svg).map_err(|error| FileError::new(&path, &io::Error::other(error)))?;
    replace(&path, &png)?;
    Ok(Written {
        folder: folder.to_owned(),
        names: vec![SVG, PNG],
    })
}

/// Writes beside the file, then renames over it: a reader sees the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // A temporary file is private by default; these are files like any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder
        .prefix(".rangefinder-")
        .tempfile_in(folder)
        .map_err(FileError::of(path))?;
    file.write_all(bytes).map_err(FileError::of(path))?;
    file.as_file().sync_all().map_err(FileError::of(path))?;
    file.persist(path)
        .map_err(|error| FileError::new(path, &error.error))?;
    Ok(())
}

/// `step,lr,loss,smoothed`: raw losses of the only replica, or their mean; `smoothed` is empty
/// past the part that the method reads.
fn curve_csv(curve: &Curve) -> String {
    let mut text = String::from("step,lr,loss,smoothed\n");
    for (index, ((step, lr), loss)) in curve
        .step
        .iter()
        .zip(&curve.lr)
        .zip(&curve.loss)
        .enumerate()
    {
        let _ = write!(text, "{step},{},{},", number(*lr), number(*loss));
        if let Some(smoothed) = curve.smoothed.get(index) {
            text.push_str(&number(*smoothed));
        }
        text.push('\n');
    }
    text
}

/// `replica,task,attempt,step,lr,loss`: every loss of the attempts that count, warm-ups (steps
/// before the task's own start) included; attempts count from 1.
fn losses_csv(document: &SweepDocument) -> String {
    let mut text = String::from("replica,task,attempt,step,lr,loss\n");
    for (replica, tasks) in document.replicas.iter().enumerate() {
        for task in &tasks.tasks {
            for (attempt, run) in (1..).zip(&task.attempts) {
                let losses = &run.losses;
                for ((step, lr), loss) in losses.step.iter().zip(&losses.lr).zip(&losses.loss) {
                    let (lr, loss) = (number(*lr), number(*loss));
                    let _ = writeln!(text, "{replica},{},{attempt},{step},{lr},{loss}", task.id);
                }
            }
        }
    }
    text
}

/// A number that reads back as the same one; `NaN`, `Infinity`, `-Infinity` as in `sweep.json`.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}
