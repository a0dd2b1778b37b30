//! `coordinator plot`: the pictures again, from a sweep.json.

use super::args::PlotArgs;
use super::output::{Trouble, print};
use crate::exit;
use rangefinder_report::{document, files};
use std::path::Path;

pub(super) fn run(args: &PlotArgs) -> Result<u8, Trouble> {
    let document = document::read(&args.sweep).map_err(|error| Trouble::input(&error))?;
    let folder = match &args.out {
        Some(folder) => folder,
        None => match args.sweep.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        },
    };
    files::check_folder(folder).map_err(|error| Trouble::input(&error))?;
    let written = files::write_plots(folder, &document).map_err(|error| Trouble::failed(&error))?;
    let paths: String = written
        .names
        .iter()
        .map(|name| format!("{}\n", written.folder.join(name).display()))
        .collect();
    print(&paths)?;
    Ok(exit::OK)
}
