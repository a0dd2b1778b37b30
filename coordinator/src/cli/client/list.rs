//! `coordinator list`: the sweeps of a service.

use super::args::ListArgs;
use super::screen::Screen;
use super::service::Service;
use super::sweeps::{self as words, SweepJson};
use super::table::table;
use crate::cli::output::{Trouble, print};
use crate::client::{Error, Kind};
use crate::exit;
use crate::wire::sweeps;
use jiff::Timestamp;
use rangefinder_config::names;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_sweep::event::FieldError;

pub(in crate::cli) fn list(args: ListArgs) -> Result<u8, Trouble> {
    let states = args
        .state
        .iter()
        .map(|name| state(name))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|mistake| Trouble::fields(&[mistake]))?;
    let service = Service::of(args.service)?;
    let request = v1::ListSweepsRequest {
        states: states.into_iter().map(i32::from).collect(),
        name_prefix: args.name.unwrap_or_default(),
        ..v1::ListSweepsRequest::default()
    };
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let screen = Screen::new(false);
    service.run(&screen, async |client| {
        let sweeps = client
            .list(request, limit)
            .await
            .map_err(|error| Trouble::service(&error))?;
        if args.json {
            let all: Vec<_> = sweeps
                .iter()
                .map(SweepJson::of)
                .collect::<Result<_, _>>()
                .map_err(|unknown| newer(&unknown))?;
            print(&serde_json::to_string(&all).map_err(|error| Trouble::not_json(&error))?)?;
            return Ok(exit::OK);
        }
        if sweeps.is_empty() {
            screen.note("There are no such sweeps.");
            return Ok(exit::OK);
        }
        let with_owner = sweeps.iter().any(|sweep| sweep.owner != sweeps[0].owner);
        let now = Timestamp::now();
        let rows: Vec<_> = sweeps
            .iter()
            .map(|sweep| words::row(sweep, with_owner, now))
            .collect();
        print(&table(&words::COLUMNS, &rows))?;
        if sweeps.len() == limit {
            screen.note(&format!(
                "These are the newest {limit}; --limit N lists more."
            ));
        }
        Ok(exit::OK)
    })
}

/// The service says something that this release does not know.
pub(super) fn newer(unknown: &sweeps::Unknown) -> Trouble {
    Trouble::service(&Error::new(
        Kind::Refused,
        Code::ServiceRelease,
        unknown.to_string(),
        "install the same release of service and client",
    ))
}

fn state(name: &str) -> Result<v1::SweepState, FieldError> {
    let known = sweeps::SWEEP_STATES
        .iter()
        .find(|(known, _)| *known == name);
    known.map(|(_, state)| *state).ok_or_else(|| {
        let all = sweeps::SWEEP_STATES.map(|(name, _)| name);
        FieldError {
            code: Code::UnknownName,
            field: "state".to_owned(),
            message: format!(
                "`{name}` is no state of a sweep; expected {}",
                names::any_of(all)
            ),
            remedy: match names::nearest(name, all) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "take one of these, or several with commas between them".to_owned(),
            },
        }
    })
}
