//! Folders that the operator named, and the paths that lead into them.
//!
//! What may lie outside is never told: a path that leads out is refused with the same words whether
//! there is something or not.
//!
//! A path is checked when it is resolved, and the file is opened later, by its path: who can change
//! links within a root in between can lead the reader elsewhere. Whoever may write into a root must
//! therefore be trusted with what the process may read.

use rangefinder_errors::Code;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::Error;

/// Name of a root that is given without one.
const DEFAULT: &str = "default";

/// What lies in a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Models and checkpoints.
    Model,
    /// Data.
    Data,
}

impl Kind {
    const fn flag(self) -> &'static str {
        match self {
            Self::Model => "--model-root",
            Self::Data => "--data-root",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Model => "model",
            Self::Data => "data",
        })
    }
}

/// The folders within which paths of others may lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    models: Vec<Root>,
    data: Vec<Root>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    name: String,
    /// As it was given; and without links, which is what a path must lie below.
    given: PathBuf,
    canonical: PathBuf,
}

impl Roots {
    /// The folders of models and of data, each as `NAME=PATH`, or as `PATH` for the one named
    /// `default`.
    ///
    /// # Errors
    /// When a folder is none, or a name cannot be one or is taken.
    pub fn new<T: AsRef<str>>(models: &[T], data: &[T]) -> Result<Self, Error> {
        Ok(Self {
            models: roots(Kind::Model, models)?,
            data: roots(Kind::Data, data)?,
        })
    }

    /// The file that a text names: `name:path/below` in the root of that name, `path/below` in the
    /// root `default` or the only one, or an absolute path within any. The name of the file may be a
    /// pattern, such as `train-*.npz` or `part-{000..003}.npz`: then the path is that pattern in its
    /// folder, and every file and link there that it may name has been found to lie within the roots.
    ///
    /// The path has no links in it, except in what a pattern names.
    ///
    /// # Errors
    /// When it leads out of the roots, by `..`, a link or from the start; when there is no such file,
    /// or it is no regular one.
    pub fn resolve(&self, kind: Kind, text: &str) -> Result<PathBuf, Error> {
        let query = Query {
            roots: self.of(kind),
            kind,
            text,
        };
        let (root, below) = query.split()?;
        let Some(name) = below.file_name().and_then(|name| name.to_str()) else {
            return Err(query.outside());
        };
        let folder = query.walk(&root.canonical, below.parent().unwrap_or(Path::new("")))?;
        let literal = fs::symlink_metadata(folder.join(name)).is_ok();
        if !literal && name.contains(['*', '?', '[', '{']) {
            query.check_pattern(&folder, name)?;
            return Ok(folder.join(name));
        }
        let file = query.walk(&folder, Path::new(name))?;
        match fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() => Ok(file),
            Ok(_) => Err(Error::new(
                Code::NotAFile,
                format!("{text}: is a folder, or not a regular file"),
                "give the path of the file itself",
            )),
            Err(error) => Err(query.unreadable(&error)),
        }
    }

    fn of(&self, kind: Kind) -> &[Root] {
        match kind {
            Kind::Model => &self.models,
            Kind::Data => &self.data,
        }
    }
}

fn roots<T: AsRef<str>>(kind: Kind, options: &[T]) -> Result<Vec<Root>, Error> {
    let mut roots: Vec<Root> = Vec::new();
    for option in options {
        let option = option.as_ref();
        let wrong = |what: &str| {
            Error::new(
                Code::RootFolder,
                format!("{} {option}: {what}", kind.flag()),
                "give an existing folder as NAME=PATH, each name once",
            )
        };
        let (name, path) = match option.split_once('=') {
            Some((name, path)) if !name.contains('/') => (name, path),
            _ => (DEFAULT, option),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(wrong("a name has letters, digits, `.`, `_` and `-` only"));
        }
        if roots.iter().any(|root| root.name == name) {
            return Err(wrong(&format!("there is another folder named {name}")));
        }
        let canonical =
            fs::canonicalize(path).map_err(|error| wrong(&format!("cannot be used: {error}")))?;
        if !canonical.is_dir() {
            return Err(wrong("is not a folder"));
        }
        roots.push(Root {
            name: name.to_owned(),
            given: PathBuf::from(path),
            canonical,
        });
    }
    Ok(roots)
}

