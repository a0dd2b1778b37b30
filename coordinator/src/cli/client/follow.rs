//! The events of a sweep and what comes after them.

use super::screen::Screen;
use super::service::Service;
use crate::cli::answer;
use crate::cli::ending::{self, Ending};
use crate::cli::output::Trouble;
use crate::client::{Client, Error, Kind};
use crate::exit;
use crate::wire::sweeps;
use rangefinder_config::names;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_report::{SweepDocument, document, terminal};
use rangefinder_sweep::schedule::{Grid, Mode, Range};
use std::io::{self, Write as _};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// How a sweep is followed.
pub(super) struct Following<'a> {
    pub(super) service: &'a Service,
    pub(super) client: &'a Client,
    pub(super) screen: &'a Screen,
    /// Number of the first event that is wanted.
    pub(super) from: u64,
    /// Whether the events themselves are printed, and no answer.
    pub(super) json_events: bool,
    /// Where the files go, if anywhere.
    pub(super) out: Option<&'a Path>,
    pub(super) ending: &'a Ending,
    /// Ctrl-C.
    pub(super) interrupt: &'a CancellationToken,
}

/// Why nobody listens any more, though the sweep goes on.
enum Left {
    Interrupted,
    /// Whoever read stdout has gone.
    Unread,
}

impl Following<'_> {
    /// Shows a sweep until it has ended, and does what is to be done then.
    pub(super) async fn follow(&self, sweep: &v1::Sweep) -> Result<u8, Trouble> {
        self.screen.sweep(learning_rates(sweep.spec.as_ref()));
        let watched = self.watch(&sweep.id).await;
        self.screen.finish();
        let ended = match watched {
            Ok(Ok(ended)) => ended,
            Ok(Err(Left::Unread)) => return Ok(exit::OK),
            Ok(Err(Left::Interrupted)) => {
                terminal::complain(&self.goes_on(&sweep.id));
                return Ok(exit::CANCELLED);
            }
            Err(error) => {
                if error.kind == Kind::Away {
                    terminal::complain(&self.goes_on(&sweep.id));
                }
                return Err(Trouble::service(&error));
            }
        };
        match fetch(self.client, &ended, self.service.server()).await? {
            Some(document) if self.json_events => match &document.failure {
                Some(failure) => Err(Trouble::sweep(failure)),
                None => Ok(answer::end(&document, true)),
            },
            Some(document) => ending::finish(&document, self.out, self.ending),
            None => without_document(&ended),
        }
    }

    async fn watch(&self, id: &str) -> Result<Result<v1::Sweep, Left>, Error> {
        let unread = CancellationToken::new();
        let mut is_newer_told = false;
        let mut on_event = |event: v1::SweepEvent| {
            if self.json_events && writeln!(io::stdout(), "{}", event.json).is_err() {
                unread.cancel();
            }
            match sweeps::read_event(&event) {
                Ok(event) => self.screen.event(&event),
                Err(unknown) if !is_newer_told => {
                    is_newer_told = true;
                    self.screen.note(&format!(
                        "not all of it is shown: {unknown}; install the release of the service"
                    ));
                }
                Err(_) => {}
            }
        };
        tokio::select! {
            biased;
            () = self.interrupt.cancelled() => Ok(Err(Left::Interrupted)),
            () = unread.cancelled() => Ok(Err(Left::Unread)),
            ended = self.client.watch(id, self.from, &mut on_event) => ended.map(Ok),
        }
    }

    fn goes_on(&self, id: &str) -> String {
        format!(
            "Sweep {id} goes on at {}.\n  {} follows it again,\n  {} ends it.",
            self.service.server(),
            self.service.command(&format!("watch {id}")),
            self.service.command(&format!("cancel {id}")),
        )
    }
}

/// The document of a sweep that has ended; none where the service keeps none.
pub(super) async fn fetch(
    client: &Client,
    sweep: &v1::Sweep,
    server: &str,
) -> Result<Option<SweepDocument>, Trouble> {
    let (_, text) = client
        .get(&sweep.id, true)
        .await
        .map_err(|error| Trouble::service(&error))?;
    if text.is_empty() {
        return Ok(None);
    }
    let origin = format!("the result of sweep {} at {server}", sweep.id);
    document::parse(&text, &origin)
        .map(Some)
        .map_err(|error| Trouble::input(&error))
}

/// How a sweep ended of which there is no result.
fn without_document(sweep: &v1::Sweep) -> Result<u8, Trouble> {
    let id = &sweep.id;
    match (sweep.state(), &sweep.failure) {
        (v1::SweepState::Cancelled, _) => {
            terminal::complain(&format!("Sweep {id} was cancelled before it had a curve."));
            Ok(exit::CANCELLED)
        }
        (_, Some(failure)) => {
            let code = Code::parse(&failure.code).unwrap_or(Code::WorkerFailed);
            let exit = code.exits().first().copied().unwrap_or(exit::FAILED);
            Err(Trouble::new(exit, code, failure.message.clone()))
        }
        _ => Err(Trouble::new(
            exit::FAILED,
            Code::ServiceRelease,
            format!(
                "sweep {id} has ended, and its result is not there\n  install the same release of \
                 service and client"
            ),
        )),
    }
}

/// The learning rates of a specification that a service has completed; none where something is
/// missing.
pub(super) fn learning_rates(spec: Option<&v1::SweepSpec>) -> Vec<f64> {
    let range = spec.and_then(|spec| {
        let mode = named(&names::modes(), spec.mode.as_deref()).unwrap_or(Mode::Exponential);
        let profile = named(&names::profiles(), spec.profile.as_deref());
        Some(Range {
            mode,
            grid: profile.map_or(Grid::BothEnds, |profile| profile.grid(mode)),
            min_lr: spec.min_lr?,
            max_lr: spec.max_lr?,
            steps: spec.num_training?,
        })
    });
    range
        .filter(|range| range.validate().is_ok())
        .map(|range| range.learning_rates())
        .unwrap_or_default()
}

fn named<T: Copy>(table: &[(&str, T)], name: Option<&str>) -> Option<T> {
    let name = name?;
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_are_those_that_the_service_plans_with() {
        let profiles = [None]
            .into_iter()
            .chain(names::profiles().map(|(name, _)| Some(name)));
        for (profile, mode) in profiles.flat_map(|it| names::modes().map(|(mode, _)| (it, mode))) {
            let spec = v1::SweepSpec {
                profile: profile.map(str::to_owned),
                mode: Some(mode.to_owned()),
                ..v1::SweepSpec::default()
            };
            let resolved = rangefinder_config::resolve(spec, 1, 1).unwrap();
            assert_eq!(
                learning_rates(Some(&resolved.spec)),
                resolved.request.plan.range.learning_rates(),
                "{profile:?} {mode}"
            );
        }
        assert!(learning_rates(None).is_empty());
        assert!(learning_rates(Some(&v1::SweepSpec::default())).is_empty());
    }
}
