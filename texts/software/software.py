"""Sends each text through the Python packages that make links, clean pages, or read addresses. Reads JSON lines, and prints one for each output."""

import json
import logging
import sys
import urllib.parse
from importlib.metadata import version

import ada_url
import bbcode
import bleach
import bs4
import cmarkgfm
import commonmark
import django.utils.html
import docutils.core
import furl
import html2text
import httpx
import hyperlink
import inscriptis
import jinja2.utils
import linkify_it
import lxml.html
import lxml_html_clean
import markdown
import markdown2
import markdown_it
import markdownify
import marko
import mistletoe
import mistune
import nh3
import rfc3986
import url_normalize
import urlextract
import w3lib.url
import yarl

logging.disable()
linkify_it_py = linkify_it.LinkifyIt()
markdown_it_gfm = markdown_it.MarkdownIt("gfm-like")
mistune_url = mistune.create_markdown(plugins=["url", "strikethrough", "table"])
marko_gfm = marko.Markdown(extensions=["gfm"])
extractor = urlextract.URLExtract()


def html(run):
    return lambda text: {"html": run(text)}


def plain(run):
    return lambda text: {"text": run(text)}


def links(run):
    return lambda text: {"links": run(text)}


def wrapping(body_width):
    def run(text):
        converter = html2text.HTML2Text()
        converter.body_width = body_width
        return converter.handle(text)

    return run


def docutils_html(text):
    settings = {"report_level": 5, "output_encoding": "unicode"}
    return docutils.core.publish_parts(text, writer="html5", settings_overrides=settings)["body"]


LINKIFIERS = {
    "bleach": html(bleach.linkify),
    "linkify-it-py": links(lambda text: [match.url for match in linkify_it_py.match(text) or []]),
    "markdown-it-py gfm-like": html(markdown_it_gfm.render),
    "Markdown magiclink": html(lambda text: markdown.markdown(text, extensions=["pymdownx.magiclink"])),
    "mistune url": html(mistune_url),
    "cmarkgfm": html(cmarkgfm.github_flavored_markdown_to_html),
    "marko gfm": html(marko_gfm.convert),
    "bbcode": html(bbcode.render_html),
    "docutils": html(docutils_html),
    "Django urlize": html(lambda text: django.utils.html.urlize(text, autoescape=True)),
    "Jinja2 urlize": html(lambda text: jinja2.utils.urlize(text)),
    "urlextract": links(extractor.find_urls),
}
MARKDOWNS = {
    "Markdown": html(markdown.markdown),
    "markdown2": html(markdown2.markdown),
    "commonmark.py": html(commonmark.commonmark),
    "mistletoe": html(mistletoe.markdown),
}
PAGES = {
    "bleach clean": html(bleach.clean),
    "nh3": html(nh3.clean),
    "lxml_html_clean": html(lambda text: lxml_html_clean.clean_html(text)),
    # By itself it keeps away from example.org.
    "lxml_html_clean autolink": html(lambda text: lxml_html_clean.autolink_html(text, avoid_hosts=[])),
    "lxml text_content": plain(lambda text: lxml.html.fromstring(text).text_content()),
    "html2text": plain(wrapping(78)),
    "html2text body_width 0": plain(wrapping(0)),
    "beautifulsoup4 get_text": plain(lambda text: bs4.BeautifulSoup(text, "html.parser").get_text()),
    "inscriptis": plain(inscriptis.get_text),
    "markdownify": plain(markdownify.markdownify),
}
URLS = {
    "urllib": links(lambda text: [urllib.parse.urlsplit(text).geturl()]),
    "urllib quote": links(lambda text: [urllib.parse.quote(text)]),
    "yarl": links(lambda text: [str(yarl.URL(text))]),
    "furl": links(lambda text: [furl.furl(text).url]),
    "hyperlink": links(lambda text: [hyperlink.parse(text).to_text()]),
    "hyperlink normalize": links(lambda text: [hyperlink.parse(text).normalize().to_uri().to_text()]),
    "httpx": links(lambda text: [str(httpx.URL(text))]),
    "rfc3986": links(lambda text: [rfc3986.normalize_uri(text)]),
    "w3lib safe_url_string": links(lambda text: [w3lib.url.safe_url_string(text)]),
    "w3lib canonicalize_url": links(lambda text: [w3lib.url.canonicalize_url(text, keep_fragments=True)]),
    "url-normalize": links(lambda text: [url_normalize.url_normalize(text)]),
    "ada-url": links(lambda text: [ada_url.URL(text).href]),
}
PACKAGES = {"commonmark.py": "commonmark"}


def version_of(name):
    package = PACKAGES.get(name, name.split(" ")[0])
    if package == "urllib":
        return ".".join(sys.version.split(".")[:2])
    return version("pymdown-extensions" if name.endswith("magiclink") else package)


for line in sys.stdin:
    given = json.loads(line)
    for name, run in {"linkifier": LINKIFIERS, "markdown": MARKDOWNS, "page": PAGES, "url": URLS}.get(given["sort"], {}).items():
        try:
            output = run(given["text"])
        except Exception as error:
            output = {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps({**given, "software": name, "version": version_of(name), **output}))
