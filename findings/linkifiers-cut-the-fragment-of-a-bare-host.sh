#!/usr/bin/env bash
# anchorme 3.0.8, twitter-text 3.1.0, bleach 6.4.0 and the crate linkify 0.11.0 end a link at its `#` if nothing stands between the host and it.
#
# Guessed: `https://example.org#part` is a link (RFC 3986 §3: a path may be empty), and one linkifier at most is stricter.
# Seen: these four link to `https://example.org`, and leave `#part` behind as text. With a single `/` before the `#` all of them keep it.
# Touches: a Port's link, which has everything behind the `#`: who clicks it comes to a page that knows nothing of a Port. Give `Port::link` a
# base with a path: `https://example.org/`, not `https://example.org`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >package.json <<'JSON'
{ "private": true }
JSON
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact anchorme@3.0.8 twitter-text@3.1.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bleach==6.4.0

cat >links.cjs <<'JS'
const anchorme = require('anchorme').default
const twitter = require('twitter-text')

for (const text of process.argv.slice(2)) {
  console.log('anchorme', anchorme.list(text).map((link) => link.string).join(' '))
  console.log('twitter-text', twitter.extractUrls(text).join(' '))
}
JS
cat >links.py <<'PYTHON'
import re
import sys

import bleach

for text in sys.argv[1:]:
    print("bleach", *re.findall('href="([^"]*)"', bleach.linkify(text)))
PYTHON
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "links"
version = "0.0.0"
edition = "2024"

[dependencies]
linkify = "=0.11.0"
TOML
cat >src/main.rs <<'RUST'
fn main() {
    for text in std::env::args().skip(1) {
        for link in linkify::LinkFinder::new().links(&text) {
            println!("linkify {}", link.as_str());
        }
    }
}
RUST

for text in "https://example.org#part" "https://example.org/#part"; do
    echo "== $text"
    node links.cjs "$text"
    venv/bin/python links.py "$text"
    cargo run --quiet -- "$text"
done | tee links

diff links - <<'LINKS'
== https://example.org#part
anchorme https://example.org
twitter-text https://example.org
bleach https://example.org
linkify https://example.org
== https://example.org/#part
anchorme https://example.org/#part
twitter-text https://example.org/#part
bleach https://example.org/#part
linkify https://example.org/#part
LINKS
echo "as described"
