//! Paths of others lead into the folders that were named, and nowhere else.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use proptest::prelude::*;
use rangefinder_access::{Error, Kind, Roots, check_size};
use rangefinder_errors::Code;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A folder with two roots in it, and what lies outside of them.
struct Fixture {
    folder: tempfile::TempDir,
    roots: Roots,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        for path in ["models/sub", "data/deep/er", "data-secret", "outside"] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        for path in [
            "models/net.pt",
            "models/sub/other.pt",
            "data/train-0.npz",
            "data/train-1.npz",
            "data/deep/er/x.npz",
            "data/a:b.npz",
            "data/odd[1].npz",
            "data-secret/x.npz",
            "outside/x.npz",
        ] {
            fs::write(base.join(path), "x").unwrap();
        }
        let data = base.join("data").display().to_string();
        let more = format!("sub={}", base.join("data/deep").display());
        let models = base.join("models").display().to_string();
        let roots = Roots::new(&[models], &[data, more]).unwrap();
        Self { folder, roots }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(below)
    }

    fn data(&self, text: &str) -> Result<PathBuf, Error> {
        self.roots.resolve(Kind::Data, text)
    }

    fn link(&self, target: &str, link: &str) {
        let target = match target.starts_with('.') || target.starts_with('/') {
            true => PathBuf::from(target),
            false => self.path(target),
        };
        symlink(target, self.path(link)).unwrap();
    }
}

#[test]
fn names_relative_and_absolute_paths_lead_into_the_roots() {
    let f = Fixture::new();
    let absolute = f.path("data/train-0.npz").display().to_string();
    for (text, file) in [
        ("train-0.npz", "data/train-0.npz"),
        ("./train-0.npz", "data/train-0.npz"),
        ("default:train-0.npz", "data/train-0.npz"),
        ("default:a:b.npz", "data/a:b.npz"),
        ("sub:er/x.npz", "data/deep/er/x.npz"),
        ("deep/er/x.npz", "data/deep/er/x.npz"),
        ("odd[1].npz", "data/odd[1].npz"),
        (absolute.as_str(), "data/train-0.npz"),
    ] {
        assert_eq!(f.data(text).unwrap(), f.path(file), "{text}");
    }
    let model = f.roots.resolve(Kind::Model, "sub/other.pt").unwrap();
    assert_eq!(model, f.path("models/sub/other.pt"));
}

#[test]
fn paths_that_lead_out_are_refused() {
    let f = Fixture::new();
    let outside = f.path("outside/x.npz").display().to_string();
    let beside = f.path("data-secret/x.npz").display().to_string();
    let dots = format!("{}/../outside/x.npz", f.path("data").display());
    for text in [
        "",
        ".",
        "/",
        "..",
        "../outside/x.npz",
        "deep/../train-0.npz",
        "deep/../../outside/x.npz",
        "default:",
        "default:/etc/passwd",
        "default:../outside/x.npz",
        "nowhere:train-0.npz",
        "/etc/passwd",
        "train-0.npz\0",
        "train-0.npz\0.pt",
        "../data/train-*.npz",
        "*/../../outside/x.npz",
        &outside,
        &beside,
        &dots,
    ] {
        assert_eq!(
            f.data(text).unwrap_err().code,
            Code::PathConfined,
            "{text:?}"
        );
    }
    // Models are no data, and no roots at all offer nothing.
    let model = f.path("models/net.pt").display().to_string();
    assert_eq!(f.data(&model).unwrap_err().code, Code::PathConfined);
    let none = Roots::default()
        .resolve(Kind::Data, "train-0.npz")
        .unwrap_err();
    assert_eq!(none.code, Code::PathConfined);
    assert!(none.remedy.contains("--data-root"), "{none}");
}

#[test]
fn links_that_lead_out_are_refused() {
    let f = Fixture::new();
    f.link("outside/x.npz", "data/file");
    f.link("outside", "data/folder");
    f.link("../outside/x.npz", "data/relative");
    f.link("data/file", "data/twice");
    f.link("data-secret", "data/neighbour");
    f.link("data/loop", "data/loop");
    for text in [
        "file",
        "folder/x.npz",
        "relative",
        "twice",
        "neighbour/x.npz",
        "loop",
    ] {
        assert_eq!(f.data(text).unwrap_err().code, Code::PathConfined, "{text}");
    }
    // One that stays within is as good as what it leads to.
    f.link("data/deep/er", "data/short");
    f.link("./train-0.npz", "data/latest");
    assert_eq!(f.data("short/x.npz").unwrap(), f.path("data/deep/er/x.npz"));
    assert_eq!(f.data("latest").unwrap(), f.path("data/train-0.npz"));
    // A root may itself be a link.
    f.link("data", "alias");
    let alias = f.path("alias").display().to_string();
    let roots = Roots::new(&[], std::slice::from_ref(&alias)).unwrap();
    let file = roots
        .resolve(Kind::Data, &format!("{alias}/train-0.npz"))
        .unwrap();
    assert_eq!(file, f.path("data/train-0.npz"));
}

