//! What is kept of a sweep, and what is made of it when it has ended.
//!
//! - [`Creation`]: what it takes to run it, as the store keeps it.
//! - [`creation`], [`events`], [`logged`], [`read_summary`], [`read_document`]: all of it, read back.
//! - [`Tally`]: what its events say beside its result: times, and who took part.
//! - [`Summary`]: what lists show of it.
//! - [`document`]: what is known of it in the end, `sweep.json`.

mod creation;
mod ended;
mod summary;
mod tally;

pub use creation::{Creation, OneShot};
pub use ended::{document, read, read_each};
pub(crate) use summary::status;
pub use summary::{Progress, Summary};
pub use tally::Tally;

use rangefinder_errors::{Code, Coded};
use rangefinder_report::SweepDocument;
use rangefinder_store::{Reader, Sweep};
use rangefinder_sweep::event::SweepEvent;
use rangefinder_sweep::ids::SweepId;

/// Events that are read from the store at a time.
const PAGE: usize = 256;

/// A sweep that is stored and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The store cannot give it.
    #[error(transparent)]
    Store(#[from] rangefinder_store::Error),
    /// The store gives it, and it means nothing to this release.
    #[error(
        "{what} of sweep {sweep} in the store means nothing to this release: {reason}; use the \
         release that wrote it, or a newer one"
    )]
    Meaningless {
        /// The sweep.
        sweep: SweepId,
        /// Which part of it.
        what: String,
        /// Why.
        reason: String,
    },
}

impl Unreadable {
    /// Of a part that is not what this release writes.
    fn meaningless(sweep: &SweepId, what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Meaningless {
            sweep: sweep.clone(),
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

impl Coded for Unreadable {
    fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Meaningless { .. } => Code::StoreNewer,
        }
    }
}

/// Events of a sweep from a number on, at most `limit` of them. Blocks.
///
/// # Errors
/// When they cannot be read, or are not what this release writes.
pub fn events(
    reader: &Reader,
    sweep: &SweepId,
    from: u64,
    limit: usize,
) -> Result<Vec<SweepEvent>, Unreadable> {
    let stored = reader.events(&sweep.0, from, limit)?;
    let events = stored.into_iter().map(|event| {
        serde_json::from_slice(&event.payload).map_err(|error| {
            Unreadable::meaningless(sweep, format!("event {}", event.number), error)
        })
    });
    events.collect()
}

/// What it takes to run a sweep that is stored. Blocks.
///
/// # Errors
/// As [`events`].
pub fn creation(reader: &Reader, sweep: &Sweep) -> Result<Creation, Unreadable> {
    let spec = reader.spec(&sweep.id)?.unwrap_or_default();
    let id = || SweepId(sweep.id.clone());
    Creation::from_json(&spec)
        .map_err(|error| Unreadable::meaningless(&id(), "the specification", error))
}

/// The document of a sweep, as the store keeps it.
///
/// # Errors
/// When it is not what this release writes.
pub fn read_document(sweep: &SweepId, json: &[u8]) -> Result<SweepDocument, Unreadable> {
    let text = String::from_utf8_lossy(json);
    rangefinder_report::document::parse(&text, &sweep.0)
        .map_err(|error| Unreadable::meaningless(sweep, "the document", error))
}

/// The summary of a sweep, as the store keeps it; an empty one where it has none.
///
/// # Errors
/// When it is not what this release writes.
pub fn read_summary(sweep: &Sweep) -> Result<Summary, Unreadable> {
    match &sweep.summary {
        None => Ok(Summary::default()),
        Some(json) => serde_json::from_slice(json).map_err(|error| {
            Unreadable::meaningless(&SweepId(sweep.id.clone()), "the summary", error)
        }),
    }
}

/// What is stored of a sweep: what it takes to run it, and all of its events. Blocks.
///
/// # Errors
/// As [`events`].
pub fn logged(reader: &Reader, sweep: &Sweep) -> Result<(Creation, Vec<SweepEvent>), Unreadable> {
    let id = SweepId(sweep.id.clone());
    let creation = creation(reader, sweep)?;
    let mut all: Vec<SweepEvent> = Vec::new();
    loop {
        let next = all.last().map_or(1, |event| event.number + 1);
        let page = events(reader, &id, next, PAGE)?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok((creation, all));
        }
    }
}
