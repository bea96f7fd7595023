#!/usr/bin/env python3
"""Recomputes everything in tests/vectors/*.json from SPEC.md, sharing nothing with the crate.

A second implementation of the whole protocol, in the order of SPEC.md's sections: records are those of port.cddl. Needs
Python 3.11 and the packages `cryptography` and `cbor2`. Exits with 1 at the first difference, else prints what it counted.
"""

import base64
import json
import string
import struct
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

VECTORS = Path(__file__).parent / "vectors"
counts = Counter()


class Refused(Exception):
    """Its argument is the name of the error."""


def same(got, expected, what):
    counts["values compared"] += 1
    if got != expected:
        sys.exit(f"{what}:\n  expected {expected}\n  got      {got}")


def refuses(error, what, act, *arguments):
    counts["negatives refused"] += 1
    try:
        act(*arguments)
    except Refused as refused:
        if str(refused) == error:
            return
        sys.exit(f"{what}: {refused} in the place of {error}")
    sys.exit(f"{what}: was not refused")


def require(condition, error="Malformed"):
    if not condition:
        raise Refused(error)


# §1.1 Primitives


def public_key_of(private_key):
    key = X25519PrivateKey.from_private_bytes(private_key).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def dh(private_key, public_key):
    return X25519PrivateKey.from_private_bytes(private_key).exchange(X25519PublicKey.from_public_bytes(public_key))


def cbc(key, iv, blocks, encrypt):
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(blocks) + context.finalize()


def hkdf_extract(salt, key):
    mac = HMAC(salt, SHA256())
    mac.update(key)
    return mac.finalize()


def hkdf_expand(prk, info, length):
    return HKDFExpand(SHA256(), length, info).derive(prk)


# §1.2 One encoding per value, §1.3 versions


def encode(value):
    return cbor2.dumps(value, canonical=True)


def array(*fields):
    """An array without the absent fields at its end."""
    fields = list(fields)
    while fields and fields[-1] is None:
        fields.pop()
    return fields


def decode(data):
    """Arrays, unsigned integers, byte and text strings, booleans, null: in their one encoding, and of version 1."""
    try:
        value = cbor2.loads(data)
        canonical = encode(value) == data and made_of_ours(value)
    except Exception:
        canonical = False
    if not canonical:
        # Another version's bytes may be anything behind that number.
        require(version_of(data) in (None, 1), "UnsupportedVersion")
        raise Refused("Malformed")
    require(type(value) is list and value and type(value[0]) is int)
    require(value[0] == 1, "UnsupportedVersion")
    return value


def made_of_ours(value):
    if type(value) is list:
        return all(map(made_of_ours, value))
    return type(value) in (bytes, str, bool, type(None)) or (type(value) is int and value >= 0)


def version_of(data):
    """The unsigned integer that is first in an array of definite length, however the rest goes on."""
    for major in (4, 0):
        if not data or data[0] >> 5 != major:
            return None
        minor, data = data[0] & 31, data[1:]
        width = {24: 1, 25: 2, 26: 4, 27: 8}.get(minor, 0)
        if minor > 27 or len(data) < width:
            return None
        number, data = int.from_bytes(data[:width], "big") if width else minor, data[width:]
    return number


def is_bytes(value, low, high=None):
    return type(value) is bytes and low <= len(value) <= (low if high is None else high)


def is_uint(value, bits=64):
    return type(value) is int and value >> bits == 0


# §2 Port

