#!/usr/bin/env bash
# Jinja2 3.1.6: the filter `urlize` writes `https://` in front of a link whose scheme is in upper case, and so links to a host named `HTTPS`.
#
# Guessed: an upper-case scheme (RFC 3986 §3.1 allows it) stays as it is, or comes out in lower case, as with every other linkifier that was tried.
# Seen: it does find the link, but takes one that begins with neither `https://` nor `http://` for one that has no scheme.
# Touches: links that were written in upper case, for a QR code in its alphanumeric mode. Give `Port::link` a base in lower case.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jinja2==3.1.6

cat >links.py <<'PYTHON'
from jinja2.utils import urlize

for link in "https://example.org/p", "HTTPS://EXAMPLE.ORG/P", "Https://example.org/p":
    print(urlize(link))
PYTHON
venv/bin/python links.py | tee links

diff links - <<'HTML'
<a href="https://example.org/p">https://example.org/p</a>
<a href="https://HTTPS://EXAMPLE.ORG/P">HTTPS://EXAMPLE.ORG/P</a>
<a href="https://Https://example.org/p">Https://example.org/p</a>
HTML
echo "as described"
