//! libFuzzer on the target that `RANGEFINDER_FUZZ_TARGET` names. `scripts/fuzz` builds and runs it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rangefinder_fuzz::Target;
use std::sync::OnceLock;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("RANGEFINDER_FUZZ_TARGET").unwrap_or_default();
        match Target::named(&name) {
            Some(target) => {
                TARGET.get_or_init(|| target);
            }
            None => {
                eprintln!("fuzz: RANGEFINDER_FUZZ_TARGET is {name:?}, which is no target");
                std::process::exit(2);
            }
        }
    },
    |input: &[u8]| {
        if let Some(target) = TARGET.get() {
            target.check(input);
        }
    }
);
