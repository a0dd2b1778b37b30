//! `coordinator cancel`, `delete` and `drain`: what changes something, in a sentence on stderr.

use super::args::{CancelArgs, DeleteArgs, DrainArgs};
use super::screen::Screen;
use super::service::Service;
use super::table::plain;
use crate::cli::output::Trouble;
use crate::exit;
use crate::wire::sweeps;
use rangefinder_proto::v1;

pub(in crate::cli) fn cancel(args: CancelArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let screen = Screen::new(false);
    service.run(&screen, async |client| {
        let sweep = client
            .cancel(&args.id)
            .await
            .map_err(|error| Trouble::service(&error))?;
        let state = sweep.state();
        screen.note(&match state {
            v1::SweepState::Cancelled => format!("Sweep {} is cancelled.", args.id),
            _ if sweeps::has_ended(state) => format!(
                "Sweep {} had ended already: {}.",
                args.id,
                sweeps::sweep_state_name(state)
            ),
            _ => format!("Sweep {} is being cancelled.", args.id),
        });
        Ok(exit::OK)
    })
}

pub(in crate::cli) fn delete(args: DeleteArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let screen = Screen::new(false);
    service.run(&screen, async |client| {
        client
            .delete(&args.id)
            .await
            .map_err(|error| Trouble::service(&error))?;
        screen.note(&format!("Sweep {} is deleted.", args.id));
        Ok(exit::OK)
    })
}

pub(in crate::cli) fn drain(args: DrainArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let screen = Screen::new(false);
    service.run(&screen, async |client| {
        let worker = client
            .drain(&args.worker)
            .await
            .map_err(|error| Trouble::service(&error))?;
        let works = match worker.sweep_id.as_str() {
            "" => "and leaves".to_owned(),
            sweep => format!("and leaves when it is done with sweep {}", plain(sweep)),
        };
        screen.note(&format!(
            "Worker {} takes no more work {works}.",
            plain(&worker.id)
        ));
        Ok(exit::OK)
    })
}
