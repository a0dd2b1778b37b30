//! `coordinator show`: what a service knows of a sweep.

use super::args::ShowArgs;
use super::follow::fetch;
use super::list::newer;
use super::screen::Screen;
use super::service::Service;
use super::sweeps::{SweepJson, described};
use crate::cli::ending;
use crate::cli::output::{Trouble, print};
use crate::exit;
use jiff::Timestamp;
use rangefinder_errors::Code;
use rangefinder_report::{files, terminal};

pub(in crate::cli) fn show(args: ShowArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let out = args.out.map(|out| ending::folder(Some(out))).transpose()?;
    service.run(&Screen::new(false), async |client| {
        let (sweep, _) = client
            .get(&args.id, false)
            .await
            .map_err(|error| Trouble::service(&error))?;
        let Some(out) = out else {
            let text = if args.json {
                let sweep = SweepJson::of(&sweep).map_err(|unknown| newer(&unknown))?;
                serde_json::to_string(&sweep).map_err(|error| Trouble::not_json(&error))?
            } else {
                let (width, _) = terminal::stderr_style();
                described(&sweep, Timestamp::now(), width)
            };
            print(&text)?;
            return Ok(exit::OK);
        };
        let Some(document) = fetch(&client, &sweep, service.server()).await? else {
            let text = format!(
                "sweep {} has no result to write\n  {} tells its state",
                args.id,
                service.command(&format!("show {}", args.id))
            );
            return Err(Trouble::new(exit::WRONG_INPUT, Code::NotInThatState, text));
        };
        let written = files::write(&out, &document).map_err(|error| Trouble::failed(&error))?;
        let paths: String = written
            .names
            .iter()
            .map(|name| format!("{}\n", written.folder.join(name).display()))
            .collect();
        print(&paths)?;
        Ok(exit::OK)
    })
}