/// One text that is resolved.
struct Query<'a> {
    roots: &'a [Root],
    kind: Kind,
    text: &'a str,
}

impl<'a> Query<'a> {
    /// The root that is meant, and the path below it. Looks at no file.
    fn split(&self) -> Result<(&'a Root, &'a Path), Error> {
        if self.roots.is_empty() || self.text.contains('\0') {
            return Err(self.outside());
        }
        let path = Path::new(self.text);
        let (root, below) = if path.is_absolute() {
            self.roots
                .iter()
                .find_map(|root| {
                    let below = path
                        .strip_prefix(&root.given)
                        .or_else(|_| path.strip_prefix(&root.canonical));
                    Some((root, below.ok()?))
                })
                .ok_or_else(|| self.outside())?
        } else {
            match self.text.split_once(':') {
                Some((name, below)) if !name.contains('/') => {
                    let root = self.roots.iter().find(|root| root.name == name);
                    (root.ok_or_else(|| self.outside())?, Path::new(below))
                }
                _ => {
                    let default = self.roots.iter().find(|root| root.name == DEFAULT);
                    let only = self.roots.first().filter(|_| self.roots.len() == 1);
                    (default.or(only).ok_or_else(|| self.outside())?, path)
                }
            }
        };
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if below.as_os_str().is_empty() || !below.components().all(plain) {
            return Err(self.outside());
        }
        Ok((root, below))
    }

    /// Follows a path from a folder within the roots, link by link, and never leaves them.
    fn walk(&self, from: &Path, below: &Path) -> Result<PathBuf, Error> {
        let mut at = from.to_owned();
        for part in below.components() {
            let next = at.join(part);
            match fs::canonicalize(&next) {
                Ok(found) if self.within(&found) => at = found,
                Ok(_) => return Err(self.outside()),
                // Where a link leads that cannot be followed is not told: it may be outside.
                Err(_) if next.is_symlink() => return Err(self.outside()),
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
        Ok(at)
    }

    fn within(&self, path: &Path) -> bool {
        self.roots
            .iter()
            .any(|root| path.starts_with(&root.canonical))
    }

    /// Checks whatever in a folder a pattern may name. What a range of numbers stands for is taken as
    /// any text, which may refuse a link too many and never one too few.
    fn check_pattern(&self, folder: &Path, name: &str) -> Result<(), Error> {
        let mut widest = String::new();
        let mut rest = name;
        while let Some((before, after)) = rest.split_once('{') {
            widest.push_str(before);
            widest.push('*');
            rest = after.split_once('}').map_or("", |(_, after)| after);
        }
        widest.push_str(rest);
        let pattern = Pattern::new(&widest).map_err(|error| {
            Error::new(
                Code::FilePattern,
                format!("{}: is no pattern: {}", self.text, error.msg),
                "write a pattern as a shell takes it, such as train-*.npz",
            )
        })?;
        let entries = fs::read_dir(folder).map_err(|error| self.unreadable(&error))?;
        for entry in entries {
            let entry = entry.map_err(|error| self.unreadable(&error))?;
            let file = entry.file_name();
            if pattern.matches_path_with(Path::new(&file), MatchOptions::new()) {
                self.walk(folder, Path::new(&file))?;
            }
        }
        Ok(())
    }

    /// The one answer to all that leads out.
    fn outside(&self) -> Error {
        let (kind, text) = (self.kind, self.text);
        let Some(first) = self.roots.first() else {
            return Error::new(
                Code::PathConfined,
                format!("{text:?}: no folder of {kind} files is offered here"),
                format!(
                    "have the operator name one with {}, or upload the file",
                    kind.flag()
                ),
            );
        };
        let names: Vec<_> = self.roots.iter().map(|root| root.name.as_str()).collect();
        Error::new(
            Code::PathConfined,
            format!(
                "{text:?}: does not lie within the folders of {kind} files, which are: {}",
                names.join(", ")
            ),
            format!(
                "give a path below one of them, such as {}:path/to/file, without `..` and without \
                 links that lead out",
                first.name
            ),
        )
    }

    /// Something within the roots that cannot be read.
    fn unreadable(&self, error: &std::io::Error) -> Error {
        Error::new(
            Code::of_reading(error),
            format!("{:?}: cannot be read: {error}", self.text),
            "check the path below its root, and the rights",
        )
    }
}
