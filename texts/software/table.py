"""Judges every output: which links the software made, and what `Port::find` makes of each. Reads JSON lines, and prints the results.

    table.py FINDER MATRICES < outputs.jsonl

FINDER is the example `read_port`; the file MATRICES has the QR codes. Exit code 1 if it does not find a Port where the whole Base32 stands.
"""

import collections
import functools
import json
import subprocess
import sys

import html5lib

from inputs import B32

FINDER = sys.argv[1]

# What reads `[text](address)`.
MARKDOWN = {
    "markdown-it", "markdown-it linkify", "marked", "remark-gfm", "commonmark", "showdown", "showdown github", "markdown-it-py gfm-like",
    "Markdown", "Markdown magiclink", "markdown2", "mistune url", "commonmark.py", "cmarkgfm", "marko gfm", "mistletoe", "comrak", "pulldown-cmark",
}


def hrefs(output):
    """The links as a browser reads them."""
    if "links" in output:
        return output["links"]
    if "html" in output:
        page = html5lib.parse(output["html"], namespaceHTMLElements=False)
        return [anchor.get("href", "") for anchor in page.iter("a") if "href" in anchor.attrib]
    return []


@functools.cache
def found(text):
    """`Port`, or the name of the error."""
    out = subprocess.run([FINDER, "--json"], input=text.encode(), capture_output=True, check=True).stdout
    answer = json.loads(out)
    if "qr" in answer:
        return "Port" if answer["qr"] == f"PORT:{B32}" else "another Port"
    return answer["error"]


def names(counted):
    return ", ".join(counted)


def outcome(output):
    """`whole`: a link is exactly ours. `Port`: a link is another, with the Port in it. `lost`: no link has the Port. `none`: no link."""
    links = hrefs(output)
    if "refused" in output:
        return "refused"
    if output["link"] in links:
        return "whole"
    if any(found(link) == "Port" for link in links):
        return "Port"
    return "lost" if links else "none"


def shape(text, output):
    """The text without what differs by base."""
    base = output["link"].split("#")[0]
    return text.replace(output["link"], "{LINK}").replace(B32, "{B32}").replace(base, "{BASE}")


def software(output):
    return f"{output['software']} {output.get('version', '')}".strip()


def summary(title, outputs):
    print(f"\n## {title}\n")
    kinds = ["whole", "Port", "lost", "none", "refused"]
    print(f"{'':20}" + "".join(f"{kind:>8}" for kind in kinds))
    for key, group in grouped(outputs, lambda output: output["key"]).items():
        by_kind = grouped(group, outcome)
        print(f"{key:20}" + "".join(f"{len(by_kind.get(kind, [])):8}" for kind in kinds))
        for kind in kinds[1:]:
            if 0 < len(by_kind.get(kind, [])) <= len(group) * 2 // 3:  # not a whole table of "none"
                print(f"{'':20}  {kind}: " + names(output["software"] for output in by_kind[kind]))


def grouped(items, key):
    groups = collections.OrderedDict()
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def details(title, outputs, line):
    print(f"\n## {title}\n")
    for (name, what), group in grouped(outputs, lambda output: (software(output), line(output))).items():
        if what is None:
            continue
        messages = list(dict.fromkeys(output["message"] for output in group))
        bases = list(dict.fromkeys(output["base"] for output in group))
        where = f"{len(bases)} bases" if len(bases) > 6 else names(bases)
        print(f"{name} | {names(messages)} | {where} | {what}")


def link_line(output):
    if "refused" in output:
        return f"refused: {shape(output['refused'], output)}"
    links = hrefs(output)
    if output["link"] in links or not links:
        return None
    return " ".join(f"{shape(link, output)} ({found(link)})" for link in dict.fromkeys(links))


def text_line(output):
    if "refused" in output:
        return f"refused: {shape(output['refused'], output)}"
    text = output.get("text", output.get("html"))
    whole = "whole" if output["link"] in text else "Base32 whole" if B32 in text else "changed"
    return f"{whole} ({found(text)})"


def qr_line(output):
    if "refused" in output:
        return "refused"
    text = output["text"]
    return f"{shape(text, output)!r} ({found(text)})" if text else "no text"


def unread(outputs):
    """Outputs with the whole Base32 in them that the finder does not read."""
    for output in outputs:
        for text in [*hrefs(output), output.get("html"), output.get("text")]:
            if text and B32 in text.upper() and found(text) != "Port":
                yield f"{software(output)} | {output['message']} | {output['base']} | {shape(text, output)!r} ({found(text)})"


def by_base(outputs):
    return [{**output, "key": output["base"]} for output in outputs]


def by_message(outputs, base):
    return [{**output, "key": output["message"]} for output in outputs if output["base"] == base]


def qr_codes(outputs, path):
    with open(path) as file:
        matrices = [json.loads(line) for line in file]
    print("\n## QR codes at level M: version by writer\n")
    for writer, group in grouped(matrices, lambda matrix: matrix["writer"]).items():
        sizes = (f"{code['base']}: {(len(code['matrix']) - 17) // 4 if 'matrix' in code else 'refused'}" for code in group)
        print(f"{writer} | {', '.join(sizes)}")
    print("\n## QR codes: what the readers read\n")
    for (reader, what), group in grouped(outputs, lambda output: (software(output), qr_line(output))).items():
        codes = (f"{output['writer']}: {output['base']}" for output in group)
        print(f"{reader} | {', '.join(codes) if len(group) < 10 else f'{len(group)} codes'} | {what}")


def main():
    outputs = [json.loads(line) for line in sys.stdin]
    of = grouped(outputs, lambda output: output["sort"])
    links, markdown, pages = of["linkifier"], of["markdown"], of["page"]
    print("What other people's software makes of a Port's texts. README.md says how to read it. run.sh writes it.")
    for message in "bare", "stop", "CJK stop", "underscore":
        summary(f"Linkifiers, by base: {message}", by_base(output for output in links if output["message"] == message))
    summary("Linkifiers, on the plain base, by message", by_message(links, "plain"))
    summary("Linkifiers, QR text, by message", by_message(links, "QR text"))
    written = [output for output in [*links, *markdown] if output["message"] == "Markdown link"]
    summary("[Port](LINK) in Markdown, by base", by_base(output for output in written if output["software"] in MARKDOWN))
    summary("Page cleaners, by base", by_base(output for output in pages if "html" in output and output["message"] == "anchor"))
    summary("Address parsers, by base", by_base(of["url"]))
    details("Links that are not ours", [*links, *markdown, *of["url"], *(output for output in pages if "html" in output)], link_line)
    details("Pages as text", [output for output in pages if "html" not in output], text_line)
    details("Mail and text tools", of["mail"], text_line)
    qr_codes(of["qr"], sys.argv[2])
    bad = list(dict.fromkeys(unread(outputs)))
    print("\n## The whole Base32, and no Port found\n")
    print("\n".join(bad) or "none")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
