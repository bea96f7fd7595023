#!/usr/bin/env python3
"""Recomputes everything in tests/vectors/*.json from SPEC.md, sharing nothing with the crate.

A second implementation of the whole protocol, in the order of SPEC.md's sections: records are those of port.cddl. Needs
Python 3.11 and the packages `cryptography` and `cbor2`. Exits with 1 at the first difference, else prints what it counted.
"""

import base64
import binascii
import ipaddress
import json
import re
import string
import struct
import sys
import urllib.parse
from collections import Counter
from hashlib import sha256
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
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
    """HMAC, with the salt as its key."""
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


def fields_of(fields, number):
    """The same with the absent fields that were left out at its end."""
    return fields + [None] * (number - len(fields))


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


LAST_SECOND = 253_402_300_799


def is_time(value):
    """§1.1: until the end of the year 9999."""
    return is_uint(value) and value <= LAST_SECOND


# §2 Port

IN_URLS = set(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
ZERO_WIDTH = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
P = 2**255 - 19
BASE32 = string.ascii_uppercase + "234567"
PORT, SUPERPORT, CONTACT_PORT = 1, 2, 3
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
    """§2.4: the fields as an array of eight."""
    fields = decode(data)
    require(5 <= len(fields) <= 8)
    fields = fields_of(fields, 8)
    _, kind, line_link, public_key, rad, expires, relay, ticket = fields
    require(is_uint(kind) and is_bytes(line_link, 16) and is_bytes(public_key, 32) and is_bytes(rad, 16))
    require(expires is None or is_time(expires))
    require(relay is None or type(relay) is str)
    require(ticket is None or is_ticket(ticket))
    require(encode(array(*fields)) == data)
    require(kind in (PORT, SUPERPORT, CONTACT_PORT), "UnsupportedKind")
    require(is_good_key(public_key), "WeakPublicKey")
    require(relay is None or 1 <= len(relay) <= 64 and set(relay) <= IN_URLS, "BadRelayAddr")
    require((kind == CONTACT_PORT) == (ticket is not None))
    return fields


# §16.2: controls, line ends, what turns the direction of others, what is invisible.
HIDING = re.compile(
    "[\0-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]"
)
TAGS = "[\U000e0000-\U000e007f]"


def is_introducers_name(name):
    if type(name) is not str or len(name.encode()) > 32 or HIDING.search(name):
        return False
    return not re.search(TAGS, re.sub("\U0001f3f4" + TAGS + "*", "", name))


def is_ticket(ticket):
    """§16.2"""
    if type(ticket) is not list or not 2 <= len(ticket) <= 3:
        return False
    secret, name, expires = fields_of(ticket, 3)
    return is_bytes(secret, 16) and is_introducers_name(name) and (len(ticket) == 2 or is_time(expires))


def hash_of_port(port):
    """§2.4: without the ticket."""
    return sha256(encode(array(*port[:7]))).digest()


def hashed_ticket(ticket):
    return encode(["port-protocol ticket", ticket[0]])


def hash_of_ticket(ticket):
    """§16.2: of its secret alone."""
    return sha256(hashed_ticket(ticket)).digest()


def base32(data):
    return base64.b32encode(data).decode().rstrip("=")


def whole_bytes(digits):
    """Of any number of digits: what is left over behind the last whole byte is ignored."""
    bits = "".join(f"{BASE32.index(digit):05b}" for digit in digits)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8))


def is_base(base):
    """§2.6."""
    scheme, _, rest = base.partition("://")
    authority = re.split("[/?]", rest)[0]
    user, at_sign, after = authority.rpartition("@")
    parts = re.fullmatch(r"(\[[^]]*\]|[^:]*)(?::([0-9]*))?", after)
    host, port = parts.groups() if parts else ("", None)
    return (
        set(rest) <= IN_URLS - {"#"}
        and (not at_sign or user[:1] in set(string.ascii_letters + string.digits))
        and int(port or 0) <= 65535
        and is_host(host)
        and (scheme == "https" or scheme == "http" and re.fullmatch(r".+\.onion\.?", host, re.IGNORECASE) is not None)
    )


def is_host(host):
    if host.startswith("["):
        return is_address(ipaddress.IPv6Address, host[1:-1])
    labels = host.removesuffix(".").split(".")
    good = all(re.fullmatch("[A-Za-z0-9_-]{1,63}", label) for label in labels) and len(".".join(labels)) <= 253
    is_number = re.fullmatch("[0-9]*|0[xX][0-9a-fA-F]*", labels[-1])
    return good and (not is_number or is_address(ipaddress.IPv4Address, ".".join(labels)))


def is_address(version, text):
    try:
        return "%" not in text and bool(version(text))
    except ValueError:
        return False


def checked(data):
    """§2.5: with the check behind it."""
    return data + binascii.crc_hqx(data, 0xFFFF).to_bytes(2, "big")


def link(base, data):
    require(is_base(base), "BadLinkBase")
    return f"{base}#{base32(checked(data))}"


def read_text(text):
    """§2.7: a Port's bytes."""
    text = text.strip(WHITE_SPACE + ZERO_WIDTH)
    base, hash_sign, fragment = text.partition("#")
    if text.startswith("PORT:"):
        digits = text.removeprefix("PORT:")
    else:
        require(hash_sign and is_base(base))
        digits = fragment
    require(set(digits) <= set(BASE32))
    data = whole_bytes(digits)
    require(version_of(data) in (None, 1), "UnsupportedVersion")
    require(len(data) > 2 and checked(data[:-2]) == data, "Damaged")
    read_port(data[:-2])
    require(base32(data) == digits)
    return data[:-2]


# §3 Proof

PADDING = bytes([16] * 16)


def prove(private_key, iv, port):
    secret = dh(private_key, port[3])
    ticket = fields_of(port, 8)[7]
    blocks = port[4] + (ticket[0] if ticket else b"") + PADDING
    return [public_key_of(private_key), iv + cbc(secret, iv, blocks, encrypt=True)], secret


def check(private_key, rad, proof, with_ticket=False):
    """§3.3: the secret, or None. With a ticket: the secret and the ticket's (§16.4)."""
    public_key, encrypted_rad = proof
    length = 64 if with_ticket else 48
    if len(public_key) != 32 or not is_good_key(public_key) or len(encrypted_rad) != length:
        return None
    secret = dh(private_key, public_key)
    blocks = cbc(secret, encrypted_rad[:16], encrypted_rad[16:], encrypt=False)
    if blocks[:16] + blocks[-16:] != rad + PADDING:
        return None
    return (secret, blocks[16:32]) if with_ticket else secret


def require_proof(proof):
    require(type(proof) is list and len(proof) == 2 and is_bytes(proof[0], 0, 32) and is_bytes(proof[1], 0, 64))


# §7 Messages

REQUESTS = {
    "IssueLineLink": (16, ["request_id"]),
    "Connect": (17, ["line_link", "request_id", "proof?"]),
    "Packet": (18, ["line_id", "payload"]),
    "Disconnect": (19, ["line_id"]),
    "CloseLineLink": (20, ["line_link"]),
    "SetLineLink": (21, ["line_link", "version", "admission", "recognisable"]),
}
EVENTS = {
    "LineLinkIssued": (32, ["request_id", "line_link"]),
    "LineFormed": (33, ["line_link", "line_id", "peer", "proof?"]),
    "Refused": (34, ["line_link", "request_id", "reason"]),
    "Packet": (35, ["line_id", "payload"]),
    "Disconnected": (36, ["line_id"]),
    "Dropped": (37, ["line_id"]),
    "Connected": (38, ["line_link", "request_id", "line_id", "peer"]),
    "LineLinkLost": (39, ["line_link"]),
}
PAYLOADS = {
    "Proof": (1, ["proof"]),
    "Sealed": (2, ["packet_kind", "nonce", "ciphertext"]),
}
REASONS = [None, "Unknown", "UsedByAnother", "UsedByYou", "Closed", "Expired", "Paused"]
USED_BY_ANOTHER, PAUSED = 2, 6
CONFIRM, ANSWER, EARLY_MESSAGE, MESSAGE, CLOSE, PADDED_EARLY_MESSAGE, PADDED_MESSAGE = range(1, 8)
LENGTHS = {"request_id": 16, "line_link": 16, "line_id": 16, "peer": 32, "nonce": 12}


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
        elif field == "version":
            require(is_uint(value))
        elif field == "recognisable":
            require(type(value) is bool)
        else:
            require(is_uint(value) and 1 <= value <= {"reason": 6, "packet_kind": 8, "admission": 3}[field])
    require(write_message(kinds, name, fields) == data)
    return name, fields


