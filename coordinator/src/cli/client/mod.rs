//! The commands that ask a service.
//!
//! - `args`: their flags; `pages`: their examples and their pages of the manual.
//! - `service`: from flags and environment to a client, and running it.
//! - `screen`: what is shown while something goes on.
//! - `submit`, `watch`: a sweep from its specification to its end; `files`: the files that it
//!   names; `follow`: its events and what comes after them.
//! - `list`, `show`, `suggest`, `workers`: what there is; `change`: cancel, delete, drain.
//! - `sweeps`: a sweep as data and in words; `table`: columns; `times`: times of day in words.

pub(super) mod args;
mod change;
mod files;
mod follow;
mod list;
pub(super) mod pages;
mod screen;
mod service;
mod show;
mod submit;
mod suggest;
mod sweeps;
mod table;
mod times;
mod watch;
mod workers;

pub(super) use change::{cancel, delete, drain};
pub(super) use list::list;
pub(super) use show::show;
pub(super) use submit::submit;
pub(super) use suggest::suggest;
pub(super) use watch::watch;
pub(super) use workers::workers;
