//! libFuzzer on the target that `RANGEFINDER_FUZZ_TARGET` names. `scripts/fuzz` builds and runs it.
//!
//! `RANGEFINDER_FUZZ_SEEDS` names a folder into which the inputs that the target makes are written first.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rangefinder_fuzz::Target;
use std::env;
use std::path::Path;
use std::sync::OnceLock;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: {
        if let Err(why) = begin() {
            eprintln!("fuzz: {why}");
            std::process::exit(2);
        }
    },
    |input: &[u8]| {
        if let Some(target) = TARGET.get() {
            target.check(input);
        }
    }
);

fn begin() -> Result<(), String> {
    let name = env::var("RANGEFINDER_FUZZ_TARGET").unwrap_or_default();
    let target = Target::named(&name);
    let target = target.ok_or_else(|| format!("RANGEFINDER_FUZZ_TARGET is {name:?}, no target"))?;
    if let Some(folder) = env::var_os("RANGEFINDER_FUZZ_SEEDS") {
        for (index, seed) in target.seeds().iter().enumerate() {
            let path = Path::new(&folder).join(index.to_string());
            std::fs::write(path, seed).map_err(|error| format!("seed {index}: {error}"))?;
        }
    }
    TARGET.get_or_init(|| target);
    Ok(())
}