def request(name, **fields):
    return {"send": write_message(REQUESTS, name, fields)}


# §6.1, §6.2 Keys


def transcript(kind, port_hash, line_id, proof, ticket=None):
    """Without the marks: each end is told its own."""
    return encode(array("port-protocol", 1, kind, port_hash, line_id, proof, ticket))


def keys_from(prk):
    """Alice to Bob, Bob to Alice, exporter."""
    return [hkdf_expand(prk, info, 32) for info in (b"alice to bob", b"bob to alice", b"exporter")]


def line_keys(secret, transcript_bytes):
    """PRK, then the three keys."""
    prk = hkdf_extract(sha256(transcript_bytes).digest(), secret)
    return prk, *keys_from(prk)


def session_of(end, epoch, prk):
    """[send, receive, exporter, sent, window, epoch]."""
    alice_to_bob, bob_to_alice, exporter = keys_from(prk)
    keys = [alice_to_bob, bob_to_alice] if end == "alice" else [bob_to_alice, alice_to_bob]
    return [*keys, exporter, 0, [0, 0], epoch]


# §6.2, §14.4, §14.7 What a Port for many adds


def ephemeral_from(secret, fresh, transcript_hash):
    """The ephemeral private key of this use, from what was handed in with the event. Its PRK first."""
    prk = hkdf_extract(transcript_hash, secret + fresh)
    return prk, hkdf_expand(prk, b"ephemeral", 32)


def epoch_1(secret, ephemeral_secret, transcript_hash, ephemeral_key):
    """Its PRK."""
    salt = sha256(encode([transcript_hash, ephemeral_key])).digest()
    return hkdf_extract(salt, secret + ephemeral_secret)


def mark_of_use(port_hash, secret):
    return sha256(encode(["port-protocol use", port_hash, secret])).digest()


# §6.3, §6.4 Packets


def packet_nonce(epoch, counter):
    return struct.pack(">IQ", epoch, counter)


def place_of(fields):
    """Epoch and counter."""
    return struct.unpack(">IQ", fields["nonce"])


def seal(key, kind, epoch, counter, text=b"", data=b""):
    nonce = packet_nonce(epoch, counter)
    ciphertext = AESGCMSIV(key).encrypt(nonce, text, bytes([0x82, 1, 0x84, 2, kind]) + data)
    return write_message(PAYLOADS, "Sealed", {"packet_kind": kind, "nonce": nonce, "ciphertext": ciphertext})


def unseal(key, fields, data):
    nonce, ciphertext = fields["nonce"], fields["ciphertext"]
    require(16 <= len(ciphertext) <= 65536 + 16, "Forged")
    try:
        return AESGCMSIV(key).decrypt(nonce, ciphertext, bytes([0x82, 1, 0x84, 2, fields["packet_kind"]]) + data)
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


def safety_number(exporter):
    groups = hkdf_expand(exporter, b"check code", 40)
    return " ".join(f"{int.from_bytes(groups[i : i + 5], 'big') % 100_000:05}" for i in range(0, 40, 5))


def take(window, counter):
    """§6.4: the window after this counter. [highest taken + 1, bit i: that less i was taken]."""
    following, seen = window
    if counter >= following:
        require(counter + 1 < 2**64, "Duplicate")
        ahead = min(counter + 1 - following, 64)
        return [counter + 1, (seen << ahead | 1) & (2**64 - 1)]
    age = following - 1 - counter
    require(age < 64 and not seen >> age & 1, "Duplicate")
    return [following, seen | 1 << age]


# §8 Machines. A state is the very array that stands in the record (port.cddl).

PREFIX = {"request": 1, "line_link": 2, "line_id": 3}
AN_HOUR, A_DAY = 60 * 60, 24


def span(now):
    """§8.8: the hours that are left, and the last look."""
    return [7 * A_DAY, now]


def next_look(wait):
    left, since = wait
    return min(since + min(left, A_DAY) * AN_HOUR, LAST_SECOND)


