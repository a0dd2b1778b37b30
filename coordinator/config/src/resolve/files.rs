//! Files that a specification names.

use super::mistakes::{Files, Wrong};
use crate::names::{any_of, nearest};
use rangefinder_artifacts::Reference;
use rangefinder_errors::Code;
use std::path::{Component, Path, PathBuf};

/// What is wrong when `name` should be a file, or one of `builtin`, and is not there.
pub(super) fn missing(files: Files, name: &str, builtin: &[&str], expected: &str) -> Option<Wrong> {
    let path = Path::new(name);
    if files == Files::Here && path.is_file() {
        return None;
    }
    let known = if builtin.is_empty() {
        expected.to_owned()
    } else {
        format!(
            "{} or the path of {expected}",
            any_of(builtin.iter().copied())
        )
    };
    if name.is_empty() {
        return Some((
            Code::Missing,
            "is empty".to_owned(),
            format!("give {known}"),
        ));
    }
    if files == Files::Elsewhere {
        return mistaken_elsewhere(name);
    }
    if path.is_dir() {
        return Some((
            Code::NotAFile,
            format!("`{name}` is a folder; expected {known}"),
            "give the path of the file itself".to_owned(),
        ));
    }
    let beside = neighbours(path);
    let near = nearest(name, builtin.iter().copied())
        .map(str::to_owned)
        .or_else(|| {
            let file = path.file_name()?.to_str()?;
            let near = nearest(file, beside.iter().map(String::as_str))?;
            Some(path.with_file_name(near).display().to_string())
        });
    Some((
        Code::NoSuchFile,
        format!("there is no file `{name}`; expected {known}"),
        match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "check the path; it is relative to the current folder".to_owned(),
        },
    ))
}

/// Names of the files beside a path.
fn neighbours(path: &Path) -> Vec<String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// What is wrong with the name of a file that only the workers can look at.
fn mistaken_elsewhere(name: &str) -> Option<Wrong> {
    if name.starts_with(rangefinder_artifacts::PREFIX) {
        let reference: Result<Reference, _> = name.parse();
        return reference.err().map(|error| {
            (
                Code::ArtifactReference,
                error.to_string(),
                "upload the file and name it as `artifact:DIGEST/NAME`".to_owned(),
            )
        });
    }
    let inside = Path::new(name)
        .components()
        .all(|part| part != Component::ParentDir);
    (!inside || name.contains('\0')).then(|| {
        (
            Code::PathConfined,
            format!("`{name}` leads out of its folder"),
            "give the path below a root that the operator has named, without `..`".to_owned(),
        )
    })
}

/// How the workers are told of a file: they may run in another folder than the coordinator.
pub(super) fn place_of(files: Files, path: &str) -> String {
    match files {
        Files::Elsewhere => path.to_owned(),
        Files::Here => std::path::absolute(path)
            .unwrap_or_else(|_| PathBuf::from(path))
            .display()
            .to_string(),
    }
}
