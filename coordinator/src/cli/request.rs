//! From flags and configuration file to a resolved specification.

use super::args::RequestArgs;
use super::output::Trouble;
use rangefinder_config::{Resolved, file, resolve};
use rangefinder_proto::v1::SweepSpec;

/// Reads the configuration file, lets the flags win, and resolves what comes out.
pub(super) fn resolved(args: RequestArgs) -> Result<Resolved, Trouble> {
    let mut spec = match &args.config {
        Some(path) => file::load(path).map_err(Trouble::input)?,
        None => SweepSpec::default(),
    };
    let mut flags = args.spec;
    if args.no_shuffle {
        flags.shuffle = Some(false);
    }
    file::overlay(&mut spec, &flags);
    resolve(spec, args.workers, cores()).map_err(|errors| Trouble::fields(&errors))
}

/// CPU cores that this process may use; 1 where that is not known.
fn cores() -> u32 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|cores| u32::try_from(cores.get()).ok())
        .unwrap_or(1)
}
