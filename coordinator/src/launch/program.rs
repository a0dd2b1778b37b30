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

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::{Code, Coded as _};
    use std::fs::{self, File, Permissions};

    /// An installation, its files empty: `bin/coordinator`, and those named.
    fn installed(files: &[(&str, u32)]) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        for (file, mode) in [("bin/coordinator", 0o755)].iter().chain(files) {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
        }
        let own = root.path().join("bin/coordinator");
        (root, own)
    }

    #[test]
    fn the_worker_is_found_beside_the_coordinator_else_in_libexec() {
        let libexec = ("libexec/rangefinder/worker", 0o755);
        let (root, own) = installed(&[libexec]);
        let found = find(None, None, Some(&own))
            .unwrap()
            .canonicalize()
            .unwrap();
        assert_eq!(found, root.path().canonicalize().unwrap().join(libexec.0));

        let (root, own) = installed(&[libexec, ("bin/worker", 0o755)]);
        let found = find(None, Some(OsStr::new("")), Some(&own)).unwrap();
        assert_eq!(found, root.path().join("bin/worker"));
    }

    #[test]
    fn what_is_named_wins_and_is_never_silently_replaced() {
        let (root, own) = installed(&[("bin/worker", 0o755), ("a", 0o755), ("b", 0o755)]);
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        let missing = root.path().join("missing");
        let found = |asked: Option<&Path>, variable: Option<&Path>| {
            find(asked, variable.map(Path::as_os_str), Some(&own))
        };
        assert_eq!(found(Some(&a), Some(&b)).unwrap(), a);
        assert_eq!(found(None, Some(&b)).unwrap(), b);
        assert!(found(Some(&missing), Some(&b)).is_err());
        assert!(found(None, Some(&missing)).is_err());
    }

    #[test]
    fn a_program_that_cannot_be_run_is_an_error_that_says_why_and_what_to_do() {
        let (root, own) = installed(&[("bin/worker", 0o644), ("folder/x", 0o644)]);
        let message = |asked: &str| {
            let path = root.path().join(asked);
            find(Some(&path), None, None).unwrap_err().to_string()
        };
        assert!(message("missing").contains("does not exist"));
        assert!(message("folder").contains("is not a file"));
        assert!(message("bin/worker").contains("is not executable"));
        assert!(message("bin/worker").contains("--worker-program"));

        let nowhere = find(None, None, Some(&own)).unwrap_err();
        assert_eq!(nowhere.code(), Code::NoWorkerProgram);
        let nowhere = nowhere.to_string();
        for word in [
            "bin/worker",
            "libexec/rangefinder/worker",
            "--worker-program",
            WORKER_VARIABLE,
        ] {
            assert!(nowhere.contains(word), "{nowhere}");
        }
    }
}
