//! `coordinator watch`: a sweep of a service to its end.

use super::args::WatchArgs;
use super::follow::Following;
use super::screen::Screen;
use super::service::{Service, refused};
use crate::cli::ending::{self, Ending};
use crate::cli::output::Trouble;
use crate::cli::signals::Signals;
use tokio_util::sync::CancellationToken;

pub(in crate::cli) fn watch(args: WatchArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let out = args.out.map(|out| ending::folder(Some(out))).transpose()?;
    let ending = Ending {
        hparams: None,
        json: args.json,
        quiet: args.quiet,
    };
    let screen = Screen::new(args.quiet);
    service.run(&screen, async |client| {
        let interrupt = CancellationToken::new();
        let signals = Signals::install().map_err(|error| refused(&error))?;
        let watching = tokio::spawn(signals.watch(interrupt.clone()));
        let known = tokio::select! {
            biased;
            () = interrupt.cancelled() => None,
            known = client.get(&args.id, false) => Some(known),
        };
        let Some(known) = known else {
            return Ok(crate::exit::CANCELLED);
        };
        let (sweep, _) = known.map_err(|error| Trouble::service(&error))?;
        let following = Following {
            service: &service,
            client: &client,
            screen: &screen,
            from: args.from,
            json_events: args.json_events,
            out: out.as_deref(),
            ending: &ending,
            interrupt: &interrupt,
        };
        let done = following.follow(&sweep).await;
        watching.abort();
        done
    })
}
