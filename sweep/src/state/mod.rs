//! The state machine of sweeps, stages, tasks, leases and workers: events in, actions out.
//!
//! Pure: [`State::apply`] takes the time and an event and returns what to do about it. Every way
//! of learning that a worker is gone becomes one event. The state is a function of the events.
//!
//! Durable is what was published: the request of each sweep and its happenings, and the last
//! lease token. [`State::rebuild`] makes from them: what is known of each sweep, its attempts and
//! what counts against them, the valid leases and their holders, which workers were announced to
//! whom and which were set aside. It needs the happenings of one [`State::apply`] in whole or not
//! at all; and nothing may be sent or answered before those that came before it are kept. Not
//! durable, since it is learnt again or no longer true: who is connected, silent, resting or
//! draining, when something was heard, paces, answers to leases that have ended, and how often a
//! worker spoilt what.
//!
//! A sweep goes through its stages: describe, probe (where it can change the plan), plan, the
//! tasks of the range test, ended. All work is leased; whatever a worker says under a lease passes
//! one fence.
//!
//! What a sweep results in is a function of its request, its plan and the losses of its steps
//! alone, not of the order of arrival, of who ran what, or of what was lost on the way:
//! - A task's losses come wholly from one attempt; those of a lost attempt leave the curve.
//! - A stop is decided once, when all steps before it are there, and is then final together with
//!   the observations that decided it.
//! - A loss that is not finite within a task's own steps ends the curve there. One within its
//!   warm-up counts as a NaN at the task's first own step, since the weights are then spoilt.
//! - What was observed past the stop is left out of the result, since how much of it there is
//!   depends on chance.
//!
//! Layout:
//! - `message`: events, reports, actions, commands, limits.
//! - `result`: what is known of a sweep.
//! - `machine`: the state, [`State::apply`], deadlines.
//! - `membership`: workers come, go, and show signs of life.
//! - `reports`: what workers report under a lease.
//! - `grant`: who gets which work; `starving`: sweeps that nobody works for.
//! - `endings`: how attempts, replicas and sweeps end.
//! - `fencing`: which lease is valid; `lease`: how long; `worker`: who is there.
//! - `rebuild`, `follow`: the state from its logs; `durable`: what of it they keep.
//! - `views`: what people may see of workers, and what sweeps wait for.
//! - `sweep`, `work`, `replica`: a sweep, a piece of leased work and its limits, a curve.

mod durable;
mod endings;
mod fencing;
mod follow;
mod grant;
mod lease;
mod machine;
mod membership;
mod message;
mod outbox;
mod rebuild;
mod replica;
mod reports;
mod result;
mod starving;
mod sweep;
mod views;
mod work;
mod worker;

pub use durable::Durable;
pub use machine::State;
pub use message::{Action, Command, Event, Halt, Held, Options, Report, SweepRequest, Time};
pub use rebuild::{Logged, Problem, RebuildError};
pub use result::{Attempt, OverlapCheck, ReplicaResult, SweepResult, TaskResult};
pub use views::{WaitingFor, WorkerState, WorkerView};
