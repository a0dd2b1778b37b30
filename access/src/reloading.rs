//! What is read from files again when they change, while the program runs.

use rangefinder_errors::Coded as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

use crate::Error;

/// How often files are looked at, at most.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A value read from files. Whoever asks for it gets the newest that could be read: files that are
/// broken, or half of a pair that is just being replaced, leave the last good value in place.
pub(crate) struct Reloading<T> {
    what: &'static str,
    files: Vec<PathBuf>,
    load: Box<dyn Fn() -> Result<T, Error> + Send + Sync>,
    state: Mutex<State<T>>,
    generation: watch::Sender<u64>,
}

struct State<T> {
    value: Arc<T>,
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
    warning: Option<Error>,
}

/// By what a change of a file is noticed: device, inode, size, and the times of its last change of
/// content and of anything, in seconds and nanoseconds. Links are followed, so that a folder of
/// mounted secrets that is switched over is noticed too.
type Stamp = [i64; 7];

impl<T> Reloading<T> {
    /// Reads for the first time, which must succeed. `what` names the value in logs.
    pub(crate) fn open(
        what: &'static str,
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        // Stamps are taken before reading: a change in between is noticed next time.
        let stamps = stamps(&files);
        let value = Arc::new(load()?);
        Ok(Self {
            what,
            files,
            load: Box::new(load),
            state: Mutex::new(State {
                value,
                stamps,
                looked: Instant::now(),
                warning: None,
            }),
            generation: watch::Sender::new(0),
        })
    }

    /// A value that is in no file and never changes.
    pub(crate) fn fixed(what: &'static str, value: T) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        let state = State {
            value: Arc::new(value.clone()),
            stamps: Vec::new(),
            looked: Instant::now(),
            warning: None,
        };
        Self {
            what,
            files: Vec::new(),
            load: Box::new(move || Ok(value.clone())),
            state: Mutex::new(state),
            generation: watch::Sender::new(0),
        }
    }

    /// The newest good value. Looks at the files when that was last done a second ago.
    pub(crate) fn get(&self) -> Arc<T> {
        self.get_at(Instant::now())
    }

    fn get_at(&self, now: Instant) -> Arc<T> {
        let mut state = self.lock();
        if now.saturating_duration_since(state.looked) >= LOOK_EVERY {
            state.looked = now;
            let stamps = stamps(&self.files);
            // After a failure it is tried again though nothing has changed: the reason may be gone.
            if stamps != state.stamps || state.warning.is_some() {
                self.read(&mut state, stamps);
            }
        }
        Arc::clone(&state.value)
    }

    /// Reads the files now, changed or not.
    ///
    /// # Errors
    /// When they cannot be read; the last good value then stays in place.
    pub(crate) fn reload(&self) -> Result<(), Error> {
        let mut state = self.lock();
        self.read(&mut state, stamps(&self.files));
        state.warning.clone().map_or(Ok(()), Err)
    }

    /// Why the files could not be read when they last should have been; nothing when they could.
    pub(crate) fn warning(&self) -> Option<Error> {
        self.lock().warning.clone()
    }

    /// How often a new value has come, and word when one comes.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    fn read(&self, state: &mut State<T>, stamps: Vec<Option<Stamp>>) {
        let what = self.what;
        state.stamps = stamps;
        match (self.load)() {
            Ok(value) => {
                state.value = Arc::new(value);
                state.warning = None;
                self.generation.send_modify(|generation| *generation += 1);
                tracing::info!(what, "read again");
            }
            Err(error) => {
                // Said once, not once a second.
                if state.warning.as_ref() != Some(&error) {
                    tracing::warn!(
                        what,
                        code = %error.code(),
                        "cannot be read again, the last good state stays in force: {error}"
                    );
                }
                state.warning = Some(error);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some([
        metadata.dev().cast_signed(),
        metadata.ino().cast_signed(),
        metadata.size().cast_signed(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rangefinder_errors::Code;
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Fixture {
        _folder: tempfile::TempDir,
        file: PathBuf,
        reads: Arc<AtomicUsize>,
        reloading: Reloading<String>,
        start: Instant,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("value");
        fs::write(&file, "one").unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let reloading = Reloading::open("value", vec![file.clone()], {
            let (file, reads) = (file.clone(), Arc::clone(&reads));
            move || {
                reads.fetch_add(1, Ordering::Relaxed);
                let text = fs::read_to_string(&file).map_err(|e| Error::reading(&file, &e))?;
                if text == "broken" {
                    return Err(Error::new(Code::TokensFile, "is broken", "mend it"));
                }
                Ok(text)
            }
        })
        .unwrap();
        let start = reloading.lock().looked;
        Fixture {
            _folder: folder,
            file,
            reads,
            reloading,
            start,
        }
    }

    #[test]
    fn files_are_looked_at_once_a_second_and_read_when_changed() {
        let f = fixture();
        let mut generation = f.reloading.generation();
        fs::write(&f.file, "two!").unwrap();
        let almost = f.start + LOOK_EVERY - Duration::from_nanos(1);
        assert_eq!(*f.reloading.get_at(almost), "one");
        assert!(!generation.has_changed().unwrap());
        assert_eq!(*f.reloading.get_at(f.start + LOOK_EVERY), "two!");
        assert_eq!(*generation.borrow_and_update(), 1);
        for seconds in 2..10 {
            f.reloading.get_at(f.start + LOOK_EVERY * seconds);
        }
        assert_eq!(
            f.reads.load(Ordering::Relaxed),
            2,
            "it has not changed since"
        );
    }

    #[test]
    fn a_broken_file_leaves_the_last_good_value_until_it_is_mended() {
        let f = fixture();
        fs::write(&f.file, "broken").unwrap();
        assert_eq!(*f.reloading.get_at(f.start + LOOK_EVERY), "one");
        assert_eq!(f.reloading.warning().unwrap().code, Code::TokensFile);
        assert_eq!(f.reloading.reload().unwrap_err().code, Code::TokensFile);
        fs::remove_file(&f.file).unwrap();
        assert_eq!(*f.reloading.get_at(f.start + LOOK_EVERY * 2), "one");
        assert_eq!(f.reloading.warning().unwrap().code, Code::NoSuchFile);
        fs::write(&f.file, "two").unwrap();
        assert_eq!(*f.reloading.get_at(f.start + LOOK_EVERY * 3), "two");
        assert_eq!(f.reloading.warning(), None);
    }

    #[test]
    fn what_failed_is_tried_again_though_no_file_has_changed() {
        let fails = Arc::new(AtomicUsize::new(0));
        let reloading = Reloading::open("value", Vec::new(), {
            let fails = Arc::clone(&fails);
            move || match fails.load(Ordering::Relaxed) {
                0 => Ok(()),
                _ => Err(Error::new(
                    Code::System,
                    "no file handle",
                    "raise the limit",
                )),
            }
        })
        .unwrap();
        let start = reloading.lock().looked;
        fails.store(1, Ordering::Relaxed);
        reloading.reload().unwrap_err();
        fails.store(0, Ordering::Relaxed);
        reloading.get_at(start + LOOK_EVERY);
        assert_eq!(reloading.warning(), None);
    }

    #[test]
    fn a_link_that_is_switched_over_is_noticed() {
        let f = fixture();
        let other = f.file.with_file_name("other");
        fs::write(&other, "two").unwrap();
        let link = f.file.with_file_name("link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        fs::rename(&link, &f.file).unwrap();
        assert_eq!(*f.reloading.get_at(f.start + LOOK_EVERY), "two");
    }
}
