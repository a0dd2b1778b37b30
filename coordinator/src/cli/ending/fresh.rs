//! Where the files go when nobody says: a new folder under `sweeps`, named by the time.

use std::path::{Path, PathBuf};

const PARENT: &str = "sweeps";

/// `sweeps/20260131T120000Z`, or with `-2`, `-3` after it where that exists.
pub(super) fn folder() -> PathBuf {
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    unused(Path::new(PARENT), &now)
}

fn unused(parent: &Path, name: &str) -> PathBuf {
    let plain = parent.join(name);
    if !plain.exists() {
        return plain;
    }
    (2..)
        .map(|number: u32| parent.join(format!("{name}-{number}")))
        .find(|folder| !folder.exists())
        .unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_sweep_is_never_written_over() {
        let parent = tempfile::tempdir().unwrap();
        let first = unused(parent.path(), "now");
        assert_eq!(first, parent.path().join("now"));
        std::fs::create_dir(&first).unwrap();
        let second = unused(parent.path(), "now");
        assert_eq!(second, parent.path().join("now-2"));
    }
}
