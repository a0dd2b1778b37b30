//! Which files orders may name, and where downloaded ones are kept.

use super::{CACHE_BYTES, CACHE_DIR, CONFINED, DATA_ROOT, MAX_MODEL_BYTES, MODEL_ROOT, parse};
use crate::error::OptionsError;
use rangefinder_access::{DEFAULT_MAX_MODEL_BYTES, Roots};
use std::path::PathBuf;

/// Most bytes of the cache unless another limit is set: 20 GiB.
const DEFAULT_CACHE_BYTES: u64 = 20 << 30;

/// Which files orders may name, and where downloaded ones are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The folders within which paths in orders must lie; without, an order may name any file that
    /// the worker's user can read.
    pub roots: Option<Roots>,
    /// Most bytes of a model or checkpoint that comes from the coordinator or lies in a root.
    pub max_model_bytes: u64,
    /// The folder of artifacts that were downloaded. Workers of one user on one machine may share
    /// it. `None` where the environment names no place for one: then orders must name no artifacts.
    pub cache: Option<PathBuf>,
    /// Most bytes in that folder.
    pub cache_bytes: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            roots: None,
            max_model_bytes: DEFAULT_MAX_MODEL_BYTES,
            cache: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
        }
    }
}

/// What the environment says.
pub(super) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Files, OptionsError> {
    let mut files = Files {
        cache: cache(&lookup),
        ..Files::default()
    };
    let models = roots(lookup(MODEL_ROOT));
    let data = roots(lookup(DATA_ROOT));
    let named = !models.is_empty() || !data.is_empty();
    let confined = match lookup(CONFINED) {
        Some(value) => parse::flag(CONFINED, &value)?,
        None => named,
    };
    if named && !confined {
        return Err(parse::invalid(
            CONFINED,
            "0",
            "but folders are named, which confine: unset RANGEFINDER_MODEL_ROOT and \
             RANGEFINDER_DATA_ROOT, or this",
        ));
    }
    if confined {
        files.roots = Some(Roots::new(&models, &data).map_err(OptionsError::Access)?);
    }
    if let Some(value) = lookup(MAX_MODEL_BYTES) {
        files.max_model_bytes = parse::bytes(MAX_MODEL_BYTES, &value)?;
    }
    if let Some(value) = lookup(CACHE_BYTES) {
        files.cache_bytes = parse::bytes(CACHE_BYTES, &value)?;
    }
    Ok(files)
}

/// `NAME=PATH`, several of them separated by `:`.
fn roots(value: Option<String>) -> Vec<String> {
    let value = value.unwrap_or_default();
    value
        .split(':')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The folder that was named, that of systemd's `CacheDirectory=`, or one of the user's own.
fn cache(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(named) = lookup(CACHE_DIR) {
        return Some(named.into());
    }
    if let Some(given) = lookup("CACHE_DIRECTORY") {
        return given.split(':').next().map(Into::into);
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    let of_user = lookup("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(absolute)
        .or_else(|| Some(PathBuf::from(lookup("HOME")?).join(".cache")))?;
    Some(of_user.join("rangefinder"))
}
