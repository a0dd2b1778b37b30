//! The session: collects what happens, lets the machine decide, does what it says.

use crate::error::{End, Error};
use crate::files::Library;
use crate::link::{Link, LinkEvent, room};
use crate::machine::Machine;
use crate::options::Options;
use crate::runner::Runner;
use crate::shutdown;
use crate::trainer::Trainer;
use crate::turn::{Action, Input};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the coordinator may take to read a leaving worker's last words.
const CLOSE: Duration = Duration::from_millis(500);
/// How long the trainer may take to finish its step when the session ends.
const TRAINER_END: Duration = Duration::from_secs(2);

/// A worker's side of the protocol.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// Joins the coordinator and does its work until told to leave: by the coordinator, by
    /// `shutdown` (finish the task at hand within [`crate::Timing::drain`] or hand it back), or by the end
    /// of standard input where that is watched (at once).
    ///
    /// The trainer runs on a thread of its own and never waits for the network. A trainer that
    /// hangs in a step when the session ends is left behind: end the process.
    ///
    /// # Errors
    /// When the coordinator refuses the worker or cannot be reached for long, in words that say
    /// what to do.
    pub async fn run<T: Trainer + 'static>(
        options: Options,
        trainer: T,
        shutdown: CancellationToken,
    ) -> Result<End, Error> {
        let runner = Runner::start(trainer, Library::new(&options))?;
        let stdin_end = if options.watch_stdin {
            shutdown::on_stdin_end()?
        } else {
            CancellationToken::new()
        };
        let shell = Shell {
            machine: Machine::new(&options),
            options,
            runner,
            link: None,
            started: Instant::now(),
        };
        shell.run(shutdown, stdin_end).await
    }
}

/// What happened, as `select!` saw it.
enum Collected {
    Tick,
    Trainer,
    Link(LinkEvent),
    Room,
    ShutDown,
    StdinEnd,
}

struct Shell {
    machine: Machine,
    options: Options,
    runner: Runner,
    link: Option<Link>,
    started: Instant,
}

impl Shell {
    async fn run(
        mut self,
        shutdown: CancellationToken,
        stdin_end: CancellationToken,
    ) -> Result<End, Error> {
        let mut told = false;
        let result = loop {
            let collected = self.collect(&shutdown, &stdin_end, told).await;
            told |= matches!(collected, Collected::ShutDown);
            let actions = self.decide(collected);
            if let Some(result) = self.act(actions) {
                break result;
            }
        };
        if let Some(link) = self.link.take() {
            link.close(CLOSE).await;
        }
        self.runner.end(TRAINER_END).await;
        result
    }

    /// Waits for the next thing to happen; decides nothing.
    async fn collect(
        &mut self,
        shutdown: &CancellationToken,
        stdin_end: &CancellationToken,
        told: bool,
    ) -> Collected {
        let deadline = self.started + self.machine.next_deadline();
        let waiting = self.machine.has_message();
        let outbound = self.link.as_ref().filter(|_| waiting).map(Link::outbound);
        let link = self.link.as_mut();
        tokio::select! {
            event = async { maybe(link.map(Link::next)).await } => Collected::Link(event),
            () = async { maybe(outbound.as_ref().map(room)).await } => Collected::Room,
            () = self.runner.mailbox().ready() => Collected::Trainer,
            () = tokio::time::sleep_until(deadline) => Collected::Tick,
            () = shutdown.cancelled(), if !told => Collected::ShutDown,
            () = stdin_end.cancelled() => Collected::StdinEnd,
        }
    }

    /// Lets the machine decide, on the trainer's latest words.
    fn decide(&mut self, collected: Collected) -> Vec<Action> {
        let input = match collected {
            Collected::Room => return Vec::new(),
            Collected::Tick | Collected::Trainer => Input::Tick,
            Collected::Link(LinkEvent::Message(message)) => Input::Message(message),
            Collected::Link(LinkEvent::Closed(closed)) => {
                self.link = None;
                Input::Closed(closed)
            }
            Collected::ShutDown => Input::Leave(End::ShutDown),
            Collected::StdinEnd => Input::Leave(End::CoordinatorGone),
        };
        let now = self.started.elapsed();
        let mut actions = Vec::new();
        if matches!(input, Input::Tick) {
            let report = self.runner.mailbox().take();
            actions = self.machine.handle(now, Input::Reported(report));
        }
        actions.extend(self.machine.handle(now, input));
        actions
    }

    /// Does what was decided, and sends what there is room for.
    fn act(&mut self, actions: Vec<Action>) -> Option<Result<End, Error>> {
        let mut result = None;
        for action in actions {
            match action {
                Action::Dial(hello) => self.link = Some(Link::dial(&self.options, *hello)),
                Action::HangUp => self.link = None,
                Action::Run(token, job) => {
                    let about = self.machine.about(token);
                    if !self.runner.run(token, about, job) {
                        return Some(Err(Error::TrainerGone));
                    }
                }
                Action::Abort => self.runner.abort(),
                Action::End(end) => result = Some(end),
            }
        }
        let now = self.started.elapsed();
        while self.machine.has_message()
            && let Some(permit) = self.link.as_ref().and_then(Link::try_reserve)
            && let Some(message) = self.machine.next_message(now)
        {
            permit.send(message);
        }
        result
    }
}

/// What a future brings, or nothing ever.
async fn maybe<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