def look(wait, now):
    """The span after a look at the clock, which counts for a day at most, or None."""
    left = wait[0] - min(max(now - wait[1], 0) // AN_HOUR, A_DAY)
    return [left, now] if left > 0 else None


# The phases of a line, its ends, and the stages of each.
AWAITING_PROOF, OPEN, CLOSED = 1, 2, 3
AT_ALICE, AT_BOB = 1, 2
AWAITING_APPROVAL, JOINED, CONFIRMED = 1, 2, 3
JOINED_BOB, CONFIRMED_BOB = 1, 2


def event_key(name, fields):
    of_link = ("LineFormed", "Refused", "Connected", "LineLinkLost")
    field = "request_id" if name == "LineLinkIssued" else "line_link" if name in of_link else "line_id"
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

    def go(self, state, outbox=None, once=None, unique=None, on_duplicate=None, consumes=None, new_line=None):
        """A step that is committed. Its effects are first what no outbox holds, then the outbox, unless only a part of it is new."""
        self.state, self.revision = state, self.revision + 1
        new_line = new_line and Line(new_line).record()
        once = once or []
        if new_line:
            once = [*once, {"line_formed": new_line}]
        return once + (self.pending() if outbox is None else outbox), unique, on_duplicate, consumes, new_line

    def tick(self, now):
        require(self.deadline() is not None and now >= self.deadline(), "NotYet")
        return self.go(self.at_deadline(now))


class Client(Machine):
    """What Alice and Bob have in common: how they are spent (§4.4, §5.4)."""

    def key(self):
        tag, body = self.state[0], self.state[1]
        return (body[1] if body[0] == 2 else [2, body[1]]) if tag == 3 else self.living_key()

    def spent(self, end, disconnect=None, close=None):
        return [3, [2, self.key(), end, [2, disconnect] if disconnect else [3, close] if close else [1]]]

    def reject(self, name, fields, peers):
        body = self.state[1]
        require(name in ("LineFormed", "Connected", "LineLinkIssued"), "OutOfOrder")
        require(name != "LineLinkIssued", "UnwantedLink")
        is_ours = body[0] == 1 and body[2] == fields["line_id"]
        raise Refused("Duplicate" if is_ours or peers["port_of_line"] else "UnwantedLine")

    def pending(self):
        if self.state[0] != 3:
            return self.living_pending()
        body = self.state[1]
        if body[0] == 1 or len(body) == 3:
            return []
        says, *what = body[3]
        effects = [request("Disconnect", line_id=what[0])] if says == 2 else []
        effects += [request("CloseLineLink", line_link=body[1][1])] if says == 3 else []
        return effects + [{"ended": self.name_of_end(body[2])}]

    def clear_outbox(self):
        require(self.state[0] == 3 and len(self.state[1]) == 4, "Nothing")
        return self.go([3, self.state[1][:3]], [])

    def has_expired(self, now):
        return self.expiry() is not None and now >= self.expiry()


NOBODY, ONE, MANY = 1, 2, 3


def kind_of(options):
    """§14.1: [terms, policy, introducer, recognisable]."""
    if options[2] is not None:
        return CONTACT_PORT
    return PORT if options[1][0] == [1] else SUPERPORT


def suits(policy, kind):
    """§14.1: the kind stands in the Port, and stays."""
    return kind == CONTACT_PORT or (policy[0] == [1]) == (kind == PORT)


def admission(kind, policy, used):
    """§14.2: what the relay is told."""
    (uses, *limit), paused = policy[0], policy[2]
    is_open = not paused and (uses == 3 or used < (limit[0] if uses == 2 else 1))
    return NOBODY if not is_open else ONE if kind == PORT else MANY


def earliest(*times):
    return min((time for time in times if time is not None), default=None)


def has_passed(time, now):
    return time is not None and now >= time


class Alice(Client):
    """§4, §14. [1, [request_id, private key, RAD, options]], [3, spent] and
    [2, [Port, private key, policy, version, due, recognisable, many]].

    Many, of a Port for many only: [used, introducer]."""

    ROLE = 1
    ENDS = [
        *(None, "Revoked", "Expired", "ProofRefused", "Paused", "Blocked", "AlreadyConnected", "LinkLost", "FalseLine")
    ]
    REVOKED, EXPIRED, PROOF_REFUSED, PAUSED, BLOCKED, ALREADY_CONNECTED, LINK_LOST, FALSE_LINE = range(1, 9)

    @classmethod
    def request(cls, options, seed):
        private_key, rad, request_id = seed[:32], seed[32:48], seed[48:]
        return cls([1, [request_id, private_key, rad, options]])

    def offered(self, line_link):
        _, private_key, rad, options = self.state[1]
        terms, policy, introducer, recognisable = options
        port = array(1, kind_of(options), line_link, public_key_of(private_key), rad, *terms)
        many = array(0, introducer) if kind_of(options) != PORT else None
        # As it is issued, a link admits one, and its owner is not recognisable.
        changed = recognisable or admission(kind_of(options), policy, 0) != ONE
        return [2, array(port, private_key, policy, int(changed), changed, recognisable, many)]

    @classmethod
    def offer(cls, line_link, options, seed):
        return cls(cls.request(options, seed).offered(line_link))

    def setting(self, body, known):
        """§14.2: there is something to tell the relay, if that is not what it knows."""
        port, private_key, policy, version, due, recognisable, many = fields_of(body, 7)
        if admission(port[1], policy, many[0] if many else 0) != known:
            version, due = version + 1, True
        return [2, array(port, private_key, policy, version, due, recognisable, many)]

    def admission(self):
        port, _, policy, _, _, _, many = fields_of(self.state[1], 7)
        return admission(port[1], policy, many[0] if many else 0)

    def expiry(self):
        """§14.1: by the Port, and by the policy."""
        tag, body = self.state
        if tag == 3:
            return None
        terms, policy = (body[3][0], body[3][1]) if tag == 1 else (body[0][5:], body[2])
        return earliest(fields_of(terms, 1)[0], fields_of(policy, 5)[4])

    deadline = expiry

    def living_key(self):
        body = self.state[1]
        return [1, body[0]] if self.state[0] == 1 else [2, body[0][2]]

    def living_pending(self):
        if self.state[0] == 1:
            return [request("IssueLineLink", request_id=self.state[1][0])]
        ready, says = [{"port_ready": encode(self.state[1][0])}], [self.says()]
        # §4.6: as it was issued, a link is good already, and the setting renews it.
        return says + ready if self.state[1][3] > 0 else ready + says

    def says(self):
        """§4.6, §14.2: what the relay is to know."""
        port, _, _, version, _, recognisable, _ = fields_of(self.state[1], 7)
        told = {"version": version, "admission": self.admission(), "recognisable": recognisable}
        return request("SetLineLink", line_link=port[2], **told)

    def news(self):
        """All but the Port, which was shown before."""
        return [self.says()] if self.state[1][4] else []

    def name_of_end(self, end):
        return self.ENDS[end]

    def end(self, end):
        require(self.state[0] != 3, "OutOfOrder")
        return self.spent(end, close=None if self.state[0] == 1 else self.state[1][0][1])

    def revoke(self):
        return self.go(self.end(self.REVOKED))

    def at_deadline(self, now):
        return self.end(self.EXPIRED)

    def clear_outbox(self):
        if self.state[0] != 2:
            return super().clear_outbox()
        port, private_key, policy, version, due, recognisable, many = fields_of(self.state[1], 7)
        require(due, "Nothing")
        return self.go([2, array(port, private_key, policy, version, False, recognisable, many)], [])

    def set_policy(self, policy):
        """§14.2"""
        tag, body = self.state
        require(tag != 3, "OutOfOrder")
        if tag == 1:
            options = [body[3][0], policy, *body[3][2:]]
            require(suits(policy, kind_of(body[3])), "PolicyMismatch")
            return self.go([1, [*body[:3], options]], [])
        require(suits(policy, body[0][1]), "PolicyMismatch")
        self.go(self.setting([*body[:2], policy, *body[3:]], self.admission()))
        return self.news(), None, None, None, None

    def handle(self, data, now, peers, fresh=None):
        name, fields = read_message(EVENTS, data)
        require(event_key(name, fields) == self.key(), "WrongMachine")
        tag, body = self.state
        require(name != "Connected", "WrongMachine")
        if tag == 3:
            self.reject(name, fields, peers)
        if tag == 1 and name == "LineLinkIssued":
            offered = Alice(self.offered(fields["line_link"]))
            if self.has_expired(now):
                return self.go(offered.end(self.EXPIRED))
            # §4.5: a link as it was issued need not be set before the Port is shown.
            return self.go(offered.state, [*offered.news(), {"port_ready": encode(offered.state[1][0])}])
        if tag == 2 and name == "LineLinkLost":
            return self.go(self.spent(self.LINK_LOST))
        require(tag == 2 and name == "LineFormed", "OutOfOrder")
        return self.spend(fields, now, peers) if body[0][1] == PORT else self.admit(fields, now, peers, fresh)

    def refuses(self, now, peers):
        """Why nobody gets in now, however good the proof; or None."""
        _, again, paused, *_ = self.state[1][2]
        if self.has_expired(now):
            return self.EXPIRED
        if paused:
            return self.PAUSED
        if peers["relationship"] == "Blocked":
            return self.BLOCKED
        return self.ALREADY_CONNECTED if peers["relationship"] == "Connected" and again == 3 else None

    def replaces(self, peers):
        return peers["line_id"] if self.state[1][2][1] == 1 else None

    def spend(self, fields, now, peers):
        """§4.3: a Port for one use."""
        if peers["port_of_line"]:
            port_hash = hash_of_port(self.state[1][0])
            formed = [3, [1, self.state[1][0][2], fields["line_id"]]]
            state = formed if peers["port_of_line"] == port_hash else self.end(self.FALSE_LINE)
            return self.go(state, unique=port_hash, on_duplicate="Revoke")
        port, private_key, policy = self.state[1][:3]
        line_id, proof, approval = fields["line_id"], fields["proof"], policy[3]
        origin = origin_of(port, fields, self.replaces(peers))
        end, line = self.refuses(now, peers), None
        if end is None and proof is None:
            line = [origin, [1, private_key, port[4], span(now), approval]]
        elif end is None:
            line = joined_alice(origin, private_key, port[4], proof, approval)
            end = None if line else self.PROOF_REFUSED
        state = [3, [1, port[2], line_id]] if line else self.spent(end, disconnect=line_id)
        return self.go(state, unique=hash_of_port(port), on_duplicate="Revoke", new_line=line)

    def admit(self, fields, now, peers, fresh):
        """§14.4: one more use of a Port for many."""
        port, private_key, policy, version, due, recognisable, many = self.state[1]
        used, introducer = fields_of(many, 2)
        line_id, proof = fields["line_id"], fields["proof"]
        if peers["port_of_line"]:
            raise Refused("Duplicate" if peers["port_of_line"] == hash_of_port(port) else "FalseLine")
        require(not self.has_expired(now), "DeadlinePassed")
        require(self.refuses(now, peers) is None and self.admission() == MANY and proof is not None, "UnwantedLine")
        good = check(private_key, port[4], proof, with_ticket=port[1] == CONTACT_PORT)
        require(good is not None, "UnwantedLine")
        secret, ticket, introduced, consumes = good, None, None, None
        if port[1] == CONTACT_PORT:
            secret, ticket_secret = good
            consumes = hash_of_ticket([ticket_secret])
            require(consumes in peers["tickets"], "UnknownTicket")
            line_link, name, expires = peers["tickets"][consumes]
            require(line_link == port[2], "UnwantedLine")
            if has_passed(expires, now):
                # Consumed, and nothing else moves.
                once = [request("Disconnect", line_id=line_id)]
                return self.go(self.state, [], once, consumes, "Disconnect", consumes)
            ticket, introduced = array(ticket_secret, name, expires), array(name, introducer)
        origin = origin_of(port, fields, self.replaces(peers), introduced)
        heard = sha256(transcript(*origin[:3], proof, ticket)).digest()
        require(fresh is not None, "an event that makes a key, and nothing fresh")
        _, ephemeral = ephemeral_from(secret, fresh, heard)
        ephemeral_key = public_key_of(ephemeral)
        first = session_of("alice", 0, hkdf_extract(heard, secret))
        confirm = [seal_next(first, CONFIRM, ephemeral_key), sha256(encode(proof)).digest()]
        session = session_of("alice", 1, epoch_1(secret, dh(ephemeral, proof[0]), heard, ephemeral_key))
        early = [first[1], 0, None, span(now)]
        stage = [AWAITING_APPROVAL if policy[3] else JOINED, confirm]
        line = [origin, [OPEN, session, [AT_ALICE, stage, early]]]
        body = [port, private_key, policy, version, due, recognisable, array(used + 1, introducer)]
        unique = consumes or mark_of_use(hash_of_port(port), secret)
        state = self.setting(body, self.admission())
        return self.go(state, Alice(state).news(), None, unique, "Disconnect", consumes, line)


class Bob(Client):
    """§5. [1, [Port, private key, IV, request_id]], [3, spent] and
    [2, [line_link, kind, Port hash, terms, secret, proof, how, private key, request_id, ticket]]."""

    ROLE = 2

    @classmethod
    def scan(cls, port, seed):
        read_port(port)
        return cls([1, [decode(port), seed[:32], seed[32:48], seed[48:]]])

    def scan_again(self, port, seed):
        """§5.6"""
        again = Bob.scan(port, seed)
        require(again.key() == self.key(), "WrongMachine")
        require(self.state[0] == 3 and (self.state[1][0] == 1 or len(self.state[1]) == 3), "OutOfOrder")
        return self.go(again.state)

    def expiry(self):
        tag, body = self.state
        return None if tag == 3 else fields_of(body[0][5:] if tag == 1 else body[3], 1)[0]

    def deadline(self):
        """Nothing was sent of a Port that was only scanned, so no clock ends it."""
        return self.expiry() if self.state[0] == 2 else None

    def living_key(self):
        body = self.state[1]
        return [2, body[0][2] if self.state[0] == 1 else body[0]]

    def living_pending(self):
        if self.state[0] == 1:
            return []
        line_link, _, _, _, _, proof, how, _, request_id = self.state[1][:9]
        return [request("Connect", line_link=line_link, request_id=request_id, proof=proof if how == 1 else None)]

    def name_of_end(self, end):
        refused = f"Refused({REASONS[end[-1]]})" if end[0] == 3 else ""
        return {1: "Cancelled", 2: "Expired", 3: refused, 4: "Blocked", 6: "FalseLine"}[end[0]]

    def end(self, end, disconnect=None):
        require(self.state[0] != 3, "OutOfOrder")
        return self.spent(end, disconnect)

    def cancel(self):
        return self.go(self.end([1]))

    def at_deadline(self, now):
        return self.end([2])

    def connect(self, how, now):
        require(self.state[0] == 1, "OutOfOrder")
        require(not self.has_expired(now), "Expired")
        port, private_key, iv, request_id = self.state[1]
        proof, secret = prove(private_key, iv, port)
        is_for_many, ticket = port[1] != PORT, fields_of(port, 8)[7]
        head = [port[2], port[1], hash_of_port(port), array(*port[5:7]), secret, proof]
        key = private_key if is_for_many else None
        return self.go([2, array(*head, 1 if is_for_many else how, key, request_id, ticket)])

    def handle(self, data, now, peers, fresh=None):
        name, fields = read_message(EVENTS, data)
        require(event_key(name, fields) == self.key(), "WrongMachine")
        require(name not in ("LineFormed", "LineLinkLost"), "WrongMachine")
        if self.state[0] == 3:
            self.reject(name, fields, peers)
        is_ours = self.state[0] == 2 and fields["request_id"] == self.state[1][8]
        if name == "Connected" and not is_ours:
            # §5.6: it answers an earlier scan.
            raise Refused("Duplicate" if peers["port_of_line"] else "UnwantedLine")
        require(is_ours, "OutOfOrder")
        body = fields_of(self.state[1], 10)
        line_link, kind, port_hash, terms, secret, proof, how, private_key, _, ticket = body
        if name == "Refused":
            # §5.4: a Port for many is not used up, so the relay has not heard yet what it is.
            waits = fields["reason"] == PAUSED or (fields["reason"] == USED_BY_ANOTHER and kind != PORT)
            require(not waits, "Paused")
            return self.go(self.end([3, fields["reason"]]))
        line_id = fields["line_id"]
        if peers["port_of_line"]:
            is_same = peers["port_of_line"] == port_hash
            return self.go(self.end([3, REASONS.index("UsedByYou")] if is_same else [6]))
        if self.has_expired(now) or peers["relationship"] == "Blocked":
            return self.go(self.end([2] if self.has_expired(now) else [4], line_id))
        introduced = [ticket[1]] if ticket else None
        head = [kind, port_hash, line_id]
        origin = array(*head, fields["peer"], fields_of(terms, 2)[1], peers["line_id"], introduced)
        heard = sha256(transcript(*head, proof, ticket)).digest()
        payload = write_message(PAYLOADS, "Proof", {"proof": proof}) if how == 2 else None
        upgrade = [secret, private_key, heard] if private_key else None
        stage = array(JOINED_BOB, payload, upgrade)
        line = [origin, [OPEN, session_of("bob", 0, hkdf_extract(heard, secret)), [AT_BOB, stage]]]
        return self.go([3, [1, line_link, line_id]], new_line=line)


def origin_of(port, fields, replaces=None, introduced=None):
    relay = fields_of(port, 8)[6]
    return array(port[1], hash_of_port(port), fields["line_id"], fields["peer"], relay, replaces, introduced)


def joined_alice(origin, private_key, rad, proof, approval):
    """A Port for one use: there is but one epoch."""
    secret = check(private_key, rad, proof)
    if secret is None:
        return None
    keys = session_of("alice", 0, hkdf_extract(sha256(transcript(*origin[:3], proof)).digest(), secret))
    confirm = [seal_next(keys, CONFIRM), sha256(encode(proof)).digest()]
    return [origin, [OPEN, keys, [AT_ALICE, [AWAITING_APPROVAL if approval else JOINED, confirm]]]]


def seal_next(keys, kind, text=b"", data=b""):
    packet = seal(keys[0], kind, keys[5], keys[3], text, data)
    keys[3] += 1
    return packet


MOST_EARLY = 64


def unless_all_came(early):
    _, seen, sent, _ = early
    return None if sent is not None and seen.bit_count() >= sent else early


class Line(Machine):
    """§6, §14. [origin, phase].

    A phase: [1, private key, RAD, span, approval], [2, session, end], [3, reason, close, due].
    An end: Alice's [1, stage, early], Bob's [2, stage]. Alice's stages: awaiting approval [1, Confirm], joined [2, Confirm],
    confirmed [3, Confirm or nothing]. Bob's: joined [1, proof, upgrade], confirmed [2, Answer, due, hash of Confirm]."""

    ROLE = 3
    REASONS = [None, "ByUs", "ByPeer", "ByRelay", "ProofRefused", "Expired", "Declined"]
    BY_US, BY_PEER, BY_RELAY, PROOF_REFUSED, EXPIRED, DECLINED = range(1, 7)

    def key(self):
        return [3, self.state[0][2]]

    def stage(self):
        """Which end, and its stage; of a line that is open."""
        phase = self.state[1]
        return (phase[2][0], phase[2][1]) if phase[0] == OPEN else (None, [None])

    def is_in(self, end, stage):
        at, (tag, *_) = self.stage()
        return at == end and tag == stage

    def early(self):
        """What Alice opens of epoch 0: [key, seen, sent, span]."""
        return fields_of(self.state[1][2], 3)[2] if self.stage()[0] == AT_ALICE else None

    def is_early(self):
        """Bob's end, before it knows the keys of epoch 1."""
        return self.is_in(AT_BOB, JOINED_BOB) and len(self.stage()[1]) == 3

    def deadline(self):
        phase = self.state[1]
        if phase[0] == AWAITING_PROOF:
            return next_look(phase[3])
        # An approval may take any time.
        return next_look(self.early()[3]) if self.early() and not self.is_in(AT_ALICE, AWAITING_APPROVAL) else None

    def at_deadline(self, now):
        """§8.8: a look at the clock."""
        phase = self.state[1]
        if phase[0] == AWAITING_PROOF:
            _, private_key, rad, wait, approval = phase
            wait = look(wait, now)
            return [self.state[0], [1, private_key, rad, wait, approval]] if wait else self.closed(self.EXPIRED)
        *early, wait = self.early()
        wait = look(wait, now)
        return self.at_alice(phase[1], phase[2][1], [*early, wait] if wait else None)

    def at_alice(self, session, stage, early):
        return [self.state[0], [OPEN, session, array(AT_ALICE, array(*stage), early)]]

    def at_bob(self, session, stage):
        return [self.state[0], [OPEN, session, [AT_BOB, array(*stage)]]]

    def closed(self, reason, packet=None):
        return [self.state[0], [CLOSED, reason, packet, True]]

    def send(self, payload):
        return request("Packet", line_id=self.state[0][2], payload=payload)

    def pending(self):
        phase = self.state[1]
        end, (tag, *kept) = self.stage()
        if end == AT_ALICE and tag == AWAITING_APPROVAL:
            return [{"awaiting_approval": True}]
        if end == AT_ALICE:
            return [self.send(confirm[0]) for confirm in kept]
        if end == AT_BOB and tag == JOINED_BOB:
            return [self.send(proof) for proof in kept[:1] if proof is not None]
        if end == AT_BOB:
            return [self.send(kept[0])] if kept[1] else []
        if phase[0] == CLOSED and phase[3]:
            _, reason, packet, _ = phase
            effects = [self.send(packet)] if packet is not None else []
            if reason != self.BY_RELAY:
                effects.append(request("Disconnect", line_id=self.state[0][2]))
            return effects + [{"ended": self.REASONS[reason]}]
        return []

    def clear_outbox(self):
        origin, phase = self.state
        if self.is_in(AT_BOB, CONFIRMED_BOB):
            _, answer, due, confirm_hash = fields_of(self.stage()[1], 4)
            require(due, "Nothing")
            return self.go(self.at_bob(phase[1], [CONFIRMED_BOB, answer, False, confirm_hash]), [])
        require(phase[0] == CLOSED and phase[3], "Nothing")
        return self.go([origin, [CLOSED, phase[1], None, False]], [])

    def accept(self, now):
        """§14.5: from now on Bob can be heard, for seven days."""
        require(self.is_in(AT_ALICE, AWAITING_APPROVAL), "OutOfOrder")
        early = self.early() and [*self.early()[:3], span(now)]
        return self.go(self.at_alice(self.state[1][1], [JOINED, self.stage()[1][1]], early))

    def decline(self):
        require(self.is_in(AT_ALICE, AWAITING_APPROVAL), "OutOfOrder")
        return self.go(self.closed(self.DECLINED))

    def handle(self, data, now, peers=None, fresh=None, aad=b""):
        name, fields = read_message(EVENTS, data)
        require(event_key(name, fields) == self.key(), "WrongMachine")
        if name == "Packet":
            return self.open(fields["payload"], aad, now)
        require(self.state[1][0] != CLOSED, "Closed")
        if name == "Dropped":
            has_sent = self.state[1][0] == OPEN and not self.is_in(AT_ALICE, AWAITING_APPROVAL)
            require(has_sent, "OutOfOrder")
            return self.go(self.state, [], [{"packets_lost": True}])
        return self.go(self.closed(self.BY_RELAY))

    def close(self):
        phase = json_copy(self.state[1])
        require(phase[0] != CLOSED, "Closed")
        # An end that has not answered yet says nothing.
        says = phase[0] == OPEN and not self.is_in(AT_ALICE, AWAITING_APPROVAL)
        return self.go(self.closed(self.BY_US, seal_next(phase[1], CLOSE) if says else None))

    def seal(self, text, data, pad=False):
        origin, phase = json_copy(self.state)
        require(phase[0] != CLOSED, "Closed")
        require(phase[0] == OPEN and not self.is_in(AT_ALICE, AWAITING_APPROVAL), "NotJoined")
        session = phase[1]
        require(not (self.is_early() and session[3] >= MOST_EARLY), "Unconfirmed")
        require(session[3] < 2**48, "Exhausted")
        text = padded(text) if pad else text
        require(len(text) <= 65536, "TooLong")
        require(len(data) <= 256, "AssociatedDataTooLong")
        kinds = (PADDED_EARLY_MESSAGE, PADDED_MESSAGE) if pad else (EARLY_MESSAGE, MESSAGE)
        is_confirmed = self.is_in(AT_ALICE, CONFIRMED) or self.is_in(AT_BOB, CONFIRMED_BOB)
        packet = seal_next(session, kinds[is_confirmed], text, data)
        return self.go([origin, phase], [], [self.send(packet)])

    def open(self, payload, data, now):
        name, fields = read_message(PAYLOADS, payload)
        origin, phase = json_copy(self.state)
        require(phase[0] != CLOSED, "Closed")
        if phase[0] == AWAITING_PROOF:
            _, private_key, rad, _, approval = phase
            require(name == "Proof", "TooEarly")
            joined = joined_alice(origin, private_key, rad, fields["proof"], approval)
            return self.go(joined or self.closed(self.PROOF_REFUSED))
        session = phase[1]
        end, (tag, *kept) = self.stage()
        if name == "Proof":
            confirm = kept[0] if end == AT_ALICE and tag != AWAITING_APPROVAL and kept else None
            require(confirm and confirm[1] == sha256(encode(fields["proof"])).digest(), "OutOfOrder")
            return self.go(self.state)
        require(not self.is_in(AT_ALICE, AWAITING_APPROVAL), "TooEarly")
        padding = {PADDED_EARLY_MESSAGE: EARLY_MESSAGE, PADDED_MESSAGE: MESSAGE}
        kind = padding.get(fields["packet_kind"], fields["packet_kind"])
        is_message = kind in (EARLY_MESSAGE, MESSAGE)
        epoch, counter = place_of(fields)

        own = {CONFIRM: 32, ANSWER: 1}.get(kind, 0) if origin[0] != PORT else 0

        def text_by(key):
            """Of a message, or as many bytes as a packet of the machine's own has."""
            require(not is_message or len(data) <= 256, "AssociatedDataTooLong")
            text = unseal(key, fields, data if is_message else b"")
            require(is_message or len(text) == own, "Forged")
            return unpadded(text) if fields["packet_kind"] in padding else text

        if epoch != session[5]:
            return self.open_other_epoch(payload, epoch, counter, kind, text_by)
        text = text_by(session[1])
        if kind != CONFIRM:
            session[4] = take(session[4], counter)
        if kind == CLOSE:
            return self.go(self.closed(self.BY_PEER))
        message = [{"message": text}] if is_message else []
        if end == AT_ALICE:
            require(kind != CONFIRM, "OutOfOrder")
            early = self.early()
            # Only an EarlyMessage leaves it open whether Bob has Confirm: it is sent once more.
            confirm = kept[0] if kind == EARLY_MESSAGE and kept else None
            if kind == ANSWER and early:
                early = unless_all_came([*early[:2], text[0], early[3]])
            return self.go(self.at_alice(session, [CONFIRMED, confirm], early), None if confirm else [], message)
        require(kind != ANSWER, "OutOfOrder")
        if tag == JOINED_BOB:
            upgrade = fields_of(kept, 2)[1]
            confirm_hash = None
            if upgrade:
                require(kind == CONFIRM, "OutOfOrder")
                require(is_good_key(text), "Forged")
                secret, private_key, heard = upgrade
                sent = session[3]
                session = session_of("bob", 1, epoch_1(secret, dh(private_key, text), heard, text))
                answer, confirm_hash = seal_next(session, ANSWER, bytes([sent])), sha256(encode(payload)).digest()
            else:
                answer = seal_next(session, ANSWER)
            return self.go(self.at_bob(session, [CONFIRMED_BOB, answer, True, confirm_hash]), None, message)
        answer, due, confirm_hash = fields_of(kept, 3)
        require(kind != CONFIRM or confirm_hash is None, "OutOfOrder")
        is_confirm = kind == CONFIRM
        stage = [CONFIRMED_BOB, answer, due or is_confirm, confirm_hash]
        return self.go(self.at_bob(session, stage), None if is_confirm else [], message)

    def open_other_epoch(self, payload, epoch, counter, kind, text_by):
        """§14.7"""
        _, session, (_, stage, *_) = json_copy(self.state[1])
        if self.early() and epoch == 0:
            key, seen, sent, wait = self.early()
            text = text_by(key)
            if kind == CLOSE:
                return self.go(self.closed(self.BY_PEER))
            require(kind == EARLY_MESSAGE, "OutOfOrder")
            require(counter < MOST_EARLY and not seen >> counter & 1, "Duplicate")
            early = unless_all_came([key, seen | 1 << counter, sent, wait])
            return self.go(self.at_alice(session, stage, early), None, [{"message": text}])
        require(not (self.is_early() and epoch == 1), "TooEarly")
        again = self.is_in(AT_BOB, CONFIRMED_BOB) and epoch == 0
        again = again and fields_of(stage, 4)[3] == sha256(encode(payload)).digest()
        require(again, "Forged")
        return self.go(self.at_bob(session, [*stage[:2], True, stage[3]]))


class Pool(Machine):
    """§15. [name, key, low, full, how many requests, [number or link]]."""

    ROLE = 4

    @classmethod
    def new(cls, low, full, seed):
        require(1 <= low <= full <= 16, "BadBounds")
        return cls([seed[32:48], seed[:32], low, full, full, list(range(full))])

    @classmethod
    def restore(cls, data):
        pool = super().restore(data)
        _, _, low, full, requests, slots = pool.state
        numbers = [slot for slot in slots if type(slot) is int]
        links = [slot for slot in slots if type(slot) is bytes]
        require(1 <= low <= full <= 16 and len(slots) <= full and all(map(is_name, links)))
        require(sorted(set(numbers)) == numbers and all(number < requests for number in numbers))
        require(len(set(links)) == len(links))
        return pool

    def key(self):
        return [4, self.state[0]]

    def deadline(self):
        return None

    def cipher(self):
        return Cipher(algorithms.AES(self.state[1]), modes.ECB())

    def request_id(self, number):
        encryptor = self.cipher().encryptor()
        return encryptor.update(number.to_bytes(16, "big")) + encryptor.finalize()

    def requesting(self, slots):
        ids = [self.request_id(slot) for slot in slots if type(slot) is int]
        return [request("IssueLineLink", request_id=request_id) for request_id in ids]

    def pending(self):
        return self.requesting(self.state[5])

    def handle(self, data):
        name, fields = read_message(EVENTS, data)
        require(name == "LineLinkIssued", "WrongMachine")
        decryptor = self.cipher().decryptor()
        number = int.from_bytes(decryptor.update(fields["request_id"]) + decryptor.finalize(), "big")
        *rest, requests, slots = self.state
        require(number < requests, "WrongMachine")
        require(number in slots and fields["line_link"] not in slots, "Duplicate")
        slots = [fields["line_link"] if slot == number else slot for slot in slots]
        return self.go([*rest, requests, slots], [])

    def pop(self):
        *rest, low, full, requests, slots = self.state
        link = next((slot for slot in slots if type(slot) is bytes), None)
        require(link is not None, "Empty")
        left = [slot for slot in slots if slot != link]
        new = list(range(requests, requests + full - len(left))) if len(left) < low else []
        state = [*rest, low, full, requests + len(new), left + new]
        return self.go(state, self.requesting(new), [{"link": link}])


def is_name(value):
    return is_bytes(value, 16)


def json_copy(state):
    return [json_copy(item) if type(item) is list else item for item in state]


# The files


def load(name):
    return json.loads((VECTORS / name).read_text())


def ports():
    file = load("ports.json")
    for name, port in file["accepted"].items():
        seed, what = bytes.fromhex(port["alice_seed"]), f"Port {name}"
        private_key, rad, ticket = seed[:32], seed[32:48], unhex(port["ticket"])
        fields = array(
            *(1, port["kind"], bytes.fromhex(port["line_link"]), public_key_of(private_key), rad),
            *(port["expires"], port["relay"], ticket),
        )
        data = encode(fields)
        same(fields[1], port["kind"], what)
        same(fields[3].hex(), port["public_key"], what)
        same(fields[4].hex(), port["rad"], what)
        same(data.hex(), port["bytes"], what)
        same(hash_of_port(fields).hex(), port["hash"], what)
        same(ticket and hashed_ticket(ticket).hex(), port["hashed_ticket"], what)
        same(ticket and hash_of_ticket(ticket).hex(), port["ticket_hash"], what)
        same("PORT:" + base32(checked(data)), port["qr_text"], what)
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
    # A contact port: of which ticket Alice is asked, if the proof is good.
    seed = bytes.fromhex(file["with_tickets"]["alice_seed"])
    private_key, rad = seed[:32], seed[32:48]
    for name, entry in file["with_tickets"]["proofs"].items():
        proof = cbor2.loads(bytes.fromhex(entry["bytes"]))
        require_proof(proof)
        secret, ticket = check(private_key, rad, proof, with_ticket=True) or (None, None)
        same(ticket and hash_of_ticket([ticket]).hex(), entry["ticket_hash"], f"proof {name}")
        same(secret and secret.hex(), file["with_tickets"]["secret"] if ticket else None, f"proof {name}")
        counts["proofs"] += 1


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


def unhex(value):
    """Of what stands in JSON as port.cddl has it: byte strings are in hex, and no text is."""
    if type(value) is list:
        return [unhex(item) for item in value]
    return bytes.fromhex(value) if type(value) is str and HEX.fullmatch(value) else value


HEX = re.compile("([0-9a-f]{2}){16,}")


def shown(effects):
    return [{name: value.hex() if type(value) is bytes else value for name, value in each.items()} for each in effects]


def handshakes(file="handshakes.json"):
    for name, play in load(file).items():
        machines, formed = {}, None
        for number, step in enumerate(play["steps"]):
            who, what = step["who"], f"{name}, step {number}, {step['who']} {step['does']}"
            machine = machines.get(who)
            before = machine.record() if machine else None
            try:
                expected = machine and (bytes([machine.key()[0]]) + machine.key()[1]).hex()
                machine, effects, unique, on_duplicate, consumes, new_line = act(machine, step, formed)
            except Refused as refused:
                same(str(refused), step.get("error"), what)
                same(machine.record(), before, what)
                counts["steps refused"] += 1
                continue
            machines[who] = machine
            same(None, step.get("error"), what)
            same(machine.record().hex(), step["record"], what)
            same((bytes([machine.key()[0]]) + machine.key()[1]).hex(), step["key"], what)
            same(expected if step["does"] != "restore" else None, step.get("expected"), what)
            same(shown(effects), step["effects"], what)
            same(unique and unique.hex(), step.get("unique"), what)
            same(on_duplicate, step.get("on_duplicate"), what)
            same(consumes and consumes.hex(), step.get("consumes"), what)
            same(new_line and new_line.hex(), step.get("new_line"), what)
            formed = next((each["line_formed"] for each in effects if "line_formed" in each), formed)
            counts["steps"] += 1
        if play["derived"] and "uses" in play["derived"]:
            same(keys_of_uses(play["steps"]), play["derived"], f"{name}, derived")
            counts["uses of a Port for many"] += len(play["derived"]["uses"])
        elif play["derived"]:
            exports = play["derived"].pop("exports")
            keys = keys_of(play["steps"])
            same(keys, play["derived"], f"{name}, derived")
            for each in exports:
                exported = export(bytes.fromhex(keys["exporter"]), each["label"], bytes.fromhex(each["context"]))
                same(exported.hex(), each["exported"], f"{name}, export")
            counts["handshakes"] += 1


def pools():
    file = load("pools.json")
    pool = None
    for number, step in enumerate(file["steps"]):
        what = f"pool, step {number}"
        before, expected = (pool.record(), pool.key()) if pool else (None, None)
        try:
            if step["does"] == "new":
                pool = Pool.new(step["low"], step["full"], bytes.fromhex(step["seed"]))
                effects = pool.pending()
            else:
                effects, *_ = pool.pop() if step["does"] == "pop" else pool.handle(bytes.fromhex(step["event"]))
        except Refused as refused:
            same(str(refused), step.get("error"), what)
            same(pool.record(), before, what)
            counts["steps refused"] += 1
            continue
        same(None, step.get("error"), what)
        same(pool.record().hex(), step["record"], what)
        same((bytes([4]) + pool.key()[1]).hex(), step["key"], what)
        same((bytes([4]) + expected[1]).hex() if expected else None, step.get("expected"), what)
        same(shown(effects), step["effects"], what)
        counts["steps"] += 1
    for entry in file["refused_bounds"]:
        refuses(entry["error"], f"bounds {entry}", Pool.new, entry["low"], entry["full"], bytes(64))
    for name, entry in file["refused_records"].items():
        refuses(entry["error"], f"pool with {name}", Pool.restore, bytes.fromhex(entry["record"]))


def many_uses():
    handshakes("many.json")


def peers_of(step):
    """§14.6, §16.4: what the caller's tables say."""
    peers = step.get("peers") or {"port_of_line": None, "relationship": "Unknown", "line_id": None, "tickets": []}
    tickets = {unhex(row["ticket"]): [unhex(row["line_link"]), row["name"], row["expires"]] for row in peers["tickets"]}
    relationship = peers["relationship"].partition("(")[0]
    of_line, replaces = unhex(peers["port_of_line"]), unhex(peers["line_id"])
    return {"port_of_line": of_line, "relationship": relationship, "line_id": replaces, "tickets": tickets}


def act(machine, step, formed):
    """One step: the machine after it, its effects, its mark, what to do if that is there, which ticket it consumes, a new line."""
    argument = {key: bytes.fromhex(value) for key, value in step.items() if key in BYTES}
    options, peers, now = unhex(step.get("options")), peers_of(step), step["now"]
    created = {
        "request": lambda: Alice.request(options, argument["seed"]),
        "offer": lambda: Alice.offer(argument["line_link"], options, argument["seed"]),
        "scan": lambda: Bob.scan(argument["port"], argument["seed"]),
        "new_line": lambda: Line.restore(formed),
        "restore": lambda: Line.restore(bytes.fromhex(step["record"])),
    }
    if step["does"] in created:
        machine = created[step["does"]]()
        return machine, machine.pending(), None, None, None, None
    does = {
        "handle": lambda: machine.handle(argument["event"], now, peers, argument.get("fresh")),
        "scan_again": lambda: machine.scan_again(argument["port"], argument["seed"]),
        "connect": lambda: machine.connect({"Inline": 1, "AlongTheLine": 2}[step["send_proof"]], now),
        "handle_with_aad": lambda: machine.open(argument["payload"], argument["associated_data"], now),
        "seal": lambda: machine.seal(argument["text"], argument["associated_data"]),
        "set_policy": lambda: machine.set_policy(unhex(step["policy"])),
        "tick": lambda: machine.tick(now),
        "clear_outbox": lambda: machine.clear_outbox(),
        "accept": lambda: machine.accept(now),
        "decline": lambda: machine.decline(),
        "close": lambda: machine.close(),
        "revoke": lambda: machine.revoke(),
        "cancel": lambda: machine.cancel(),
    }
    return machine, *does[step["does"]]()


BYTES = {"seed", "fresh", "line_link", "port", "event", "payload", "associated_data", "text"}


def keys_of(steps):
    """§6.1, §6.2, §6.8, from the Port, the seeds and what the relay said."""
    scan = next(step for step in steps if step["does"] == "scan")
    seed, port = bytes.fromhex(scan["seed"]), read_port(bytes.fromhex(scan["port"]))
    events = (read_message(EVENTS, bytes.fromhex(step["event"])) for step in steps if "event" in step)
    formed = next(fields for name, fields in events if name == "LineFormed")
    proof, secret = prove(seed[:32], seed[32:48], port)
    port_hash = hash_of_port(port)
    heard = transcript(port[1], port_hash, formed["line_id"], proof)
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
        "safety_number": safety_number(exporter),
    }


