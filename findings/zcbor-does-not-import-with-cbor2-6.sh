#!/usr/bin/env bash
# zcbor 0.9.1, the CDDL tool of Zephyr's firmware, does not start beside cbor2 6.3.0, and pip puts the two together.
#
# Guessed: `pip install zcbor` gives a tool that runs. Its package asks for cbor2 5.4.2 or later, so pip keeps away what does not fit.
# Seen: the package names no upper bound. pip takes cbor2 6, which has no `CBORDecodeValueError` any more, and every command of zcbor ends in
# an ImportError. With cbor2 5 it reads the same schema.
# Beside: it opens no CBOR file by name, because it asks Python for an encoding of a binary file. Standard input works.
# Touches: firmware that generates its codec from port.cddl. Install zcbor with `'cbor2<6'`, in an environment of its own: the check of our
# vectors wants cbor2 6.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >point.cddl <<'CDDL'
point = [x: uint, y: uint]
CDDL
python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex("820102"))' >point.cbor

# with VERSION: what zcbor says of a valid point, beside that cbor2.
with() {
    python3 -m venv "cbor2-$1"
    "cbor2-$1/bin/pip" install --quiet --disable-pip-version-check zcbor==0.9.1 "cbor2==$1"
    "cbor2-$1/bin/zcbor" convert -c point.cddl -t point -i - --input-as cbor -o - --output-as json <point.cbor 2>&1
}

echo "== what the package asks for"
python3 -m venv asks
asks/bin/pip install --quiet --disable-pip-version-check --no-deps zcbor==0.9.1
grep '^Requires-Dist: cbor2' asks/lib/python*/site-packages/zcbor-0.9.1.dist-info/METADATA | tee asked

echo "== beside cbor2 6.3.0"
! with 6.3.0 >new
tail -n 1 new
echo "== beside cbor2 5.9.0"
with 5.9.0 >old
cat old

test "$(cat asked)" = 'Requires-Dist: cbor2 >=5.4.2.post1'
grep -q "ImportError: cannot import name 'CBORDecodeValueError' from 'cbor2'" new
grep -q '^\[1, 2\]' old
echo "as described"
