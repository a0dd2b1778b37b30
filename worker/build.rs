//! Compiles the C++ shim, and writes into the binary where to look for libtorch and which version it
//! was built with.
//!
//! The search order at run time is `LD_LIBRARY_PATH`, the library folder of an installed tree
//! (`PREFIX/lib/rangefinder`, seen from `PREFIX/bin` or `PREFIX/libexec/rangefinder`), and last the
//! libtorch that the build used. New-style tags make it a RUNPATH, which `LD_LIBRARY_PATH` overrides.

use std::path::{Path, PathBuf};

/// The C++ shim, a folder.
const SHIM: &str = "src/shim";

/// The version that tch pairs with, where the libtorch of the build does not tell its own.
const PAIRED_VERSION: &str = "2.11";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    // torch-sys found libtorch and tells where.
    let Some(libraries) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!(
            "cargo::error=torch-sys did not tell where libtorch is: set LIBTORCH to its folder"
        );
        return;
    };
    compile_shim(&libraries);
    println!("cargo::rustc-link-arg=-Wl,--enable-new-dtags");
    for folder in ["../lib/rangefinder", "../../lib/rangefinder"] {
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/{folder}");
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libraries.display());
    let version = told_version(&libraries).unwrap_or_else(|| PAIRED_VERSION.to_owned());
    println!("cargo::rustc-env=RANGEFINDER_LIBTORCH_VERSION={version}");
}

/// With the headers and the ABI that torch-sys compiles its own C++ with.
fn compile_shim(libraries: &Path) {
    let root = std::env::var_os("LIBTORCH_INCLUDE")
        .map(PathBuf::from)
        .or_else(|| libraries.parent().map(Path::to_path_buf))
        .unwrap_or_default();
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .warnings(false)
        .flag("-std=c++17")
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        .include(root.join("include"))
        .files(["training.cpp", "script.cpp"].map(|file| Path::new(SHIM).join(file)))
        .compile("rangefinder_shim");
}

/// The content of `build-version`, which libtorch's archives carry beside their `lib` folder.
fn told_version(libraries: &Path) -> Option<String> {
    let file = libraries.parent()?.join("build-version");
    let version = std::fs::read_to_string(file).ok()?;
    let version = version.trim();
    (!version.is_empty()).then(|| version.to_owned())
}
