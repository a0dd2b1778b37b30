//! The commands that run a service and look after it.
//!
//! - [`serve`]: run it. - [`store`]: its store. - [`token`]: its tokens.
//! - [`resume`]: go on with a sweep of this machine that was interrupted.
//! - `pages`: what the manual says of them.

pub(super) mod args;
pub(super) mod pages;
mod serve;
mod store;
mod token;

pub(super) use super::sweep::resume;
pub(super) use serve::run as serve;
pub(super) use store::run as store;
pub(super) use token::run as token;