def keys_of_uses(steps):
    """§6.2, §14.4, §14.7, §16.2: the same of a Port for many, use by use, from the seeds, the Port, who was let in when, and what was
    fresh then."""
    seed = bytes.fromhex(steps[0]["seed"])
    private_key, rad, request_id = seed[:32], seed[32:48], seed[48:]
    alice = {"private_key": private_key, "rad": rad, "request_id": request_id}
    uses, port_hash = [], None
    for step in steps:
        if step["who"] != "alice" or not any("line_formed" in effect for effect in step.get("effects", [])):
            continue
        _, fields = read_message(EVENTS, bytes.fromhex(step["event"]))
        # The guest that made this proof.
        scans = [scan for scan in steps if scan["does"] == "scan"]
        scan = next(scan for scan in scans if public_key_of(bytes.fromhex(scan["seed"])[:32]) == fields["proof"][0])
        of_bob, port = bytes.fromhex(scan["seed"]), read_port(bytes.fromhex(scan["port"]))
        ticket, port_hash = port[7], hash_of_port(port)
        same(port[3:5], [public_key_of(private_key), rad], "the Port")
        proof, secret = prove(of_bob[:32], of_bob[32:48], port)
        heard = transcript(port[1], port_hash, fields["line_id"], proof, ticket)
        heard_hash = sha256(heard).digest()
        prk_0, *epoch_0 = line_keys(secret, heard)
        fresh = bytes.fromhex(step["fresh"])
        ephemeral_prk, ephemeral = ephemeral_from(secret, fresh, heard_hash)
        ephemeral_key = public_key_of(ephemeral)
        ephemeral_secret = dh(ephemeral, proof[0])
        same(ephemeral_secret, dh(of_bob[:32], ephemeral_key), "the ephemeral key's secret")
        salted = encode([heard_hash, ephemeral_key])
        prk_1 = epoch_1(secret, ephemeral_secret, heard_hash, ephemeral_key)
        same(prk_1, hkdf_extract(sha256(salted).digest(), secret + ephemeral_secret), "the salt")
        keys_1 = keys_from(prk_1)
        used = encode(["port-protocol use", port_hash, secret])
        same(sha256(used).digest(), mark_of_use(port_hash, secret), "the mark")
        confirmed = any(
            each["who"] == f"line at alice with {scan['who']}" and "record" in each and each["record"][:4] == "8401"
            and Line.restore(bytes.fromhex(each["record"])).is_in(AT_ALICE, CONFIRMED)
            for each in steps
        )
        use = {
            "secret": secret, "proof": encode(proof), "transcript": heard, "transcript_hash": heard_hash,
            "fresh": fresh, "ephemeral_prk": ephemeral_prk, "ephemeral": ephemeral, "ephemeral_public_key": ephemeral_key,
            "ephemeral_secret": ephemeral_secret, "salted": salted,
            "salt": sha256(salted).digest(), "used": used, "mark": hash_of_ticket(ticket) if ticket else sha256(used).digest(),
            "hashed_ticket": ticket and hashed_ticket(ticket), "ticket_hash": ticket and hash_of_ticket(ticket),
        }
        uses.append({
            **{name: value and value.hex() for name, value in use.items()},
            "who": scan["who"],
            "epoch_0": {"prk": prk_0.hex(), "keys": [key.hex() for key in epoch_0]},
            "epoch_1": {"prk": prk_1.hex(), "keys": [key.hex() for key in keys_1]},
            "safety_number": safety_number(keys_1[2]) if confirmed else None,
        })
    return {
        "alice": {name: value.hex() for name, value in alice.items()}, "port_hash": port_hash.hex(), "uses": uses
    }


