#!/usr/bin/env bash
# Sends a Port's texts through other people's software, has `Port::find` read what comes out, and compares the results with results.txt.
#
#   run.sh            fails if anything is other than in results.txt, or if a whole Base32 was not read
#   run.sh --bless    writes results.txt anew: read the difference
#
# Wants Node.js 20, Python 3.11, cargo, and Debian's qrencode, zbar-tools, w3m and lynx. Installs the rest in a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for tool in node npm python3 cargo qrencode zbarimg w3m lynx; do
    command -v "$tool" >/dev/null || { echo "run.sh wants $tool" >&2; exit 2; }
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp ./*.mjs package.json package-lock.json "$folder"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$(realpath ../../target)}"
cargo build --quiet --locked --manifest-path rust/Cargo.toml
cargo build --quiet --manifest-path ../../Cargo.toml --example read_port
cp "$CARGO_TARGET_DIR/debug/software" "$folder/crates"

python=$folder/venv/bin/python
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
node() { (cd "$folder" && command node "$@"); }

"$python" inputs.py >"$folder/inputs"
{
    node software.mjs <"$folder/inputs"
    "$python" software.py <"$folder/inputs"
    "$folder/crates" links <"$folder/inputs"
    node mail.mjs <"$folder/inputs"
    "$python" mail.py <"$folder/inputs"
} >"$folder/outputs"
{
    node qr.mjs write <"$folder/inputs"
    "$python" qr.py write <"$folder/inputs"
    "$folder/crates" write <"$folder/inputs"
} >"$folder/matrices"
grep --invert-match '"refused"' "$folder/matrices" >"$folder/codes"
{
    node qr.mjs read <"$folder/codes"
    "$python" qr.py read <"$folder/codes"
    "$folder/crates" read <"$folder/codes"
} >>"$folder/outputs"

read=0
"$python" table.py "$CARGO_TARGET_DIR/debug/examples/read_port" "$folder/matrices" <"$folder/outputs" >"$folder/results" || read=$?
if [ "${1-}" = --bless ]; then
    cp "$folder/results" results.txt
else
    diff results.txt "$folder/results"
fi
exit "$read"
