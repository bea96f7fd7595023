#!/usr/bin/env bash
# minicbor 2.3.1 with `derive` (minicbor-derive 0.19.5) doesn't compile with Rust 1.85, and Cargo doesn't keep it away from a crate that asks
# for 1.85.
#
# Guessed: both crates are of edition 2024 and declare no `rust-version`, so they build with the first compiler of that edition, 1.85. Their
# maintainer reads it so too (github.com/twittner/minicbor/issues/50). And where a version asks for more, Cargo's resolver 3 picks an older one.
# Seen: minicbor-derive is written with `let` chains, which edition 2024 has since 1.88 only: error E0658. As no version declares a
# `rust-version`, the resolver finds all of them compatible, and picks the newest.
# Touches: users who build this crate with Debian 13's compiler, 1.85. And readers of `cargo metadata`: where a dependency declares no version,
# the minimum that they read there is only a lower bound.
#
# Needs Debian or a derivative (the 1.85 is its rustc-web), and a newer cargo.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

echo "== Rust 1.85, unpacked"
apt-get update -qq
mkdir packages compiler
llvm=$(apt-cache show --no-all-versions libstd-rust-web-1.85 | sed -n 's/^Depends:.*\(libllvm[0-9]*\).*/\1/p')
(cd packages && apt-get download -qq 'rustc-web=1.85.*' 'libstd-rust-web-dev=1.85.*' libstd-rust-web-1.85 "$llvm" 2>/dev/null)
for package in packages/*.deb; do
    dpkg -x "$package" compiler
done
libraries=("$folder"/compiler/usr/lib/*-linux-gnu)
printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "${libraries[0]}" "$folder/compiler/usr/bin/rustc" >rustc
chmod +x rustc
export RUSTC="$folder/rustc" CARGO_TARGET_DIR="$folder/target"
"$RUSTC" --version

mkdir -p user/src
cat >user/Cargo.toml <<'TOML'
[package]
name = "user"
version = "0.0.0"
edition = "2024"
rust-version = "1.85"

[dependencies]
minicbor = { version = "=2.3.1", default-features = false, features = ["derive"] }
minicbor-derive = "=0.19.5"
TOML
cat >user/src/lib.rs <<'RUST'
#![no_std]

#[derive(minicbor::Encode)]
pub struct Point(#[n(0)] pub u8);
RUST
cd user

echo "== what the two crates declare"
cargo metadata --format-version 1 2>/dev/null | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"].startswith("minicbor"):
        print(package["name"], package["version"], "edition", package["edition"], "rust-version", package["rust_version"])
' | tee "$folder/declared"

echo "== what the compiler says"
! cargo check 2>"$folder/errors"
grep -E '^error' "$folder/errors" | sort | uniq -c | tee "$folder/counted"

grep -q 'minicbor-derive 0.19.5 edition 2024 rust-version None' "$folder/declared"
grep -q 'error\[E0658\]: `let` expressions in this position are unstable' "$folder/counted"
grep -q 'could not compile `minicbor-derive`' "$folder/counted"
echo "as described"
