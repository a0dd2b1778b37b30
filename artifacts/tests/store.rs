//! The folder of artifacts: uploads that are cut off, limits, owners, pins.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use proptest::prelude::*;
use rangefinder_artifacts::{ArtifactStore, Digest, Error, Limits, Pin, Reference, Status};
use rangefinder_errors::{Code, Coded as _};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const ROOMY: Limits = Limits {
    max_artifact_bytes: 1 << 20,
    max_total_bytes: 1 << 20,
    max_files: 100,
};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &TempDir, limits: Limits) -> ArtifactStore {
    ArtifactStore::open(&folder.path().join("artifacts"), limits).unwrap()
}

/// Some bytes that differ by number.
fn content(number: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|place| number.wrapping_add(u8::try_from(place % 251).unwrap()))
        .collect()
}

fn upload(store: &ArtifactStore, owner: Option<&str>, content: &[u8]) -> Result<Pin, Error> {
    let size = u64::try_from(content.len()).unwrap();
    let mut upload = store.begin(Digest::of(content), owner, size, 0)?;
    for chunk in content.chunks(100) {
        upload.write(chunk)?;
    }
    upload.finish()
}

fn put(store: &ArtifactStore, content: &[u8]) -> Digest {
    upload(store, None, content).unwrap().digest()
}

fn read(pin: Pin, offset: u64) -> Vec<u8> {
    let mut all = Vec::new();
    pin.read_from(offset)
        .unwrap()
        .read_to_end(&mut all)
        .unwrap();
    all
}

