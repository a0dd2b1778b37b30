//! `coordinator submit`: a sweep of a service, from its specification to its end.

use super::args::SubmitArgs;
use super::files;
use super::follow::Following;
use super::screen::Screen;
use super::service::{Service, refused};
use crate::cli::ending::{self, Ending};
use crate::cli::output::{Trouble, print};
use crate::cli::request;
use crate::cli::signals::Signals;
use crate::client::{Client, Kind};
use crate::exit;
use crate::observe::TraceParent;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_report::terminal;
use std::cell::Cell;
use std::fmt::Write as _;
use tokio_util::sync::CancellationToken;

pub(in crate::cli) fn submit(args: SubmitArgs) -> Result<u8, Trouble> {
    let spec = request::spec(args.spec)?;
    files::check(&spec, args.workers.unwrap_or(1), args.on_server)?;
    let ending = Ending::of(&args.end)?;
    let service = Service::of(args.service)?;
    let out = match args.detach {
        true => None,
        false => Some(ending::folder(args.end.out)?),
    };
    let request = v1::CreateSweepRequest {
        request_id: match args.request_id {
            Some(id) => id,
            None => fresh_id()?,
        },
        spec: Some(spec),
        workers: args.workers.unwrap_or(0),
        priority: args.priority,
        name: args.name.unwrap_or_default(),
        validate_only: false,
    };
    let screen = Screen::new(ending.quiet);
    service.run(&screen, async |client| {
        let interrupt = CancellationToken::new();
        let signals = Signals::install().map_err(|error| refused(&error))?;
        let watching = tokio::spawn(signals.watch(interrupt.clone()));
        let id = request.request_id.clone();
        let is_asked = Cell::new(false);
        let created = tokio::select! {
            biased;
            () = interrupt.cancelled() => None,
            created = create(&client, request, args.on_server, &screen, &is_asked) => Some(created),
        };
        screen.finish();
        let sweep = match created {
            Some(created) => created?,
            None => {
                terminal::complain(&interrupted(is_asked.get(), &id));
                return Ok(exit::CANCELLED);
            }
        };
        if args.detach {
            print(&sweep.id)?;
            return Ok(exit::OK);
        }
        screen.note(&format!("Sweep {} at {}", sweep.id, service.server()));
        let following = Following {
            service: &service,
            client: &client,
            screen: &screen,
            from: 1,
            json_events: false,
            out: out.as_deref(),
            ending: &ending,
            interrupt: &interrupt,
        };
        let done = following.follow(&sweep).await;
        watching.abort();
        done
    })
}

/// Uploads what is to be uploaded and starts the sweep. `is_asked` says whether the service may
/// have started it.
async fn create(
    client: &Client,
    mut request: v1::CreateSweepRequest,
    on_server: bool,
    screen: &Screen,
    is_asked: &Cell<bool>,
) -> Result<v1::Sweep, Trouble> {
    if let (Some(spec), false) = (&mut request.spec, on_server) {
        files::upload(spec, client, screen).await?;
    }
    is_asked.set(true);
    let id = request.request_id.clone();
    client.create_within(request, trace()).await.map_err(|error| {
        if error.kind == Kind::Away {
            terminal::complain(&unanswered(&id));
        }
        Trouble::service(&error)
    })
}

fn interrupted(is_asked: bool, request_id: &str) -> String {
    if is_asked {
        unanswered(request_id)
    } else {
        "Nothing was submitted. What is uploaded stays with the service for a while: the same \
         command goes on from there."
            .to_owned()
    }
}

/// What to do where nobody knows whether the service has started the sweep.
fn unanswered(request_id: &str) -> String {
    format!(
        "The service may have started the sweep or not: the same command with --request-id \
         {request_id} follows it if it has, and starts it if not."
    )
}

/// The trace that the sweep is part of: that of the program which runs this one, where it says so in
/// the usual variable, else a new one. Without random bytes the service begins one.
fn trace() -> Option<TraceParent> {
    let given = std::env::var("TRACEPARENT").ok();
    let given = given.and_then(|text| TraceParent::parse(&text));
    given.or_else(|| TraceParent::random().ok())
}

/// A request id that nobody else draws.
fn fresh_id() -> Result<String, Trouble> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let text = format!("the operating system gives no random bytes: {error}");
        Trouble::new(exit::FAILED, Code::System, text)
    })?;
    Ok(bytes.iter().fold(String::new(), |mut id, byte| {
        // Writing to a text cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    }))
}
