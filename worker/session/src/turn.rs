//! What comes into the machine, and what it wants done.

use crate::error::{End, Error};
use crate::mailbox::Report;
use crate::work::Job;
use rangefinder_proto::v1;

/// What comes in.
#[derive(Debug)]
pub(crate) enum Input {
    /// Time has passed.
    Tick,
    /// The coordinator spoke.
    Message(Box<v1::ConnectResponse>),
    /// The connection is gone, or was not made.
    Closed(Closed),
    /// The trainer's thread has something to say.
    Reported(Report),
    /// The worker is to leave.
    Leave(End),
}

/// Why a connection is gone.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It may be made again.
    Lost(String),
    /// It is of no use to try again.
    Refused(Error),
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Connect, with Hello as the first message.
    Dial(Box<v1::Hello>),
    /// Drop the connection.
    HangUp,
    /// Give the trainer, which is free, a job.
    Run(u64, Job),
    /// Stop the trainer's job before its next step.
    Abort,
    /// The session is over.
    End(Result<End, Error>),
}
