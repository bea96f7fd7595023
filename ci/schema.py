#!/usr/bin/env python3
"""Every record of the vectors, and every message and payload of a Portal, is what port.cddl says, by zcbor, which shares nothing with the
reader in the tests."""

import collections
import json
import pathlib
import sys

import zcbor

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    # RFC 8610 appendix D, as zcbor's own command adds it.
    prelude = pathlib.Path(zcbor.__path__[0]) / "zcbor/prelude.cddl"
    schema = prelude.read_text() + (ROOT / "port.cddl").read_text()
    rules = zcbor.DataTranslator.from_cddl(schema, 16).my_types
    records = json.loads((ROOT / "tests/vectors/records.json").read_text())
    read = collections.Counter()
    for entry in records:
        rule, record = rules[entry["role"] + "-record"], bytes.fromhex(entry["record"])
        rule.validate_str(record)
        read[entry["role"]] += 1
        if is_valid(rule, record[:-1]):
            sys.exit(f"a record that is cut is none: {record.hex()}")
    of_portal = collections.Counter()
    for rule, data in portals():
        rules[rule].validate_str(data)
        of_portal[rule] += 1
        if is_valid(rules[rule], data[:-1]):
            sys.exit(f"{rule}: what is cut is none: {data.hex()}")
    print(dict(read), dict(of_portal))
    return sum(read.values()) != len(records) or len(read) < 4 or len(of_portal) < 11


def portals():
    """The rule and the bytes of all that Portals write. What a step of a play is given may be anything."""
    file = json.loads((ROOT / "tests/vectors/portal.json").read_text())
    payloads = {2: "opening-payload", 3: "opened-payload", 4: "exchange-payload", 5: "reply-payload"}
    for step in (step for play in file["plays"].values() for step in play):
        for data in (bytes.fromhex(step[name]) for name in ("message", "reply") if name in step):
            yield "portal-message", data
        if "payload" in step:
            # Behind `[1, [` is the message's number.
            yield payloads[data[3]], bytes.fromhex(step["payload"])
    of_state = {
        "Portal": "portal-record",
        "App": "portal-app-record",
        "Peer": "peer-record",
        "Opening": "taken-opening-record",
        "Request": "taken-request-record",
    }
    for state, record in file["records"].items():
        yield of_state[state.split(",")[0]], bytes.fromhex(record)
    for known in file["ids"]["of_keys"]:
        yield "hashed-portal", bytes.fromhex(known["hashed"])


def is_valid(rule, data):
    try:
        rule.validate_str(data)
    except Exception:  # zcbor and cbor2 have several.
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
