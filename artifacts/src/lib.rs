//! Models and data by the SHA-256 of their content, so that clients, coordinator and workers need
//! no common file system. The coordinator keeps what clients upload; a worker keeps what it has
//! downloaded, in a folder that all workers of a machine may share.
//!
//! - [`Digest`]: the name of an artifact, `sha256-` and 64 hexadecimal digits.
//! - [`Reference`]: how a specification names a file that is an artifact.
//! - [`ArtifactStore`]: a folder of artifacts within [`Limits`], the least recently used leave first.
//! - [`Upload`]: bytes on their way into it; what has arrived outlives a restart.
//! - [`Pin`]: an artifact that stays as long as somebody uses it.
//! - [`Error`]: what is refused, and what to do about it.
//!
//! What is stored is never interpreted, and nothing is ever unpacked. All calls do file work, and
//! those that say so read whole artifacts: call them where blocking is allowed.

mod digest;
mod entry;
mod error;
mod folder;
mod pin;
mod reference;
mod store;
mod upload;

pub use digest::Digest;
pub use error::Error;
pub use pin::Pin;
pub use reference::{PREFIX, Reference};
pub use store::{ArtifactStore, Limits, Status};
pub use upload::Upload;
