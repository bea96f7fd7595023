#!/usr/bin/env bash
# Seven renderers of Markdown write the brackets of an IPv6 host as %5B and %5D, and no browser opens such a link.
# npm: commonmark 0.31.2, marked 18.2.1, remark-rehype 11.1.2. PyPI: cmarkgfm 2025.10.22, commonmark 0.9.2, mistune 3.4.0, marko 2.2.4.
#
# Guessed: `[text](https://[2001:db8::1]/p)` has a good address, and comes out as it went in.
# Seen: they escape whatever their list of harmless characters does not have, without a look at where in the address it stands. In a path %5B is
# as good as a bracket; a host has no such form (RFC 3986 §3.2.2), and the URL Standard's parser refuses it. markdown-it 15.0.3 takes the
# address apart first, and leaves it whole.
# Touches: a Port's link on an IPv6 host, pasted into a Markdown editor. `Port::find` reads the Port from what comes out; a browser does nothing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >package.json <<'JSON'
{ "private": true, "type": "module" }
JSON
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact \
    commonmark@0.31.2 marked@18.2.1 markdown-it@15.0.3 unified@11.0.5 remark-parse@11.0.0 remark-rehype@11.1.2 rehype-stringify@10.0.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cmarkgfm==2025.10.22 commonmark==0.9.2 mistune==3.4.0 marko==2.2.4

cat >render.js <<'JS'
import * as commonmark from 'commonmark'
import MarkdownIt from 'markdown-it'
import { marked } from 'marked'
import rehypeStringify from 'rehype-stringify'
import remarkParse from 'remark-parse'
import remarkRehype from 'remark-rehype'
import { unified } from 'unified'

const text = process.argv[2]
const remark = unified().use(remarkParse).use(remarkRehype).use(rehypeStringify)
const pages = {
  'commonmark (npm)': new commonmark.HtmlRenderer().render(new commonmark.Parser().parse(text)),
  marked: marked.parse(text),
  'remark-rehype': String(remark.processSync(text)),
  'markdown-it': new MarkdownIt().render(text),
}
for (const [name, page] of Object.entries(pages)) console.log(`${name}: ${page.match(/href="([^"]*)"/)[1]}`)
JS
cat >render.py <<'PYTHON'
import re
import sys

import cmarkgfm
import commonmark
import marko
import mistune

text = sys.argv[1]
HREF = re.compile(r'href="([^"]*)"')
for name, render in {
    "cmarkgfm": cmarkgfm.markdown_to_html,
    "commonmark (PyPI)": commonmark.commonmark,
    "mistune": mistune.html,
    "marko": marko.convert,
}.items():
    print(f"{name}: {HREF.search(render(text))[1]}")
PYTHON

echo "== [text](https://[2001:db8::1]/p)"
{
    node render.js '[text](https://[2001:db8::1]/p)'
    venv/bin/python render.py '[text](https://[2001:db8::1]/p)'
} | tee links
echo "== what the URL Standard's parser says of the two forms"
for address in 'https://[2001:db8::1]/p' 'https://%5B2001:db8::1%5D/p'; do
    node -e 'console.log(process.argv[1], URL.canParse(process.argv[1]) ? "good" : "refused")' "$address"
done | tee parsed

diff links - <<'LINKS'
commonmark (npm): https://%5B2001:db8::1%5D/p
marked: https://%5B2001:db8::1%5D/p
remark-rehype: https://%5B2001:db8::1%5D/p
markdown-it: https://[2001:db8::1]/p
cmarkgfm: https://%5B2001:db8::1%5D/p
commonmark (PyPI): https://%5B2001:db8::1%5D/p
mistune: https://%5B2001:db8::1%5D/p
marko: https://%5B2001:db8::1%5D/p
LINKS
diff parsed - <<'PARSED'
https://[2001:db8::1]/p good
https://%5B2001:db8::1%5D/p refused
PARSED
echo "as described"
