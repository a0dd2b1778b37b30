//! Writes into the binary where to look for libtorch, and which version it was built with.
//!
//! The search order at run time is `LD_LIBRARY_PATH`, the library folder of an installed tree
//! (`PREFIX/lib/rangefinder`, seen from `PREFIX/bin` or `PREFIX/libexec/rangefinder`), and last the
//! libtorch that the build used. New-style tags make it a RUNPATH, which `LD_LIBRARY_PATH` overrides.

use std::path::Path;

/// The version that tch pairs with, where the libtorch of the build does not tell its own.
const PAIRED_VERSION: &str = "2.11";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,--enable-new-dtags");
    for folder in ["../lib/rangefinder", "../../lib/rangefinder"] {
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/{folder}");
    }
    let libraries = std::env::var_os("DEP_TCH_LIBTORCH_LIB");
    let mut version = PAIRED_VERSION.to_owned();
    if let Some(folder) = &libraries {
        let folder = Path::new(folder);
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
        if let Some(told) = told_version(folder) {
            version = told;
        }
    }
    println!("cargo::rustc-env=RANGEFINDER_LIBTORCH_VERSION={version}");
}

/// The content of `build-version`, which libtorch's archives carry beside their `lib` folder.
fn told_version(libraries: &Path) -> Option<String> {
    let file = libraries.parent()?.join("build-version");
    let version = std::fs::read_to_string(file).ok()?;
    let version = version.trim();
    (!version.is_empty()).then(|| version.to_owned())
}