IN_URLS = set(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
ZERO_WIDTH = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
P = 2**255 - 19
LOW_ORDER = [
    bytes.fromhex(key)
    for key in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
]


def is_good_key(key):
    return int.from_bytes(key, "little") < P and key not in LOW_ORDER


def read_port(data):
    """§2.4: the fields as an array of seven."""
    fields = decode(data)
    require(5 <= len(fields) <= 7)
    fields = fields + [None] * (7 - len(fields))
    _, kind, line_link, public_key, rad, expires, relay = fields
    require(is_uint(kind) and is_bytes(line_link, 16) and is_bytes(public_key, 32) and is_bytes(rad, 16))
    require(expires is None or is_uint(expires))
    require(relay is None or type(relay) is str)
    require(encode(array(*fields)) == data)
    require(kind == 1, "UnsupportedKind")
    require(is_good_key(public_key), "WeakPublicKey")
    require(relay is None or 1 <= len(relay) <= 64 and set(relay) <= IN_URLS, "BadRelay")
    return fields


def base32(data):
    return base64.b32encode(data).decode().rstrip("=")


def is_base(base):
    rest = base.removeprefix("https://")
    good_start = rest[:1] in set(string.ascii_letters + string.digits + "[")
    return base.startswith("https://") and rest != "" and good_start and set(rest) <= IN_URLS - {"#"}


def link(base, data):
    require(is_base(base), "BadLinkBase")
    return f"{base}#{base32(data)}"


def read_text(text):
    """§2.7: a Port's bytes."""
    text = text.strip(WHITE_SPACE + ZERO_WIDTH)
    base, hash_sign, fragment = text.partition("#")
    if text.startswith("PORT:"):
        digits = text.removeprefix("PORT:")
    else:
        require(hash_sign and is_base(base))
        digits = fragment
    try:
        data = base64.b32decode(digits + "=" * (-len(digits) % 8))
    except ValueError:
        raise Refused("Malformed") from None
    read_port(data)
    require(base32(data) == digits)
    return data


# §3 Proof

PADDING = bytes([16] * 16)


def prove(private_key, iv, port):
    secret = dh(private_key, port[3])
    encrypted_rad = iv + cbc(secret, iv, port[4] + PADDING, encrypt=True)
    return [public_key_of(private_key), encrypted_rad], secret


def check(private_key, rad, proof):
    """§3.3: the secret, or None."""
    public_key, encrypted_rad = proof
    if len(public_key) != 32 or not is_good_key(public_key) or len(encrypted_rad) != 48:
        return None
    secret = dh(private_key, public_key)
    blocks = cbc(secret, encrypted_rad[:16], encrypted_rad[16:], encrypt=False)
    return secret if blocks == rad + PADDING else None


def require_proof(proof):
    require(type(proof) is list and len(proof) == 2 and is_bytes(proof[0], 0, 32) and is_bytes(proof[1], 0, 64))


# §7 Messages

REQUESTS = {
    "IssueLineLink": (16, ["request_id"]),
    "Connect": (17, ["line_link", "proof?"]),
    "Packet": (18, ["line_id", "payload"]),
    "Disconnect": (19, ["line_id"]),
    "CloseLineLink": (20, ["line_link"]),
}
EVENTS = {
    "LineLinkIssued": (32, ["request_id", "line_link"]),
    "LineFormed": (33, ["line_link", "line_id", "pair_hash", "proof?"]),
    "Refused": (34, ["line_link", "reason"]),
    "Packet": (35, ["line_id", "payload"]),
    "Disconnected": (36, ["line_id"]),
    "Dropped": (37, ["line_id"]),
}
PAYLOADS = {
    "Proof": (1, ["proof"]),
    "Sealed": (2, ["content", "nonce", "ciphertext"]),
}
REASONS = [None, "Unknown", "Claimed", "Yours", "Closed", "Expired"]
CONFIRM, ANSWER, OPENING, MESSAGE, CLOSE, PADDED_OPENING, PADDED_MESSAGE = range(1, 8)
LENGTHS = {"request_id": 16, "line_link": 16, "line_id": 16, "pair_hash": 32, "nonce": 12}


def write_message(kinds, name, fields):
    tag, names = kinds[name]
    return encode([1, array(tag, *(fields.get(name.rstrip("?")) for name in names))])


def read_message(kinds, data):
    """§7.1: its name, and its fields by name."""
    outer = decode(data)
    require(len(outer) == 2 and type(outer[1]) is list and outer[1])
    tag, *values = outer[1]
    require(type(tag) is int)
    for name, (number, names) in kinds.items():
        if number == tag:
            break
    else:
        raise Refused("Malformed")
    require(len(values) <= len(names))
    fields = dict(zip((name.rstrip("?") for name in names), values + [None] * (len(names) - len(values))))
    for field, value in fields.items():
        if field in LENGTHS:
            require(is_bytes(value, LENGTHS[field]))
        elif field in ("payload", "ciphertext"):
            require(type(value) is bytes)
        elif field == "proof":
            if not (value is None and "proof?" in names):
                require_proof(value)
        else:
            require(is_uint(value) and 1 <= value <= {"reason": 5, "content": 8}[field])
    require(write_message(kinds, name, fields) == data)
    return name, fields


def request(name, **fields):
    return {"send": write_message(REQUESTS, name, fields)}


# §6.1–§6.3 Keys and packets


def transcript(kind, port_hash, line_id, pair_hash, proof):
    return encode(["port-protocol", 1, kind, port_hash, line_id, pair_hash, proof])


def line_keys(secret, transcript_bytes):
    """PRK, then alice to bob, bob to alice, exporter."""
    prk = hkdf_extract(sha256(transcript_bytes).digest(), secret)
    return prk, *(hkdf_expand(prk, info, 32) for info in (b"alice to bob", b"bob to alice", b"exporter"))


def packet_nonce(counter):
    return struct.pack(">IQ", 0, counter)


def packet_counter(fields):
    """Of an epoch that there is."""
    epoch, counter = struct.unpack(">IQ", fields["nonce"])
    require(epoch == 0, "Forged")
    return counter


def seal(key, content, counter, text=b"", data=b""):
    nonce = packet_nonce(counter)
    ciphertext = AESGCMSIV(key).encrypt(nonce, text, bytes([0x82, 1, 0x84, 2, content]) + data)
    return write_message(PAYLOADS, "Sealed", {"content": content, "nonce": nonce, "ciphertext": ciphertext})


def unseal(key, fields, data):
    nonce, ciphertext = packet_nonce(packet_counter(fields)), fields["ciphertext"]
    require(16 <= len(ciphertext) <= 65536 + 16, "Forged")
    try:
        return AESGCMSIV(key).decrypt(nonce, ciphertext, bytes([0x82, 1, 0x84, 2, fields["content"]]) + data)
    except InvalidTag:
        raise Refused("Forged") from None


def padded(text):
    """§6.9"""
    length = 64
    while length <= len(text):
        length *= 2
    return text + b"\x80" + bytes(length - len(text) - 1)


def unpadded(data):
    text = data.rstrip(b"\0")
    require(text[-1:] == b"\x80" and padded(text[:-1]) == data, "Forged")
    return text[:-1]


def export(exporter, label, context):
    """§6.10"""
    return hkdf_expand(exporter, b"export" + sha256(encode(array(label, context))).digest(), 32)


def check_code(exporter):
    groups = hkdf_expand(exporter, b"check code", 40)
    return " ".join(f"{int.from_bytes(groups[i : i + 5], 'big') % 100_000:05}" for i in range(0, 40, 5))


def take(window, counter):
    """§6.4: the window after this counter. [highest taken + 1, bit i: that less i was taken]."""
    following, seen = window
    if counter >= following:
        require(counter + 1 < 2**64, "Repeated")
        ahead = min(counter + 1 - following, 64)
        return [counter + 1, (seen << ahead | 1) & (2**64 - 1)]
    age = following - 1 - counter
    require(age < 64 and not seen >> age & 1, "Repeated")
    return [following, seen | 1 << age]


# §8 Machines. A state is the very array that stands in the record (port.cddl).

PREFIX = {"request": 1, "line_link": 2, "line_id": 3}
SEVEN_DAYS = 7 * 24 * 60 * 60


def event_key(name, fields):
    field = {"LineLinkIssued": "request_id", "LineFormed": "line_link", "Refused": "line_link"}.get(name, "line_id")
    return [{"request_id": 1, "line_link": 2, "line_id": 3}[field], fields[field]]


class Machine:
    def __init__(self, state, revision=0):
        self.state, self.revision = state, revision

    @classmethod
    def restore(cls, data):
        version, role, revision, state = decode(data)
        require(role == cls.ROLE)
        return cls(state, revision)

    def record(self):
        return encode([1, self.ROLE, self.revision, self.state])

    def go(self, state, effects=None, once=None):
        """A step that is committed: everything in the outbox, unless told otherwise."""
        self.state, self.revision = state, self.revision + 1
        return (self.unsent() if effects is None else effects), once

    def tick(self, now):
        require(self.deadline() is not None and now >= self.deadline(), "NotYet")
        return self.go(self.ended_by_time())


class Client(Machine):
    """What Alice and Bob have in common: how they are spent (§4.4, §5.4)."""

    def key(self):
        tag, body = self.state[0], self.state[1]
        return (body[1] if body[0] == 2 else [2, body[1]]) if tag == 3 else self.living_key()

    def spent(self, end, farewell):
        return [3, [2, self.key(), end, farewell]]

    def spent_with(self, line_link, line_id, line):
        return [3, [1, line_link, line_id, line]]

    def reject(self, name, fields):
        body = self.state[1]
        require(name in ("LineFormed", "LineLinkIssued"), "OutOfOrder")
        require(name == "LineFormed", "StrayLink")
        raise Refused("Repeated" if body[0] == 1 and body[2] == fields["line_id"] else "Stray")

    def unsent(self):
        if self.state[0] != 3:
            return self.living_unsent()
        body = self.state[1]
        if body[0] == 1:
            return [{"line_formed": Line(body[3]).record()}] if len(body) == 4 else []
        if len(body) == 3:
            return []
        farewell = {
            1: lambda: [],
            2: lambda: [request("CloseLineLink", line_link=body[3][1])],
            3: lambda: [request("Disconnect", line_id=body[3][1])],
        }[body[3][0]]()
        return farewell + [{"ended": self.name_of_end(body[2])}]

    def settle(self):
        require(self.state[0] == 3 and len(self.state[1]) == 4, "Nothing")
        return self.go([3, self.state[1][:3]], [])

    def deadline(self):
        if self.state[0] == 3:
            return None
        return (self.offer() + [None])[0]

    def has_expired(self, now):
        return self.deadline() is not None and now >= self.deadline()


class Alice(Client):
    """§4. [1, [request_id, private key, RAD, offer]], [2, [Port, private key]], [3, spent]."""

    ROLE = 1
    REVOKED, EXPIRED, PROOF_REFUSED = 1, 2, 3

    @classmethod
    def request(cls, offer, seed):
        return cls([1, [seed[48:], seed[:32], seed[32:48], offer]])

    @classmethod
    def offered(cls, line_link, offer, private_key, rad):
        return [2, [array(1, 1, line_link, public_key_of(private_key), rad, *offer), private_key]]

    def offer(self):
        body = self.state[1]
        return body[3] if self.state[0] == 1 else body[0][5:]

    def living_key(self):
        body = self.state[1]
        return [1, body[0]] if self.state[0] == 1 else [2, body[0][2]]

    def living_unsent(self):
        if self.state[0] == 1:
            return [request("IssueLineLink", request_id=self.state[1][0])]
        return [{"port_ready": encode(self.state[1][0])}]

    def name_of_end(self, end):
        return [None, "Revoked", "Expired", "ProofRefused"][end]

    def end(self, end):
        require(self.state[0] != 3, "OutOfOrder")
        return self.spent(end, [1] if self.state[0] == 1 else [2, self.state[1][0][2]])

    def revoke(self):
        return self.go(self.end(self.REVOKED))

    def ended_by_time(self):
        return self.end(self.EXPIRED)

    def handle(self, data, now):
        name, fields = read_message(EVENTS, data)
        require(event_key(name, fields) == self.key(), "NotMine")
        tag, body = self.state
        if tag == 3:
            self.reject(name, fields)
        if tag == 1 and name == "LineLinkIssued":
            _, private_key, rad, offer = body
            late = self.has_expired(now)
            offered = Alice(self.offered(fields["line_link"], offer, private_key, rad))
            return self.go(offered.end(self.EXPIRED) if late else offered.state)
        require(tag == 2 and name == "LineFormed", "OutOfOrder")
        port, private_key = body
        line_id, proof, mark = fields["line_id"], fields["proof"], sha256(encode(port)).digest()
        origin = origin_of(port, fields)
        if self.has_expired(now):
            return self.go(self.spent(self.EXPIRED, [3, line_id]), once=mark)
        if proof is None:
            until = min([now + SEVEN_DAYS, *port[5:6]], key=lambda at: at if at is not None else 1 << 64)
            line = [origin, [1, private_key, port[4], until]]
        else:
            line = joined_alice(origin, private_key, port[4], proof)
        if line is None:
            return self.go(self.spent(self.PROOF_REFUSED, [3, line_id]), once=mark)
        return self.go(self.spent_with(port[2], line_id, line), once=mark)


class Bob(Client):
    """§5. [1, [Port, private key, IV]], [2, [line_link, kind, Port hash, offer, secret, proof, how]], [3, spent]."""

    ROLE = 2

    @classmethod
    def scan(cls, port, seed):
        read_port(port)
        return cls([1, [decode(port), seed[:32], seed[32:48]]])

    def offer(self):
        body = self.state[1]
        return body[0][5:] if self.state[0] == 1 else body[3]

    def living_key(self):
        body = self.state[1]
        return [2, body[0][2] if self.state[0] == 1 else body[0]]

    def living_unsent(self):
        if self.state[0] == 1:
            return []
        line_link, _, _, _, _, proof, how = self.state[1]
        return [request("Connect", line_link=line_link, proof=proof if how == 1 else None)]

    def name_of_end(self, end):
        return ["Cancelled", "Expired", f"Refused({REASONS[end[-1]]})" if end[0] == 3 else None][end[0] - 1]

    def end(self, end, farewell=(1,)):
        require(self.state[0] != 3, "OutOfOrder")
        return self.spent(end, list(farewell))

    def cancel(self):
        return self.go(self.end([1]))

    def ended_by_time(self):
        return self.end([2])

    def connect(self, how, now):
        require(self.state[0] == 1, "OutOfOrder")
        if self.has_expired(now):
            return self.go(self.end([2]))
        port, private_key, iv = self.state[1]
        proof, secret = prove(private_key, iv, port)
        return self.go([2, [port[2], port[1], sha256(encode(port)).digest(), port[5:], secret, proof, how]])

    def handle(self, data, now):
        name, fields = read_message(EVENTS, data)
        require(event_key(name, fields) == self.key(), "NotMine")
        require(name != "LineFormed" or fields["proof"] is None, "NotMine")
        if self.state[0] == 3:
            self.reject(name, fields)
        require(self.state[0] == 2 and name in ("LineFormed", "Refused"), "OutOfOrder")
        line_link, kind, port_hash, offer, secret, proof, how = self.state[1]
        if name == "Refused":
            return self.go(self.end([3, fields["reason"]]))
        if self.has_expired(now):
            return self.go(self.end([2], [3, fields["line_id"]]))
        origin = array(kind, port_hash, fields["line_id"], fields["pair_hash"], *offer[1:])
        payload = write_message(PAYLOADS, "Proof", {"proof": proof}) if how == 2 else None
        line = [origin, array(4, session("bob", origin, secret, proof), payload)]
        return self.go(self.spent_with(line_link, fields["line_id"], line))


def origin_of(port, fields):
    return array(port[1], sha256(encode(port)).digest(), fields["line_id"], fields["pair_hash"], *port[6:])


def session(end, origin, secret, proof):
    """[send, receive, exporter, sent, window]."""
    _, alice_to_bob, bob_to_alice, exporter = line_keys(secret, transcript(*origin[:4], proof))
    keys = [alice_to_bob, bob_to_alice] if end == "alice" else [bob_to_alice, alice_to_bob]
    return [*keys, exporter, 0, [0, 0]]


def joined_alice(origin, private_key, rad, proof):
    secret = check(private_key, rad, proof)
    if secret is None:
        return None
    keys = session("alice", origin, secret, proof)
    confirm = [seal_next(keys, CONFIRM), sha256(encode(proof)).digest()]
    return [origin, [2, keys, confirm]]


def seal_next(keys, content, text=b"", data=b""):
    packet = seal(keys[0], content, keys[3], text, data)
    keys[3] += 1
    return packet


class Line(Machine):
    """§6. [origin, phase]: 1 AwaitingProof, 2 and 3 Alice's Joined and Confirmed, 4 and 5 Bob's, 6 Closed."""

    ROLE = 3
    ENDS = [None, "ByUs", "ByPeer", "ByServer", "ProofRefused", "Expired"]
    BY_US, BY_PEER, BY_SERVER, PROOF_REFUSED, EXPIRED = range(1, 6)

    def key(self):
        return [3, self.state[0][2]]

    def deadline(self):
        return self.state[1][3] if self.state[1][0] == 1 else None

    def ended_by_time(self):
        return self.closed(self.EXPIRED)

    def closed(self, end, packet=None):
        return [self.state[0], [6, end, packet, True]]

    def send(self, payload):
        return request("Packet", line_id=self.state[0][2], payload=payload)

    def unsent(self):
        phase = self.state[1]
        if phase[0] in (2, 3) and len(phase) == 3:
            return [self.send(phase[2][0])]
        if phase[0] == 4 and len(phase) == 3:
            return [self.send(phase[2])]
        if phase[0] == 5 and phase[3]:
            return [self.send(phase[2])]
        if phase[0] == 6 and phase[3]:
            _, end, packet, _ = phase
            effects = [self.send(packet)] if packet is not None else []
            if end in (self.BY_US, self.PROOF_REFUSED, self.EXPIRED):
                effects.append(request("Disconnect", line_id=self.state[0][2]))
            return effects + [{"ended": self.ENDS[end]}]
        return []

    def settle(self):
        origin, phase = self.state
        require(phase[0] in (5, 6) and phase[3], "Nothing")
        return self.go([origin, [*phase[:2], phase[2] if phase[0] == 5 else None, False]], [])

    def handle(self, data, now):
        name, fields = read_message(EVENTS, data)
        require(event_key(name, fields) == self.key(), "NotMine")
        if name == "Packet":
            return self.open(fields["payload"], b"", now)
        require(self.state[1][0] != 6, "Closed")
        if name == "Dropped":
            require(self.state[1][0] != 1, "OutOfOrder")
            return self.go(self.state, [{"dropped": True}])
        return self.go(self.closed(self.BY_SERVER))

    def close(self):
        tag, *phase = self.state[1]
        require(tag != 6, "Closed")
        packet = seal(phase[0][0], CLOSE, phase[0][3]) if tag != 1 else None
        return self.go(self.closed(self.BY_US, packet))

    def seal(self, text, data, pad=False):
        origin, [tag, *phase] = json_copy(self.state)
        require(tag != 1, "NotJoined")
        require(tag != 6, "Closed")
        require(phase[0][3] < 2**48, "Exhausted")
        text = padded(text) if pad else text
        require(len(text) <= 65536, "TooLong")
        require(len(data) <= 256, "AssociatedDataTooLong")
        contents = (PADDED_OPENING, PADDED_MESSAGE) if pad else (OPENING, MESSAGE)
        packet = seal_next(phase[0], contents[tag in (3, 5)], text, data)
        return self.go([origin, [tag, *phase]], [self.send(packet)])

    def open(self, payload, data, now):
        name, fields = read_message(PAYLOADS, payload)
        origin, [tag, *phase] = json_copy(self.state)
        require(tag != 6, "Closed")
        if tag == 1:
            private_key, rad, until = phase
            if now >= until:
                return self.go(self.closed(self.EXPIRED))
            require(name == "Proof", "TooEarly")
            joined = joined_alice(origin, private_key, rad, fields["proof"])
            return self.go(joined or self.closed(self.PROOF_REFUSED))
        if name == "Proof":
            again = tag in (2, 3) and len(phase) == 2 and phase[1][1] == sha256(encode(fields["proof"])).digest()
            require(again, "OutOfOrder")
            return self.go(self.state)
        padding = {PADDED_OPENING: OPENING, PADDED_MESSAGE: MESSAGE}
        keys, content, effects = phase[0], padding.get(fields["content"], fields["content"]), []
        is_message = content in (OPENING, MESSAGE)
        require(not is_message or len(data) <= 256, "AssociatedDataTooLong")
        text = unseal(keys[1], fields, data if is_message else b"")
        require(is_message or not text, "Forged")
        text = unpadded(text) if fields["content"] in padding else text
        if content != CONFIRM:
            keys[4] = take(keys[4], packet_counter(fields))
        require(content != (ANSWER if tag in (4, 5) else CONFIRM), "OutOfOrder")
        if content == CLOSE:
            return self.go(self.closed(self.BY_PEER))
        if tag in (2, 3):
            # Only an Opening leaves it open whether Bob has Confirm: he gets it once more.
            kept = phase[1:] if content == OPENING else []
            state = [origin, array(3, keys, *kept)]
            effects.extend(self.send(confirm[0]) for confirm in kept)
        elif tag == 4:
            state = [origin, [5, keys, seal_next(keys, ANSWER), True]]
            effects.append(self.send(state[1][2]))
        else:
            state = [origin, [5, keys, phase[1], phase[2] or content == CONFIRM]]
            if content == CONFIRM:
                effects.append(self.send(phase[1]))
        if is_message:
            effects.append({"message": text})
        return self.go(state, effects)


def json_copy(state):
    return [json_copy(item) if type(item) is list else item for item in state]


# The files


def load(name):
    return json.loads((VECTORS / name).read_text())


def ports():
    file = load("ports.json")
    for name, port in file["accepted"].items():
        seed, what = bytes.fromhex(port["alice_seed"]), f"Port {name}"
        fields = array(
            1, 1, bytes.fromhex(port["line_link"]), public_key_of(seed[:32]), seed[32:48], port["expires"], port["relay"]
        )
        data = encode(fields)
        same(fields[1], port["kind"], what)
        same(fields[3].hex(), port["public_key"], what)
        same(fields[4].hex(), port["rad"], what)
        same(data.hex(), port["bytes"], what)
        same(sha256(data).hexdigest(), port["hash"], what)
        same("PORT:" + base32(data), port["qr_text"], what)
        same(link(port["link_base"], data), port["link"], what)
        same(array(*read_port(data)), fields, what)
        same(read_text(port["qr_text"]), data, what)
        same(read_text(port["link"]), data, what)
        counts["Ports"] += 1
    for name, text in file["texts"].items():
        same(read_text(text["text"]).hex(), text["bytes"], f"text {name}")
    for name, entry in file["refused_bytes"].items():
        refuses(entry["error"], f"Port {name}", read_port, bytes.fromhex(entry["bytes"]))
    for name, entry in file["refused_texts"].items():
        refuses(entry["error"], f"text {name}", read_text, entry["text"])
    for name, entry in file["refused_bases"].items():
        refuses(entry["error"], f"base {name}", link, entry["base"], b"")


def proofs():
    file = load("proofs.json")
    for name, entry in file["accepted"].items():
        what = f"proof {name}"
        entry = {key: bytes.fromhex(value) for key, value in entry.items() if value is not None}
        same(public_key_of(entry["private_key_alice"]), entry["public_key_alice"], what)
        same(dh(entry["private_key_alice"], entry["public_key_bob"]), entry["secret"], what)
        if "private_key_bob" in entry:
            port = [1, 1, b"", entry["public_key_alice"], entry["rad"]]
            proof, secret = prove(entry["private_key_bob"], entry["iv"], port)
            same(secret, entry["secret"], what)
            same(proof, [entry["public_key_bob"], entry["encrypted_rad"]], what)
        encrypted = cbc(entry["secret"], entry["iv"], entry["rad"] + PADDING, encrypt=True)
        same(entry["iv"] + encrypted, entry["encrypted_rad"], what)
        proof = [entry["public_key_bob"], entry["encrypted_rad"]]
        same(encode(proof), entry["bytes"], what)
        same(check(entry["private_key_alice"], entry["rad"], proof), entry["secret"], what)
        counts["proofs"] += 1
    refused = file["refused"]
    private_key, rad = bytes.fromhex(refused["private_key_alice"]), bytes.fromhex(refused["rad"])
    # The control: this Alice takes what Bob makes.
    accepted = cbor2.loads(bytes.fromhex(file["accepted"]["from Bob's seed"]["bytes"]))
    require(check(private_key, rad, accepted) is not None, "the control")
    for name, entry in refused["proofs"].items():
        proof = cbor2.loads(bytes.fromhex(entry["bytes"]))
        require_proof(proof)
        same(check(private_key, rad, proof), None, f"proof {name}")
        counts["negatives refused"] += 1


def messages():
    file = load("messages.json")
    for kind, kinds in (("requests", REQUESTS), ("events", EVENTS), ("payloads", PAYLOADS)):
        seen = set()
        for name, entry in file[kind].items():
            fields = {key: from_json(key, value) for key, value in entry["fields"].items()}
            same(write_message(kinds, entry["message"], fields).hex(), entry["bytes"], f"{kind} {name}")
            read = read_message(kinds, bytes.fromhex(entry["bytes"]))
            same(read, (entry["message"], fields), f"{kind} {name}")
            seen.add(entry["message"])
            counts["messages"] += 1
        same(seen, set(kinds), f"kinds of {kind}")
        for name, entry in file["refused_" + kind].items():
            refuses(entry["error"], f"{kind} {name}", read_message, kinds, bytes.fromhex(entry["bytes"]))


def from_json(key, value):
    if key == "proof" and value is not None:
        return [bytes.fromhex(value["public_key_bob"]), bytes.fromhex(value["encrypted_rad"])]
    return bytes.fromhex(value) if type(value) is str else value


def shown(effects):
    return [{name: value.hex() if type(value) is bytes else value for name, value in each.items()} for each in effects]


def handshakes():
    for name, play in load("handshakes.json").items():
        machines, formed = {}, None
        for number, step in enumerate(play["steps"]):
            who, what = step["who"], f"{name}, step {number}, {step['who']} {step['does']}"
            machine = machines.get(who)
            before = machine.record() if machine else None
            try:
                replaces = machine and (bytes([machine.key()[0]]) + machine.key()[1]).hex()
                machine, effects, once = act(machine, step, formed)
            except Refused as refused:
                same(str(refused), step.get("error"), what)
                same(machine.record(), before, what)
                counts["steps refused"] += 1
                continue
            machines[who] = machine
            same(None, step.get("error"), what)
            same(machine.record().hex(), step["record"], what)
            same((bytes([machine.key()[0]]) + machine.key()[1]).hex(), step["key"], what)
            same(replaces, step.get("replaces"), what)
            same(shown(effects), step["effects"], what)
            same(once and once.hex(), step.get("once"), what)
            formed = next((each["line_formed"] for each in effects if "line_formed" in each), formed)
            counts["steps"] += 1
        if play["derived"]:
            exports = play["derived"].pop("exports")
            keys = keys_of(play["steps"])
            same(keys, play["derived"], f"{name}, derived")
            for each in exports:
                exported = export(bytes.fromhex(keys["exporter"]), each["label"], bytes.fromhex(each["context"]))
                same(exported.hex(), each["exported"], f"{name}, export")
            counts["handshakes"] += 1


def act(machine, step, formed):
    """One step: the machine after it, its effects, its mark."""
    argument = {key: bytes.fromhex(value) for key, value in step.items() if key in BYTES}
    offer = array(step["offer"]["expires"], step["offer"]["relay"]) if "offer" in step else None
    born = {
        "request": lambda: Alice.request(offer, argument["seed"]),
        "offer": lambda: Alice(
            Alice.offered(argument["line_link"], offer, argument["seed"][:32], argument["seed"][32:48])
        ),
        "scan": lambda: Bob.scan(argument["port"], argument["seed"]),
        "born": lambda: Line.restore(formed),
    }
    if step["does"] in born:
        machine = born[step["does"]]()
        return machine, machine.unsent(), None
    does = {
        "handle": lambda: machine.handle(argument["event"], step["now"]),
        "connect": lambda: machine.connect({"OnBoard": 1, "AlongTheLine": 2}[step["send_proof"]], step["now"]),
        "open": lambda: machine.open(argument["payload"], argument["associated_data"], step["now"]),
        "seal": lambda: machine.seal(argument["text"], argument["associated_data"]),
        "tick": lambda: machine.tick(step["now"]),
        "settle": lambda: machine.settle(),
        "close": lambda: machine.close(),
        "revoke": lambda: machine.revoke(),
        "cancel": lambda: machine.cancel(),
    }
    return machine, *does[step["does"]]()


BYTES = {"seed", "line_link", "port", "event", "payload", "associated_data", "text"}


def keys_of(steps):
    """§6.1, §6.2, §6.8, from the Port, the seeds and what the Server said."""
    scan = next(step for step in steps if step["does"] == "scan")
    seed, port = bytes.fromhex(scan["seed"]), read_port(bytes.fromhex(scan["port"]))
    events = (read_message(EVENTS, bytes.fromhex(step["event"])) for step in steps if "event" in step)
    formed = next(fields for name, fields in events if name == "LineFormed")
    proof, secret = prove(seed[:32], seed[32:48], port)
    port_hash = sha256(encode(array(*port))).digest()
    heard = transcript(port[1], port_hash, formed["line_id"], formed["pair_hash"], proof)
    prk, alice_to_bob, bob_to_alice, exporter = line_keys(secret, heard)
    return {
        "port_hash": port_hash.hex(),
        "secret": secret.hex(),
        "transcript": heard.hex(),
        "transcript_hash": sha256(heard).hexdigest(),
        "prk": prk.hex(),
        "alice_to_bob": alice_to_bob.hex(),
        "bob_to_alice": bob_to_alice.hex(),
        "exporter": exporter.hex(),
        "check_code": check_code(exporter),
    }


STATES = {
    *("alice requesting", "alice offered", "bob scanned", "bob connecting on board", "bob connecting along the line"),
    *("alice spent with a line, unsettled", "alice spent with a line", "bob spent with a line, unsettled"),
    *("bob spent with a line", *(f"alice spent {end}" for end in ("Revoked", "Expired", "ProofRefused"))),
    *(f"alice spent {end}, unsettled" for end in ("Revoked", "Expired", "ProofRefused")),
    *(f"bob spent {end}" for end in ("Cancelled", "Expired", *(f"Refused({why})" for why in REASONS[1:]))),
    *(f"bob spent {end}, unsettled" for end in ("Cancelled", "Expired", *(f"Refused({why})" for why in REASONS[1:]))),
    *("line awaiting proof", "line of alice joined", "line of alice confirmed", "line of alice confirmed, with confirm"),
    *("line of bob joined", "line of bob joined, with proof", "line of bob confirmed", "line of bob confirmed, due"),
    *(f"line closed {end}, due" for end in ("ByUs", "ByPeer", "ByServer", "ProofRefused", "Expired")),
    *(f"line closed {end}" for end in ("ByUs", "ByPeer", "ByServer", "ProofRefused")),
}


def state_name(role, machine):
    if role == "line":
        tag, *phase = machine.state[1]
        rest = ["line closed ", machine.ENDS[phase[0]], ", due" if phase[2] else ""] if tag == 6 else []
        kept = len(phase) == 2
        return "".join(
            {
                1: ["line awaiting proof"],
                2: ["line of alice joined"],
                3: ["line of alice confirmed", ", with confirm" if kept else ""],
                4: ["line of bob joined", ", with proof" if kept else ""],
                5: ["line of bob confirmed", ", due" if phase[-1] is True else ""],
                6: rest,
            }[tag]
        )
    tag, body = machine.state
    if tag != 3:
        how = (" on board" if body[-1] == 1 else " along the line") if (role, tag) == ("bob", 2) else ""
        return f"{role} {({'alice': ['requesting', 'offered'], 'bob': ['scanned', 'connecting']})[role][tag - 1]}{how}"
    end = "with a line" if body[0] == 1 else machine.name_of_end(body[2])
    return f"{role} spent {end}{', unsettled' if len(body) == 4 else ''}"


def records():
    seen = set()
    for number, entry in enumerate(load("records.json")):
        what, data = f"record {number}", bytes.fromhex(entry["record"])
        machine = {"alice": Alice, "bob": Bob, "line": Line}[entry["role"]].restore(data)
        same(machine.record(), data, what)
        same((bytes([machine.key()[0]]) + machine.key()[1]).hex(), entry["key"], what)
        same(machine.revision, entry["revision"], what)
        same(machine.deadline(), entry["deadline"], what)
        same(shown(machine.unsent()), entry["unsent"], what)
        seen.add(state_name(entry["role"], machine))
        counts["records"] += 1
    same(sorted(STATES - seen), [], "states without a record")
    same(sorted(seen - STATES), [], "states that nobody knows")
    counts["states"] = len(seen)


def packets():
    file = load("packets.json")

    def line(entry, which):
        return Line.restore(bytes.fromhex(entry[which]))

    for name, entry in file["accepted"].items():
        text, data = entry["text"], bytes.fromhex(entry["associated_data"])
        text = bytes.fromhex(text) if type(text) is str else bytes([text["byte"]]) * text["times"]
        [effect], _ = line(entry, "sealed_by").seal(text, data, entry["padded"])
        payload = read_message(REQUESTS, effect["send"])[1]["payload"]
        same(payload.hex() if "payload" in entry else None, entry.get("payload"), name)
        same(sha256(payload).hexdigest() if "payload_sha256" in entry else None, entry.get("payload_sha256"), name)
        effects, _ = line(entry, "opened_by").open(payload, data, 0)
        same(effects, [{"message": text}], name)
        counts["packets"] += 1
    for name, entry in file["window"].items():
        opened = line(entry, "opened_by")
        opened.open(bytes.fromhex(entry["payload"]), b"", 0)
        same(opened.record().hex(), entry["record"], name)
        counts["packets"] += 1
    for name, entry in file["not_sealed"].items():
        text, data = bytes(entry["text_length"]), bytes(entry["associated_data_length"])
        refuses(entry["error"], f"packet {name}", line(entry, "sealed_by").seal, text, data)
    for name, entry in file["not_opened"].items():
        payload, data = bytes.fromhex(entry["payload"]), bytes.fromhex(entry["associated_data"])
        refuses(entry["error"], f"packet {name}", line(entry, "opened_by").open, payload, data, 0)


def shipped_app():
    """Keys, secrets and raw AES-CBC of the app that is in people's hands."""
    for entry in load("port-app-1.0.0.json"):
        alice, bob = bytes.fromhex(entry["alice_private_key"]), bytes.fromhex(entry["bob_private_key"])
        secret = dh(alice, public_key_of(bob))
        same(secret.hex(), entry["shared_secret"], "shared_secret")
        same(dh(bob, public_key_of(alice)).hex(), entry["shared_secret"], "shared_secret")
        same(public_key_of(bob).hex(), entry["intro_message"]["pubkey"], "public key")
        encrypted = base64.urlsafe_b64decode(entry["intro_message"]["encryptedSecretContent"])
        plain = cbc(secret, encrypted[:16], encrypted[16:], encrypt=False)
        same(plain[: -plain[-1]].decode(), entry["intro_plaintext"], "intro message")
        counts["secrets of the app"] += 1


for each in (ports, proofs, messages, handshakes, records, packets, shipped_app):
    each()
print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