/// Files of the folder whose names end so.
fn files(folder: &TempDir, end: &str) -> Vec<PathBuf> {
    fs::read_dir(folder.path().join("artifacts"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(end))
        .collect()
}

fn content_file(folder: &TempDir, digest: Digest) -> PathBuf {
    folder.path().join("artifacts").join(digest.to_string())
}

/// Makes an artifact look as if it had been used last so long ago.
fn age(path: &Path, seconds: u64) {
    let used = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::open(path).unwrap().set_modified(used).unwrap();
}

#[test]
fn what_was_uploaded_is_read_back_also_after_a_restart() {
    let folder = folder();
    let bytes = content(1, 1000);
    let digest = put(&open(&folder, ROOMY), &bytes);
    let store = open(&folder, ROOMY);
    assert_eq!(
        store.status(digest, None),
        Ok(Status {
            size_bytes: Some(1000),
            received_bytes: 1000
        })
    );
    assert_eq!(read(store.pin(digest, None).unwrap(), 0), bytes);
    assert_eq!(read(store.pin(digest, None).unwrap(), 990), bytes[990..]);
    assert_eq!(
        read(store.pin(digest, None).unwrap(), 1000),
        Vec::<u8>::new()
    );
    let beyond = store
        .pin(digest, None)
        .unwrap()
        .read_from(1001)
        .err()
        .unwrap();
    assert_eq!(beyond.code(), Code::ArtifactOffset);
    assert_eq!(store.verify(digest), Ok(()));
}

#[test]
fn an_artifact_of_no_bytes_is_one() {
    let folder = folder();
    let store = open(&folder, ROOMY);
    let digest = put(&store, b"");
    assert!(store.status(digest, None).unwrap().is_complete());
}

#[test]
fn an_upload_that_was_cut_off_goes_on_after_a_restart() {
    let folder = folder();
    let bytes = content(2, 1000);
    let digest = Digest::of(&bytes);
    let mut first = open(&folder, ROOMY)
        .begin(digest, Some("lab"), 1000, 0)
        .unwrap();
    first.write(&bytes[..300]).unwrap();
    assert_eq!(first.pause(), Ok(300));

    let store = open(&folder, ROOMY);
    let status = store.status(digest, Some("lab")).unwrap();
    assert_eq!((status.received_bytes, status.is_complete()), (300, false));
    for wrong in [299, 301] {
        let error = store.begin(digest, Some("lab"), 1000, wrong).unwrap_err();
        assert_eq!(error.code(), Code::ArtifactOffset);
        assert!(error.to_string().contains("goes on at byte 300"), "{error}");
    }
    let mut second = store.begin(digest, Some("lab"), 1000, 300).unwrap();
    second.write(&bytes[300..700]).unwrap();
    drop(second);
    let mut third = store.begin(digest, Some("lab"), 1000, 700).unwrap();
    assert_eq!(third.received_bytes(), 700);
    third.write(&bytes[700..]).unwrap();
    assert_eq!(read(third.finish().unwrap(), 0), bytes);
}

#[test]
fn the_digest_covers_the_bytes_of_earlier_parts() {
    let folder = folder();
    let store = open(&folder, ROOMY);
    let bytes = content(3, 1000);
    let digest = Digest::of(&bytes);
    let mut first = store.begin(digest, None, 1000, 0).unwrap();
    first.write(&bytes[..500]).unwrap();
    first.pause().unwrap();
    // A disk that lies.
    let part = files(&folder, ".part").pop().unwrap();
    let mut damaged = fs::read(&part).unwrap();
    damaged[17] ^= 1;
    fs::write(&part, &damaged).unwrap();

    let mut second = store.begin(digest, None, 1000, 500).unwrap();
    second.write(&bytes[500..]).unwrap();
    let error = second.finish().unwrap_err();
    assert_eq!(error.code(), Code::ArtifactContent);
    assert!(error.to_string().contains("has been dropped"), "{error}");
    assert_eq!(store.status(digest, None).unwrap().received_bytes, 0);
    assert_eq!(files(&folder, ".part"), Vec::<PathBuf>::new());
    assert_eq!(
        store.pin(digest, None).unwrap_err(),
        Error::Unknown { digest }
    );
}

#[test]
fn an_upload_brings_as_many_bytes_as_it_said() {
    let folder = folder();
    let store = open(&folder, ROOMY);
    let bytes = content(4, 100);
    let digest = Digest::of(&bytes);
    let mut upload = store.begin(digest, None, 100, 0).unwrap();
    upload.write(&bytes[..60]).unwrap();
    let error = upload.write(&bytes[..41]).unwrap_err();
    assert_eq!(error.code(), Code::ArtifactOffset);
    assert_eq!(upload.received_bytes(), 60);
    let error = upload.finish().unwrap_err();
    assert!(
        error.to_string().contains("100 bytes and brought 60"),
        "{error}"
    );
    let mut upload = store.begin(digest, None, 100, 60).unwrap();
    upload.write(&bytes[60..]).unwrap();
    assert!(upload.finish().is_ok());
}

#[test]
fn two_uploads_of_one_artifact_do_not_mix() {
    let folder = folder();
    let store = open(&folder, ROOMY);
    let bytes = content(5, 100);
    let digest = Digest::of(&bytes);
    let mut first = store.begin(digest, Some("lab"), 100, 0).unwrap();
    first.write(&bytes[..50]).unwrap();
    // Also not from another process, which has opened the folder for itself.
    for store in [&store, &open(&folder, ROOMY)] {
        let error = store.begin(digest, Some("lab"), 100, 0).unwrap_err();
        assert_eq!(error, Error::Busy { digest });
        assert_eq!(error.code(), Code::ArtifactBusy);
    }
    // Another owner's is another upload.
    let theirs = upload(&store, Some("other"), &bytes).unwrap();
    first.write(&bytes[50..]).unwrap();
    let ours = first.finish().unwrap();
    assert_eq!(read(ours, 0), bytes);
    assert_eq!(read(theirs, 0), bytes);
    assert_eq!(files(&folder, ".part"), Vec::<PathBuf>::new());
}

#[test]
fn an_owner_knows_of_its_own_uploads_only() {
    let folder = folder();
    let store = open(&folder, ROOMY);
    let bytes = content(6, 100);
    let digest = put_by(&store, "lab", &bytes);
    assert!(store.status(digest, Some("lab")).unwrap().is_complete());
    assert!(store.status(digest, None).unwrap().is_complete());
    let nothing = Status {
        size_bytes: None,
        received_bytes: 0,
    };
    assert_eq!(store.status(digest, Some("other")), Ok(nothing));
    let unknown = store.pin(digest, Some("other")).unwrap_err();
    let absent = store.pin(Digest::of(b"absent"), Some("other")).unwrap_err();
    assert_eq!(unknown.code(), Code::NoSuchArtifact);
    assert_eq!(
        unknown.to_string().replace(&digest.to_string(), "X"),
        absent
            .to_string()
            .replace(&Digest::of(b"absent").to_string(), "X"),
    );
    // A part of it tells nothing of the rest, and the whole makes it the other's too.
    let mut part = store.begin(digest, Some("other"), 100, 0).unwrap();
    part.write(&bytes[..99]).unwrap();
    assert_eq!(part.pause(), Ok(99));
    assert!(!store.status(digest, Some("other")).unwrap().is_complete());
    put_by(&store, "other", &bytes);
    for owner in ["lab", "other"] {
        assert!(
            open(&folder, ROOMY).pin(digest, Some(owner)).is_ok(),
            "{owner}"
        );
    }
}

fn put_by(store: &ArtifactStore, owner: &str, content: &[u8]) -> Digest {
    upload(store, Some(owner), content).unwrap().digest()
}

#[test]
fn what_is_too_large_is_refused_before_any_byte() {
    let folder = folder();
    let limits = Limits {
        max_artifact_bytes: 99,
        ..ROOMY
    };
    let error = upload(&open(&folder, limits), None, &content(7, 100)).unwrap_err();
    assert_eq!(error.code(), Code::ArtifactTooLarge);
    assert!(
        error.to_string().contains("more than the limit of 99"),
        "{error}"
    );
    assert_eq!(files(&folder, ".part"), Vec::<PathBuf>::new());
    assert!(upload(&open(&folder, limits), None, &content(7, 99)).is_ok());
}

#[test]
fn what_was_not_used_for_longest_makes_room_unless_it_is_pinned() {
    let folder = folder();
    let store = open(
        &folder,
        Limits {
            max_total_bytes: 300,
            ..ROOMY
        },
    );
    let [oldest, pinned, used]: [Digest; 3] =
        [1, 2, 3].map(|number| put(&store, &content(number, 100)));
    for (digest, seconds) in [(oldest, 300), (pinned, 400), (used, 500)] {
        age(&content_file(&folder, digest), seconds);
    }
    let pin = store.pin(pinned, None).unwrap();
    drop(store.pin(used, None).unwrap());

    let fourth = put(&store, &content(4, 100));
    let there = |digest| store.status(digest, None).unwrap().is_complete();
    assert!(!there(oldest) && there(pinned) && there(used) && there(fourth));
    assert_eq!(files(&folder, ".json").len(), 3);

    let needs_both = content(5, 200);
    let error = upload(&store, None, &content(6, 201)).unwrap_err();
    assert_eq!(error.code(), Code::ArtifactRoom);
    assert!(error.to_string().contains("100 are in use"), "{error}");
    assert!(there(used) && there(fourth), "nothing is removed in vain");
    put(&store, &needs_both);
    assert!(there(pinned) && !there(used) && !there(fourth));
    drop(pin);
    put(&store, &content(8, 300));
    assert!(!there(pinned));
}

#[test]
fn an_artifact_has_as_many_pins_as_are_wanted_and_the_last_one_counts() {
    let folder = folder();
    let store = open(
        &folder,
        Limits {
            max_total_bytes: 200,
            ..ROOMY
        },
    );
    let bytes = content(1, 100);
    let first = upload(&store, Some("lab"), &bytes).unwrap();
    let second = store.pin(first.digest(), None).unwrap();
    let third = upload(&store, Some("other"), &bytes).unwrap();
    let full = || upload(&store, None, &content(2, 200)).map(|pin| pin.size_bytes());
    for pin in [first, second, third] {
        assert_eq!(full().unwrap_err().code(), Code::ArtifactRoom);
        drop(pin);
    }
    assert_eq!(full(), Ok(200));
}

#[test]
fn a_pin_of_another_process_counts_and_ends_with_it() {
    let folder = folder();
    let limits = Limits {
        max_total_bytes: 100,
        ..ROOMY
    };
    let other = open(&folder, limits);
    let pin = upload(&other, None, &content(1, 100)).unwrap();
    let store = open(&folder, limits);
    let error = upload(&store, None, &content(2, 100)).unwrap_err();
    assert_eq!(error.code(), Code::ArtifactRoom);
    drop(pin);
    assert!(upload(&store, None, &content(2, 100)).is_ok());
}

#[test]
fn room_is_kept_for_what_is_arriving_and_what_was_abandoned_makes_room() {
    let folder = folder();
    let store = open(
        &folder,
        Limits {
            max_total_bytes: 300,
            ..ROOMY
        },
    );
    let bytes = content(1, 200);
    let mut arriving = store.begin(Digest::of(&bytes), None, 200, 0).unwrap();
    arriving.write(&bytes[..50]).unwrap();
    let error = upload(&store, None, &content(2, 101)).unwrap_err();
    assert_eq!(error.code(), Code::ArtifactRoom);
    assert!(error.to_string().contains("200 are in use"), "{error}");
    assert!(upload(&store, None, &content(2, 100)).is_ok());
    drop(arriving);
    assert_eq!(files(&folder, ".part").len(), 1);
    assert!(upload(&store, None, &content(3, 300)).is_ok());
    assert_eq!(files(&folder, ".part").len(), 0);
}

#[test]
fn the_number_of_files_has_a_limit_too_and_uploads_of_nothing_leave_none() {
    let folder = folder();
    let store = open(
        &folder,
        Limits {
            max_files: 3,
            ..ROOMY
        },
    );
    for number in 0..6 {
        drop(store.begin(Digest::of(&[number]), None, 1, 0).unwrap());
        put(&store, &content(number, 10));
    }
    assert_eq!(files(&folder, ".part").len(), 0);
    assert_eq!(files(&folder, ".json").len(), 3);
}

#[test]
fn what_the_disk_has_damaged_is_not_given_out() {
    let folder = folder();
    let store = open(&folder, ROOMY);
    let digest = put(&store, &content(1, 100));
    let path = content_file(&folder, digest);
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(99)
        .unwrap();
    assert_eq!(
        store.pin(digest, None).unwrap_err(),
        Error::Unknown { digest }
    );
    assert!(!store.status(digest, None).unwrap().is_complete());
    put(&store, &content(1, 100));
    assert_eq!(store.verify(digest), Ok(()));

    fs::write(&path, content(2, 100)).unwrap();
    assert_eq!(
        store.verify(digest).unwrap_err().code(),
        Code::ArtifactContent
    );
    assert_eq!(
        store.pin(digest, None).unwrap_err(),
        Error::Unknown { digest }
    );
    assert!(!path.exists());
}

#[test]
fn an_artifact_has_the_names_that_it_is_given_as_long_as_it_is_there() {
    let folder = folder();
    let store = open(
        &folder,
        Limits {
            max_total_bytes: 100,
            ..ROOMY
        },
    );
    let bytes = content(1, 100);
    let digest = put(&store, &bytes);
    let pin = store.pin(digest, None).unwrap();
    let named = |name| pin.named(&Reference::new(digest, name).unwrap()).unwrap();
    let path = named("model.pt");
    assert_eq!(path.file_name().unwrap(), "model.pt");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(named("model.pt"), path);
    assert_ne!(named("other.npz"), path);
    let other = Reference::new(Digest::of(b"other"), "m.pt").unwrap();
    assert_eq!(pin.named(&other).unwrap_err().code(), Code::NoSuchArtifact);
    drop(pin);
    put(&store, &content(2, 100));
    assert!(path.symlink_metadata().is_err());
}

#[test]
fn a_folder_that_cannot_be_one_says_so() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = ArtifactStore::open(&file, ROOMY).unwrap_err();
    assert_eq!(error.code(), Code::ArtifactFolder);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn only_its_user_may_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let digest = put(&open(&folder, ROOMY), &content(1, 10));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&content_file(&folder, digest)), 0);
    assert_eq!(mode(&folder.path().join("artifacts")), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However an upload is cut into chunks, paused, dropped and begun again, it brings what it
    /// should, and the folder never holds more than it may.
    #[test]
    fn cuts_change_nothing(
        bytes in proptest::collection::vec(any::<u8>(), 1..2000),
        steps in proptest::collection::vec((1_usize..700, 0_u8..4), 1..40),
    ) {
        let folder = folder();
        let limits = Limits { max_total_bytes: 4000, ..ROOMY };
        let store = open(&folder, limits);
        let digest = Digest::of(&bytes);
        let size = u64::try_from(bytes.len()).unwrap();
        let mut upload = store.begin(digest, None, size, 0).unwrap();
        let mut at = 0;
        for (chunk, cut) in steps {
            let end = (at + chunk).min(bytes.len());
            upload.write(&bytes[at..end]).unwrap();
            at = end;
            if cut > 1 {
                if cut == 2 {
                    upload.pause().unwrap();
                } else {
                    drop(upload);
                }
                let received = store.status(digest, None).unwrap().received_bytes;
                prop_assert_eq!(received, u64::try_from(at).unwrap());
                upload = open(&folder, limits).begin(digest, None, size, received).unwrap();
            }
        }
        upload.write(&bytes[at..]).unwrap();
        prop_assert_eq!(read(upload.finish().unwrap(), 0), bytes);
    }
}
