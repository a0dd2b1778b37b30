//! The coordinator's only durable memory: one folder with one SQLite database.
//!
//! Each sweep has a log of numbered events, from which its state is rebuilt; the store knows nothing
//! of what they say. Writing never blocks the caller: [`Appender::append`] checks and queues a batch,
//! one thread commits all that is queued in one transaction, and calls back once it is on disk.
//! Reading blocks, on connections of its own.
//!
//! - [`Store`]: opens and closes a folder. `lock` keeps a second coordinator out, `folder` knows its
//!   files and its file system, `schema` creates the database and brings old ones up to date.
//! - [`Change`], [`Appender`], [`Refused`]: what can be written. `index` refuses what does not fit
//!   before it is queued, `writer` is the thread, `apply` turns changes into rows.
//! - [`Health`]: whether what is appended reaches the disk.
//! - [`Reader`], [`Filter`], [`Retention`]: what can be read. `record` is the form of the rows.
//! - [`check`], [`export`], [`compact`]: what an operator does with a store that no coordinator has
//!   open, or (but for `compact`) with one at work.
//!
//! Times are milliseconds since 1970 and come from the caller. No clock is read, but for the pauses
//! between attempts to write to a failing disk.

mod apply;
mod change;
mod check;
mod compact;
mod error;
mod export;
mod folder;
mod health;
mod index;
mod lock;
mod reader;
mod record;
mod schema;
mod store;
mod writer;

pub use change::{Change, OnDurable};
pub use check::{Checked, Problem, check};
pub use compact::{Compacted, compact};
pub use error::{Error, Refused};
pub use export::{Exported, export};
pub use folder::Notice;
pub use health::Health;
pub use lock::Holder;
pub use reader::{Counts, Event, Filter, Position, Reader, Retention};
pub use record::{ACTIVE, Sweep};
pub use store::{Options, Store};
pub use writer::{Appender, Backlog};
