//! One coordinator a folder: a locked file that says who has it.

use crate::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Bytes of the file that are read: no holder writes more.
const READ: u64 = 512;

/// Who has a folder open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Number of its process; 0 when the file does not say.
    pub pid: u32,
    /// Name of its host; empty when the file does not say.
    pub host: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            f.write_str("another coordinator")
        } else {
            write!(f, "process {} on {}", self.pid, self.host)
        }
    }
}

impl Holder {
    /// This process.
    fn this() -> Self {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let pid = std::process::id();
        Self { pid, host }
    }

    /// As the file says: number, space, host.
    fn parse(text: &str) -> Option<Self> {
        let (pid, host) = text.trim_end().split_once(' ')?;
        let (pid, host) = (pid.parse().ok()?, host.to_owned());
        Some(Self { pid, host })
    }
}

/// The lock of a folder, held until it is released.
///
/// The kernel drops it with the last descriptor, so a dead coordinator's file is only a text.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock; says too whose text the file held, when its writer has not released it.
    pub(crate) fn take(folder: &Path) -> Result<(Self, Option<Holder>), Error> {
        let path = folder.join("lock");
        let failed = |error: std::io::Error| Error::of_file(&path, &error);
        // The standard library opens files so that they are closed on exec.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let locked = file.try_lock();
        let mut bytes = Vec::new();
        (&mut file)
            .take(READ)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let holder = Holder::parse(&String::from_utf8_lossy(&bytes));
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    folder: folder.to_owned(),
                    holder: holder.unwrap_or(Holder {
                        pid: 0,
                        host: String::new(),
                    }),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let this = Holder::this();
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{} {}", this.pid, this.host).map_err(failed)?;
        Ok((Self { file }, holder))
    }
}

impl Drop for Lock {
    /// Unlocks by name: a child between fork and exec holds a copy of the descriptor, and closing
    /// ours would leave the folder locked.
    fn drop(&mut self) {
        // Neither failure keeps anyone out: the kernel unlocks when the process ends.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::{Code, Coded as _};

    #[test]
    fn a_held_folder_is_refused_with_process_and_host() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, before) = Lock::take(folder.path()).unwrap();
        assert_eq!(before, None);
        let error = Lock::take(folder.path()).unwrap_err();
        assert_eq!(error.code(), Code::StoreInUse);
        let this = Holder::this();
        assert!(error.to_string().contains(&this.to_string()), "{error}");
        drop(lock);
        let (_lock, before) = Lock::take(folder.path()).unwrap();
        assert_eq!(before, None, "a released lock names nobody");
    }

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_a_released_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, _) = Lock::take(folder.path()).unwrap();
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        Lock::take(folder.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn the_file_of_a_dead_coordinator_is_taken_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lock"), "4194000 node-7\n").unwrap();
        let (_lock, before) = Lock::take(folder.path()).unwrap();
        let host = "node-7".to_owned();
        assert_eq!(
            before,
            Some(Holder {
                pid: 4_194_000,
                host
            })
        );
    }
}
