//! Hyperparameter files: where the learning rate stands, and writing the one that was found.
//!
//! - `field`: which value is meant, and what else it could have been.
//! - `edit`: the text with that one value replaced.
//! - `replace`: a file exchanged for a new one in one step.
//!
//! [`Target::check`] finds every mistake before anything runs; [`Target::write`] edits whatever the
//! file holds by then.

mod edit;
mod field;
mod replace;
#[cfg(test)]
mod tests;

pub use edit::number;

use crate::tree::{self, Format};
use rangefinder_errors::{Code, Coded};
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a hyperparameter file cannot be used, or was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct HparamsError {
    /// The file.
    pub path: PathBuf,
    /// What kind of mistake.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for HparamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}\n  {}",
            self.path.display(),
            self.message,
            self.remedy
        )
    }
}

impl Coded for HparamsError {
    fn code(&self) -> Code {
        self.code
    }
}

/// A field of a file, checked to be one that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: PathBuf,
    format: Format,
    asked: Option<String>,
    field: String,
}

/// What is wrong with a field, and what to do.
type Wrong = (Code, String, String);

/// A hyperparameter as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hyperparameter {
    /// Dotted path.
    pub field: String,
    /// Value as it is written.
    pub value: String,
    /// What stood there before, where it was just changed.
    pub before: Option<String>,
}

impl Target {
    /// Finds the field to write: the dotted path `asked`, or else `lr`, or else `learning_rate` at
    /// the top level.
    ///
    /// # Errors
    /// If the file cannot be read, parsed or written, or has no such field (the message names the
    /// candidates), or if the field holds something else than a number or nothing, or cannot be
    /// changed without changing others (an anchor of YAML).
    pub fn check(path: &Path, asked: Option<&str>) -> Result<Self, HparamsError> {
        let fail = |code, message: String, remedy: &str| failure(path, code, message, remedy);
        let Some(format) = Format::of(path) else {
            return Err(fail(
                Code::SettingsFormat,
                "its format is unknown; expected a name that ends in .yaml, .yml, .toml or .json"
                    .to_owned(),
                "rename it, or convert it",
            ));
        };
        let mut target = Self {
            path: path.to_owned(),
            format,
            asked: asked.map(str::to_owned),
            field: String::new(),
        };
        let text = target.read()?;
        let (_, field) = target.edited(&text, 1e-3)?;
        target.field = field;
        replace::check(path).map_err(|error| {
            fail(
                Code::HparamsReplace,
                format!("cannot be replaced: {error}"),
                "make the file and its folder writable, or name a copy",
            )
        })?;
        Ok(target)
    }

    /// Dotted path of the field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a learning rate into the field of the file as it is now, and reads the file back:
    /// all its hyperparameters.
    ///
    /// The file is replaced in one step; only the bytes of the value differ. A symbolic link stays
    /// one, permissions stay as they are.
    ///
    /// # Errors
    /// As [`Target::check`], if the file has changed since; then it is left alone.
    pub fn write(&self, lr: f64) -> Result<Vec<Hyperparameter>, HparamsError> {
        let fail = |code, message: String, remedy: &str| failure(&self.path, code, message, remedy);
        if !(lr.is_finite() && lr > 0.0) {
            return Err(fail(
                Code::HparamsUnwritten,
                format!("{lr} is not a learning rate to write"),
                "leave the file as it is",
            ));
        }
        let before = self.read()?;
        let (after, field) = self.edited(&before, lr)?;
        replace::with(&self.path, after.as_bytes()).map_err(|error| {
            fail(
                Code::HparamsReplace,
                format!("could not be replaced: {error}; it is as it was"),
                "write the learning rate by hand",
            )
        })?;
        let old = self.flat(&before)?;
        let mut all = self.flat(&self.read()?)?;
        for parameter in &mut all {
            if parameter.field == field {
                parameter.before = old
                    .iter()
                    .find(|old| old.field == field)
                    .map(|old| old.value.clone());
            }
        }
        Ok(all)
    }

    fn read(&self) -> Result<String, HparamsError> {
        std::fs::read_to_string(&self.path).map_err(|error| {
            failure(
                &self.path,
                Code::of_reading(&error),
                format!("cannot be read: {error}"),
                "check the path; a text file in UTF-8 is expected",
            )
        })
    }

    fn flat(&self, text: &str) -> Result<Vec<Hyperparameter>, HparamsError> {
        let root = tree::parse(self.format, text).map_err(|error| self.syntax(&error))?;
        Ok(field::leaves(&root)
            .into_iter()
            .map(|leaf| Hyperparameter {
                field: leaf.path,
                value: match text.get(leaf.node.span.clone()) {
                    Some(written) if !written.is_empty() => written.to_owned(),
                    _ => "null".to_owned(),
                },
                before: None,
            })
            .collect())
    }

    /// The text with the learning rate in the field, and the field's path.
    fn edited(&self, text: &str, lr: f64) -> Result<(String, String), HparamsError> {
        let root = tree::parse(self.format, text).map_err(|error| self.syntax(&error))?;
        let fail = |(code, message, remedy): Wrong| failure(&self.path, code, message, &remedy);
        let found = field::find(&root, self.asked.as_deref()).map_err(fail)?;
        let after = edit::set(self.format, text, &root, &found, lr).map_err(fail)?;
        Ok((after, found.path))
    }

    fn syntax(&self, error: &tree::SyntaxError) -> HparamsError {
        failure(
            &self.path,
            Code::SettingsSyntax,
            error.to_string(),
            "correct the file there",
        )
    }
}

fn failure(path: &Path, code: Code, message: String, remedy: &str) -> HparamsError {
    HparamsError {
        path: path.to_owned(),
        code,
        message,
        remedy: remedy.to_owned(),
    }
}