STATES = {
    *("alice requesting", "alice offered", "bob scanned", "bob connecting inline", "bob connecting along the line"),
    *("alice spent with a line", "bob spent with a line"),
    *(f"alice spent {end}{how}" for end in Alice.ENDS[1:] for how in ("", ", due")),
    *(f"bob spent {end}" for end in ("Cancelled", "Expired", "Blocked", "FalseLine")),
    *(f"bob spent {end}, due" for end in ("Cancelled", "Expired", "Blocked", "FalseLine")),
    *(f"bob spent Refused({why})" for why in REASONS[1:PAUSED]),
    *(f"bob spent Refused({why}), due" for why in REASONS[1:PAUSED]),
    *("line awaiting proof", "line of alice joined", "line of alice confirmed", "line of alice confirmed, with confirm"),
    *("line of bob joined", "line of bob joined, with proof", "line of bob confirmed", "line of bob confirmed, due"),
    *(f"line closed {reason}, due" for reason in Line.REASONS[1:]),
    *(f"line closed {reason}" for reason in ("ByUs", "ByPeer", "ByRelay", "ProofRefused", "Declined")),
    # Ports for many (§14), contact ports (§16), Ports that require approval (§14.5).
    *("alice requesting for many", "alice offered, due", "alice offered for many", "alice offered for many, due"),
    # A maker that lets itself be recognised (§14.6).
    *("alice offered, recognisable", "alice offered, recognisable, due"),
    *("bob scanned with a ticket", "bob connecting inline for many", "bob connecting inline for many, with a ticket"),
    *("line awaiting proof, then approval", "line of alice awaiting approval", "line of alice awaiting approval, early"),
    *("line of alice joined, early", "line of alice confirmed, early", "line of alice confirmed, early, counted"),
    *("line of bob joined for many", "line of bob confirmed for many", "line of bob confirmed for many, due"),
    *("pool, nothing here", "pool, some here", "pool, all here"),
}


