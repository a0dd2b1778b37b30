//! Where the worker program is.

use super::Error;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The environment variable that names the worker program.
pub const WORKER_VARIABLE: &str = "RANGEFINDER_WORKER";

/// Finds the worker program: the one asked for, else the one that `variable` (the value of
/// [`WORKER_VARIABLE`]) names, else `worker` beside the coordinator's own executable, else
/// `../libexec/rangefinder/worker` from there.
///
/// # Errors
/// When there is none, or the one that was named is no executable file.
pub fn find(
    asked_for: Option<&Path>,
    variable: Option<&OsStr>,
    own_executable: Option<&Path>,
) -> Result<PathBuf, Error> {
    if let Some(path) = asked_for {
        return named(path, "from `--worker-program`");
    }
    if let Some(path) = variable.filter(|value| !value.is_empty()) {
        return named(Path::new(path), "from RANGEFINDER_WORKER");
    }
    let looked: Vec<PathBuf> = own_executable
        .and_then(Path::parent)
        .map(|folder| {
            let libexec = folder.join("../libexec/rangefinder/worker");
            vec![folder.join("worker"), libexec]
        })
        .unwrap_or_default();
    match looked.iter().find(|path| fault(path).is_none()) {
        Some(path) => Ok(path.clone()),
        None => Err(Error::NoProgram { looked }),
    }
}

/// A path that people named. One without a folder is a file of the current folder, never searched
/// for in `PATH`.
fn named(path: &Path, origin: &'static str) -> Result<PathBuf, Error> {
    match fault(path) {
        None => Ok(Path::new(".").join(path)),
        Some(problem) => Err(Error::BadProgram {
            path: path.to_owned(),
            origin,
            problem,
        }),
    }
}

/// What keeps a file from being run, if anything does.
fn fault(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Err(_) => Some("does not exist or cannot be read"),
        Ok(file) if !file.is_file() => Some("is not a file"),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => Some("is not executable"),
        Ok(_) => None,
    }
}
