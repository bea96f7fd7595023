//! Links nothing but this crate and its dependencies: no start files, no libc, no loader.

fn main() {
    for arg in ["-nostdlib", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