def line_state_name(line):
    phase = line.state[1]
    if phase[0] == AWAITING_PROOF:
        return f"line awaiting proof{', then approval' if phase[4] else ''}"
    if phase[0] == CLOSED:
        return f"line closed {line.REASONS[phase[1]]}{', due' if phase[3] else ''}"
    end, (tag, *kept) = line.stage()
    if end == AT_ALICE:
        name = {AWAITING_APPROVAL: "awaiting approval", JOINED: "joined", CONFIRMED: "confirmed"}[tag]
        with_confirm = ", with confirm" if tag == CONFIRMED and kept else ""
        early = line.early()
        counted = ", counted" if early and early[2] is not None else ""
        return f"line of alice {name}{with_confirm}{', early' if early else ''}{counted}"
    if tag == JOINED_BOB:
        many, proof = len(kept) == 2, bool(kept) and kept[0] is not None
        return f"line of bob joined{' for many' if many else ''}{', with proof' if proof else ''}"
    return f"line of bob confirmed{' for many' if len(kept) == 3 else ''}{', due' if kept[1] else ''}"


def state_name(role, machine):
    if role == "line":
        return line_state_name(machine)
    if role == "pool":
        here = [type(slot) is bytes for slot in machine.state[5]]
        return f"pool, {'all' if all(here) else 'some' if any(here) else 'nothing'} here"
    tag, body = machine.state
    if tag == 3:
        end = "with a line" if body[0] == 1 else machine.name_of_end(body[2])
        return f"{role} spent {end}{', due' if len(body) == 4 else ''}"
    if role == "alice":
        if tag == 1:
            return f"alice requesting{' for many' if kind_of(body[3]) != PORT else ''}"
        recognisable = ", recognisable" if body[5] else ""
        return f"alice offered{' for many' if len(body) == 7 else ''}{recognisable}{', due' if body[4] else ''}"
    if tag == 1:
        return f"bob scanned{' with a ticket' if len(body[0]) == 8 else ''}"
    how = " inline" if body[6] == 1 else " along the line"
    return f"bob connecting{how}{' for many' if body[7] else ''}{', with a ticket' if len(body) > 9 else ''}"


