//! How each target links.

use std::env;

fn main() {
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let arguments: &[&str] = match (target("OS").as_str(), target("ARCH").as_str()) {
        // Nothing but this crate and its dependencies: no start files, no libc, no loader.
        ("linux", _) => &["-nostdlib", "-static", "-no-pie"],
        // cortex-m-rt's start, in the memory that memory.x describes.
        (_, "arm") => &["-Tlink.x"],
        _ => &[],
    };
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-link-search={}", env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=memory.x");
}
