//! The examples as programs.

use std::path::PathBuf;
use std::process::Command;

/// An example of this very build, with features beside the default ones. By now it was built beside this test, unless only this test was
/// asked for.
pub fn example(name: &str, features: &str) -> PathBuf {
    // <target directory>/<profile>/deps/it-<hash>
    let test = std::env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).unwrap();
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", name]);
    cargo.args(["--features", features, "--profile", profile, "--target-dir"]).arg(directory.parent().unwrap());
    assert!(cargo.status().unwrap().success());
    directory.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