def records():
    seen = set()
    for number, entry in enumerate(load("records.json")):
        what, data = f"record {number}", bytes.fromhex(entry["record"])
        machine = {"alice": Alice, "bob": Bob, "line": Line, "pool": Pool}[entry["role"]].restore(data)
        same(machine.record(), data, what)
        same((bytes([machine.key()[0]]) + machine.key()[1]).hex(), entry["key"], what)
        same(machine.revision, entry["revision"], what)
        same(machine.deadline(), entry["deadline"], what)
        same(shown(machine.pending()), entry["pending"], what)
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
        [effect], *_ = line(entry, "sealed_by").seal(text, data, entry["padded"])
        payload = read_message(REQUESTS, effect["send"])[1]["payload"]
        same(payload.hex() if "payload" in entry else None, entry.get("payload"), name)
        same(sha256(payload).hexdigest() if "payload_sha256" in entry else None, entry.get("payload_sha256"), name)
        effects, *_ = line(entry, "opened_by").open(payload, data, 0)
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


def marks():
    """§13.3: what the relay calls each of two users to the other."""
    for name, entry in load("marks.json").items():
        key, owner, user, line_link = (bytes.fromhex(entry[each]) for each in ("key", "owner", "user", "line_link"))
        of_link = b"" if entry["recognisable"] else line_link
        same(hkdf_extract(key, owner + user).hex(), entry["owner_sees"], f"marks, {name}")
        same(hkdf_extract(key, user + owner + of_link).hex(), entry["user_sees"], f"marks, {name}")
        counts["marks"] += 2


