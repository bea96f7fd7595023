"""Two shims (docs/shim.md) joined by a relay of a few lines: they form a line, confirm it, talk, and part.

usage: shim_join.py [path of the shim]
"""

import json
import secrets
import subprocess
import sys

COMMAND = sys.argv[1:] or ["cargo", "run", "--quiet", "--example", "shim"]
NOW = 1_790_000_000


class Client:
    """One shim, the store that its records need, and what came of it."""

    def __init__(self):
        self.shim = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.store, self.heard, self.text, self.ended = {}, [], None, None

    def ask(self, do, **fields):
        print(json.dumps({"do": do, **fields}), file=self.shim.stdin, flush=True)
        answer = json.loads(self.shim.stdout.readline())
        assert answer["ok"], (do, fields, answer)
        return answer

    def step(self, do, **fields):
        """Prepare, keep, commit, act."""
        prepared = self.ask(do, **fields)["prepared"]
        if prepared is None:
            return
        if expected := prepared["expected"]:
            assert self.store.pop(expected["key"])[0] == expected["revision"]
        assert prepared["key"] not in self.store
        self.store[prepared["key"]] = prepared["revision"], prepared["record"]
        if line := prepared["line"]:
            assert line["key"] not in self.store
            self.store[line["key"]] = 0, line["record"]
        self.act(self.ask("commit")["effects"])

    def act(self, effects):
        for effect in effects:
            match effect["effect"]:
                case "send":
                    serve(self, bytes.fromhex(effect["request"]))
                case "port_ready":
                    self.text = effect["text"]
                case "line_formed":
                    self.ask("restore", record=effect["record"])
                    self.act(self.ask("pending")["effects"])
                case "message":
                    self.heard.append(bytes.fromhex(effect["bytes"]))
                case "ended":
                    self.ended = effect["why"]


def serve(sender, request):
    """The relay. Request and event alike are [1, [tag, name, ...]], and the name is always of 16 bytes."""
    tag, name, rest = request[3], request[4:21], request[21:]
    other = bob if sender is alice else alice
    if tag == 16:
        post(sender, 32, name, b"\x50" + secrets.token_bytes(16))
    elif tag == 17:
        line_id, request_id, proof = b"\x50" + secrets.token_bytes(16), rest[:17], rest[17:]
        post(other, 33, name, line_id, mark(), *([proof] if proof else []))
        post(sender, 38, name, request_id, line_id, mark())
    elif tag == 18:
        post(other, 35, name, rest)
    elif tag == 19:
        post(other, 36, name)


def mark():
    return b"\x58\x20" + secrets.token_bytes(32)


def post(to, tag, *fields):
    packets.append((to, bytes([0x82, 1, 0x81 + len(fields), 0x18, tag]) + b"".join(fields)))


def run(client, do, **fields):
    client.step(do, **fields)
    while packets:
        to, event = packets.pop(0)
        if to.ended is None:
            to.step("event", bytes=event.hex(), now=NOW)


for proof in "inline", "along_the_line":
    alice, bob, packets = Client(), Client(), []
    run(alice, "alice_request", seed=secrets.token_hex(64))
    run(bob, "bob_scan", seed=secrets.token_hex(64), port=alice.text)
    run(bob, "connect", proof=proof, now=NOW)
    ends = alice.ask("state"), bob.ask("state")
    assert all(end["phase"] == "confirmed" for end in ends), ends
    for same in "confirmed", "safety_number", "key":
        assert ends[0][same] == ends[1][same], ends

    run(bob, "seal", message=b"It's me.".hex())
    run(alice, "seal", message=b"".hex())
    assert (alice.heard, bob.heard) == ([b"It's me."], [b""]), (alice.heard, bob.heard)
    run(alice, "close")
    assert (alice.ended, bob.ended) == ("ByUs", "ByPeer"), (alice.ended, bob.ended)
    for client in alice, bob:
        client.shim.stdin.close()
        assert client.shim.wait() == 0
    print(f"proof {proof}: joined, safety number {ends[0]['safety_number']}")