#[test]
fn what_exists_outside_is_not_told() {
    let f = Fixture::new();
    fs::create_dir(f.path("outside/closed")).unwrap();
    let pairs = [
        (
            f.path("outside/x.npz").display().to_string(),
            f.path("outside/y.npz").display().to_string(),
        ),
        ("../outside/x.npz".to_owned(), "../outside/y.npz".to_owned()),
        ("/etc/passwd".to_owned(), "/etc/no-such-file".to_owned()),
    ];
    for (there, not_there) in pairs {
        let (one, other) = (f.data(&there).unwrap_err(), f.data(&not_there).unwrap_err());
        assert_eq!(
            one.message.replace(&there, ""),
            other.message.replace(&not_there, "")
        );
        assert_eq!((one.code, &one.remedy), (other.code, &other.remedy));
    }
    for (n, target) in [
        "outside/x.npz",
        "outside/y.npz",
        "outside/x.npz/z",
        "outside/closed",
    ]
    .into_iter()
    .enumerate()
    {
        f.link(target, &format!("data/link{n}"));
        let error = f.data(&format!("link{n}")).unwrap_err();
        assert_eq!(error.code, Code::PathConfined, "{target}");
        assert!(!error.to_string().contains("outside"), "{error}");
    }
    // Within the roots it is said what is wrong.
    assert_eq!(f.data("train-9.npz").unwrap_err().code, Code::NoSuchFile);
    assert_eq!(f.data("deep").unwrap_err().code, Code::NotAFile);
}

#[test]
fn patterns_are_confined_with_all_they_name() {
    let f = Fixture::new();
    for (text, path) in [
        ("train-*.npz", "data/train-*.npz"),
        ("train-{0..1}.npz", "data/train-{0..1}.npz"),
        ("sub:er/?.npz", "data/deep/er/?.npz"),
    ] {
        assert_eq!(f.data(text).unwrap(), f.path(path), "{text}");
    }
    // Only the name of the file is a pattern.
    assert_eq!(f.data("d*/er/x.npz").unwrap_err().code, Code::NoSuchFile);
    assert_eq!(f.data("train-[.npz").unwrap_err().code, Code::FilePattern);
    f.link("outside/x.npz", "data/train-2.npz");
    for text in [
        "train-*.npz",
        "train-?.npz",
        "train-[0-9].npz",
        "train-{0..2}.npz",
        "*",
    ] {
        assert_eq!(f.data(text).unwrap_err().code, Code::PathConfined, "{text}");
    }
    f.link("outside", "data/folder");
    assert_eq!(f.data("folder/*.npz").unwrap_err().code, Code::PathConfined);
    f.data("a*.npz").unwrap();
}

#[test]
fn roots_are_folders_with_names_of_their_own() {
    let f = Fixture::new();
    let data = f.path("data").display().to_string();
    let file = f.path("data/train-0.npz").display().to_string();
    for options in [
        vec![f.path("gone").display().to_string()],
        vec![file],
        vec![data.clone(), data.clone()],
        vec![format!("a={data}"), format!("a={data}")],
        vec![format!("={data}")],
        vec![format!("a b={data}")],
    ] {
        let error = Roots::new(&options, &[]).unwrap_err();
        assert_eq!(error.code, Code::RootFolder, "{options:?}");
        assert!(error.message.starts_with("--model-root"), "{error}");
    }
    // With names only, a path must say which.
    let roots = Roots::new(&[format!("a={data}"), format!("b={data}")], &[]).unwrap();
    let error = roots.resolve(Kind::Model, "train-0.npz").unwrap_err();
    assert!(error.message.contains("a, b"), "{error}");
    roots.resolve(Kind::Model, "b:train-0.npz").unwrap();
}

#[test]
fn files_over_the_limit_are_refused() {
    let f = Fixture::new();
    let file = f.path("models/net.pt");
    fs::write(&file, [0; 100]).unwrap();
    assert_eq!(check_size(&file, 100), Ok(100));
    assert_eq!(check_size(&file, 99).unwrap_err().code, Code::FileTooLarge);
    assert_eq!(
        check_size(&f.path("models"), 99).unwrap_err().code,
        Code::NotAFile
    );
    assert_eq!(
        check_size(&f.path("gone"), 99).unwrap_err().code,
        Code::NoSuchFile
    );
}

#[test]
fn whatever_is_resolved_lies_within() {
    let f = Fixture::new();
    f.link("outside", "data/out");
    f.link("data/deep", "data/in");
    f.link("..", "data/deep/up");
    let parts = prop::sample::select(vec![
        "..",
        ".",
        "",
        "deep",
        "er",
        "x.npz",
        "out",
        "in",
        "up",
        "train-0.npz",
        "*",
        "sub:er",
        "default:",
        "outside",
        "data",
        "{0..1}",
    ]);
    proptest!(|(parts in prop::collection::vec(parts, 1..6), absolute: bool)| {
        let below = parts.join("/");
        let text = match absolute {
            true => f.path("data").join(&below).display().to_string(),
            false => below,
        };
        if let Ok(path) = f.data(&text) {
            prop_assert!(path.starts_with(f.path("data")), "{path:?}");
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let folder = path.parent().unwrap();
            prop_assert_eq!(&folder.canonicalize().unwrap(), folder);
            if !name.contains(['*', '{']) {
                prop_assert_eq!(path.canonicalize().unwrap(), path);
            }
        }
    });
}