def shipped_app():
    """§17: known answers of the deployed app's own code. We must read and write the same bytes."""
    for entry in load("port-app-1.0.0.json"):
        alice, bob = bytes.fromhex(entry["alice_private_key"]), bytes.fromhex(entry["bob_private_key"])
        secret = dh(alice, public_key_of(bob))
        same(secret.hex(), entry["shared_secret"], "shared_secret")
        same(dh(bob, public_key_of(alice)).hex(), entry["shared_secret"], "shared_secret")
        same(public_key_of(bob).hex(), entry["intro_message"]["pubkey"], "public key")
        encrypted = base64.urlsafe_b64decode(entry["intro_message"]["encryptedSecretContent"])
        plain = cbc(secret, encrypted[:16], encrypted[16:], encrypt=False)
        same(plain[: -plain[-1]].decode(), entry["intro_plaintext"], "intro message")

        bundle = json.loads(entry["bundle_json"])
        same(bundle["pubkey"], public_key_of(alice).hex(), "pubkey")
        same(bundle["keyHash"], sha256(bundle["pubkey"].encode()).hexdigest(), "keyHash")
        same("https://porting.me/?" + urllib.parse.urlencode(bundle), entry["link"], "link")
        said = base64.urlsafe_b64decode(entry["line_message"]["encryptedContent"])
        plain = cbc(secret, said[:16], said[16:], encrypt=False)
        same(plain[: -plain[-1]].decode(), entry["line_message_plaintext"], "line message")
        yap = base64.urlsafe_b64decode(entry["yap_v1_alice_to_bob"])
        key = bytes(a ^ b for a, b in zip(secret, dh(bob, yap[:32])))
        opened = AESGCM(key).decrypt(yap[32:44], yap[60:] + yap[44:60], b"").decode()
        same(opened, "yap " + json.loads(entry["intro_plaintext"])["name"], "YAP")
        counts["secrets of the app"] += 1


if __name__ == "__main__":
    for each in (ports, proofs, messages, handshakes, many_uses, pools, records, packets, marks, shipped_app):
        each()
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
