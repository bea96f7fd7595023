#!/usr/bin/env python3
"""NDEF messages (SPEC.md §2.8) by a library that shares nothing with this crate: ndeflib.

`tests/vectors/ndef.json` has what ndeflib writes, and the crate's tests write and read the same. Here ndeflib writes all of it again, and reads
it. With PORT_PROTOCOL_BLESS=1 it writes the file anew.
"""

import json
import os
from pathlib import Path

import ndef

FILE = Path(__file__).resolve().parent / "vectors/ndef.json"
PORTS = json.loads((FILE.parent / "ports.json").read_text())["accepted"]


def message(*records):
    return b"".join(ndef.message_encoder(records)).hex()


def poster(uri):
    record = ndef.SmartposterRecord(uri)
    record.set_title("A Port", "en")
    record.action = "exec"
    return record


plain, superport = PORTS["plain"], PORTS["Superport"]
longest = PORTS["longest contact port"]
link = plain["link"]
app = ndef.Record("urn:nfc:ext:android.com:pkg", "", b"org.example.port")
other = ndef.Record("application/octet-stream", "1", bytes(300))

# One URI record: what the crate writes.
written = {
    uri: message(ndef.UriRecord(uri))
    for uri in [
        *(port[form] for port in (plain, superport, longest) for form in ("qr_text", "link")),
        link.replace("https://", "https://www."),
        link.replace("https://port.example", "http://expyuzz4wqqyqhjn.onion"),
        link.replace("https://port.example", "http://www.expyuzz4wqqyqhjn.onion"),
        link.replace("https://port.example/", "https://port.example/" + "long/" * 40),
    ]
}

# Other messages, and what is found in them.
read = {
    "a link, and an Android application record": (message(ndef.UriRecord(link), app), "Port"),
    "an application record first, and one of another kind": (message(app, other, ndef.UriRecord(link)), "Port"),
    "a smart poster": (message(poster(link)), "Port"),
    "a text": (message(ndef.TextRecord(f"My Port: {link}.", "en")), "Port"),
    "a text in UTF-16": (message(ndef.TextRecord(f"Mein Port für dich: {link}", "de", "UTF-16")), "Port"),
    "a QR text as text": (message(ndef.TextRecord(plain["qr_text"], "en-US")), "Port"),
    "an absolute URI": (message(ndef.Record(link, "", b"")), "Port"),
    "a record with an id": (message(ndef.Record("urn:nfc:wkt:U", "id", b"\x04" + link.removeprefix("https://").encode())), "Port"),
    "the same twice": (message(ndef.UriRecord(link), ndef.TextRecord(plain["qr_text"])), "Port"),
    "two Ports": (message(ndef.UriRecord(link), ndef.UriRecord(superport["link"])), "MoreThanOne"),
    "a link without its fragment": (message(ndef.UriRecord("https://port.example/p")), "CutOff"),
    "a link that is cut off": (message(ndef.UriRecord(link[:-7])), "CutOff"),
    "a short link": (message(ndef.UriRecord("https://t.co/AbCdEf")), "Rewritten"),
    "two neighbours swapped": (message(ndef.UriRecord(link[:60] + link[61] + link[60] + link[62:])), "Damaged"),
    "an application record alone": (message(app), "NoPort"),
    "an empty record": (message(ndef.Record()), "NoPort"),
    "a telephone number": (message(ndef.UriRecord("tel:+4930123")), "NoPort"),
}

# ndeflib reads them as they were meant.
for uri, octets in written.items():
    (record,) = ndef.message_decoder(bytes.fromhex(octets), errors="strict")
    assert record.type == "urn:nfc:wkt:U" and record.iri == uri, uri
for what, (octets, _) in read.items():
    assert list(ndef.message_decoder(bytes.fromhex(octets), errors="strict")), what
assert link[60] != link[61]

file = {
    "port": plain["bytes"],
    "written": written,
    "read": {what: {"message": octets, "found": found} for what, (octets, found) in read.items()},
}
if os.environ.get("PORT_PROTOCOL_BLESS"):
    FILE.write_text(json.dumps(file, indent=2, ensure_ascii=False) + "\n")
assert json.loads(FILE.read_text()) == file, "tests/vectors/ndef.json is not what ndeflib writes"
print(f"{len(written)} NDEF messages written, {len(read)} more to read")
