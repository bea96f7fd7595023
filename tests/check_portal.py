#!/usr/bin/env python3
"""Recomputes everything in tests/vectors/portal.json from docs/portal.md, sharing nothing with the crate.

A second implementation of chapter 18, both ends: Noise IK from the Noise specification, messages, sessions, the memory, records. It needs Python
3.11 and the packages `cryptography` and `cbor2`. Exits with 1 at the first difference, else prints what it counted.
"""

import json
import re
import string
import sys
import unicodedata
import urllib.parse
from collections import Counter
from hashlib import sha256

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from check_vectors import (
    BASE32,
    VECTORS,
    ZERO_WIDTH,
    base32,
    checked,
    dh,
    encode,
    hkdf_expand,
    hkdf_extract,
    is_bytes,
    is_good_key,
    is_introducers_name,
    is_time,
    is_uint,
    made_of_ours,
    public_key_of,
    whole_bytes,
)

counts = Counter()


class Refused(Exception):
    """Its argument is the number of a Refusal (§18.6)."""


class Malformed(Exception):
    pass


UNKNOWN, NO_SESSION, BUSY, CLOCKS_DIFFER = range(1, 5)
NOT_SERVED, STALE, FULL, TOO_EARLY, INTERRUPTED, OUT_OF_PLACE = range(1, 7)


def same(got, expected, what):
    counts["values compared"] += 1
    if got != expected:
        sys.exit(f"{what}:\n  expected {expected}\n  got      {got}")


def require(condition, error=Malformed):
    if not condition:
        raise error if isinstance(error, Exception) else error()


def canonical(data):
    """One value of CBOR in its one encoding (§1.2)."""
    try:
        value = cbor2.loads(data)
        good = encode(value) == data and made_of_ours(value)
    except Exception:
        good = False
    require(good)
    return value


def of_shown(value):
    """A value of CBOR, out of the vectors' JSON."""
    if type(value) is dict:
        return bytes.fromhex(value["hex"])
    return [of_shown(item) for item in value] if type(value) is list else value


# Noise IK. The names are those of the Noise specification, revision 34, §5; AESGCM and HKDF are of its §4.3 and §12.4.


def nonce(number):
    return bytes(4) + number.to_bytes(8, "big")


def hkdf_2(ck, ikm):
    both = hkdf_expand(hkdf_extract(ck, ikm), b"", 64)
    return both[:32], both[32:]


def rekey(k):
    return AESGCM(k).encrypt(nonce(2**64 - 1), bytes(32), b"")[:32]


class Symmetric:
    def __init__(self, prologue, callee):
        self.h = self.ck = b"Noise_IK_25519_AESGCM_SHA256".ljust(32, b"\0")
        self.k, self.seen = bytes(32), []
        self.note("protocol name")
        self.mix_hash(prologue)
        self.note("prologue")
        self.mix_hash(callee)
        self.note("callee's key")

    def note(self, after):
        self.seen.append({"after": after, "h": self.h.hex(), "ck": self.ck.hex(), "k": self.k.hex()})

    def mix_hash(self, data):
        self.h = sha256(self.h + data).digest()

    def mix_key(self, private, public, token):
        self.ck, self.k = hkdf_2(self.ck, dh(private, public))
        self.note(token)

    def e(self, key):
        self.mix_hash(key)
        self.note("e")

    def encrypt_and_hash(self, text, what):
        sealed = AESGCM(self.k).encrypt(nonce(0), text, self.h)
        self.mix_hash(sealed)
        self.note(what)
        return sealed

    def decrypt_and_hash(self, sealed, what):
        text = opened(self.k, 0, sealed, self.h)
        self.mix_hash(sealed)
        self.note(what)
        return text

    def copy(self):
        other = object.__new__(Symmetric)
        other.h, other.ck, other.k, other.seen = self.h, self.ck, self.k, []
        return other


PROLOGUE = b"port-protocol portal 1"
MAX_NOISE, MAX_MESSAGE = 65_535, 65_600


def opened(k, number, sealed, data=b""):
    try:
        return AESGCM(k).decrypt(nonce(number), sealed, data)
    except (InvalidTag, ValueError):
        raise Malformed from None


def write_1(static, callee, ephemeral, payload):
    noise, e = Symmetric(PROLOGUE, callee), public_key_of(ephemeral)
    noise.e(e)
    noise.mix_key(ephemeral, callee, "es")
    s = noise.encrypt_and_hash(public_key_of(static), "s")
    noise.mix_key(static, callee, "ss")
    return e + s + noise.encrypt_and_hash(payload, "payload"), noise


def read_1(static, message):
    """The payload, the caller's keys (static, ephemeral), the handshake."""
    require(len(message) <= MAX_NOISE)
    noise, e = Symmetric(PROLOGUE, public_key_of(static)), message[:32]
    require(len(e) == 32 and is_good_key(e))
    noise.e(e)
    noise.mix_key(static, e, "es")
    s = noise.decrypt_and_hash(message[32:80], "s")
    require(len(s) == 32 and is_good_key(s))
    noise.mix_key(static, s, "ss")
    return noise.decrypt_and_hash(message[80:], "payload"), (s, e), noise


def write_2(noise, caller, ephemeral, payload):
    noise, e = noise.copy(), public_key_of(ephemeral)
    noise.e(e)
    noise.mix_key(ephemeral, caller[1], "ee")
    noise.mix_key(ephemeral, caller[0], "se")
    return e + noise.encrypt_and_hash(payload, "payload"), noise


def read_2(noise, static, ephemeral, message):
    require(len(message) <= MAX_NOISE)
    noise, e = noise.copy(), message[:32]
    require(len(e) == 32 and is_good_key(e))
    noise.e(e)
    noise.mix_key(ephemeral, e, "ee")
    noise.mix_key(static, e, "se")
    return noise.decrypt_and_hash(message[32:], "payload"), noise


PERIOD, LAST_NUMBER, DAY = 1024, 2**20 - 1, 24 * 60 * 60


def key_for(first, number):
    """§18.6, rule 4."""
    for _ in range(number // PERIOD):
        first = rekey(first)
    return first


# §18.2 IDs


def id_of(public_key):
    return sha256(encode(["port-protocol portal", public_key])).digest()


def text_of(portal_id):
    return base32(checked(portal_id)).lower()


def read_id(text):
    """The ID, or the name of what is wrong."""
    forgiven = lambda c: c.isspace() or c in ZERO_WIDTH or c == "-" or "\u2010" <= c <= "\u2015" or unicodedata.category(c) == "Cf"
    digits = "".join(c for c in text if not forgiven(c)).upper()
    if not set(digits) <= set(BASE32):
        return "BadCharacter"
    if len(digits) != 55:
        return "TooShort" if len(digits) < 55 else "TooLong"
    data = whole_bytes(digits)
    if checked(data[:-2]) != data or base32(data) != digits:
        return "Mistyped"
    return data[:-2]


def check_ids(ids):
    for known in ids["of_keys"]:
        private = bytes.fromhex(known["private_key"])
        public = public_key_of(private)
        portal_id = id_of(public)
        text = text_of(portal_id)
        got = {
            "private_key": private.hex(),
            "public_key": public.hex(),
            "hashed": encode(["port-protocol portal", public]).hex(),
            "id": portal_id.hex(),
            "text": text,
            "short": text[:6],
        }
        same(got, known, "an ID")
    for known in ids["read"]:
        same(read_id(known["written"]), bytes.fromhex(known["id"]), known["written"])
    for known in ids["refused"]:
        counts["negatives refused"] += 1
        same(read_id(known["written"]), known["error"], known["written"])


# §18.7 What is asked and said

CARRIED = set(
    "accept accept-language content-type content-language content-encoding content-disposition etag last-modified cache-control vary if-match "
    "if-none-match if-modified-since if-unmodified-since range if-range content-range accept-ranges location retry-after allow link".split()
)


def is_name(value):
    return is_introducers_name(value)


def is_request_id(value):
    return type(value) is list and len(value) == 2 and is_time(value[0]) and is_bytes(value[1], 16)


def is_app(value):
    return type(value) is str and bool(re.fullmatch("[a-z0-9_-]{1,63}", value))


def is_part(value):
    return type(value) is list and len(value) == 2 and is_bytes(value[0], 0, 32_768) and type(value[1]) is bool


def is_header(value):
    if type(value) is not list or len(value) != 2 or not all(type(text) is str for text in value):
        return False
    name, text = value
    carried = name in CARRIED or re.fullmatch("app-[a-z0-9_-]+", name)
    return bool(carried and re.fullmatch("[\t -~]*", text) and text == text.strip("\t "))


def are_headers(value):
    if type(value) is not list or len(value) > 64 or not all(map(is_header, value)):
        return False
    names = [name for name, _ in value]
    return len(set(names)) == len(names) and sum(len(name) + len(text) for name, text in value) <= 8_192


def is_canonical(target):
    """§18.5, rules 1 to 8. What a percent sign begins in a segment is read as the last bytes of a text in UTF-8."""
    path, _, query = target.partition("?")
    if not path.startswith("/") or len(target) > 8_192 or not re.fullmatch(r"[!-~]*", query) or set(query) & set('#"<>'):
        return False
    segments = path.split("/")[1:]
    if "" in segments[:-1]:
        return False
    for segment in segments:
        if not re.fullmatch(r"(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-F]{2})*", segment):
            return False
        try:
            text = urllib.parse.unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            return False
        again = "".join(c if c in PLAIN else "".join(f"%{byte:02X}" for byte in c.encode()) for c in text)
        hidden = any(unicodedata.category(c) == "Cc" for c in text) or text != text.strip()
        if again != segment or hidden or text.split(";")[0] in (".", "..") or re.search(r"[/\\]|%[0-9A-Fa-f]{2}", text):
            return False
    return True


def admits_peers(manifest, target):
    """§18.5, rules 12 to 15, for the vectors' manifest and targets: no two differ only in the case of letters."""
    paths = json.loads(manifest)["paths"]
    path = target.partition("?")[0].rstrip("/")
    covers = [prefix for prefix in paths if (path + "/").startswith(prefix + "/")]
    return bool(covers) and paths[max(covers, key=len)]["access"] in ("peer", "public")


def is_request(value):
    if type(value) is not list or len(value) != 6:
        return False
    request_id, app, method, target, headers, part = value
    return (
        is_request_id(request_id)
        and is_app(app)
        and all(type(text) is str for text in (method, target))
        and re.fullmatch("[A-Z]{1,16}", method)
        and method not in ("CONNECT", "TRACE")
        and is_canonical(target)
        and are_headers(headers)
        and is_part(part)
    )


def is_answer(value):
    if type(value) is not list or len(value) != 3:
        return False
    status, headers, part = value
    return is_uint(status) and 200 <= status <= 599 and are_headers(headers) and is_part(part)


PLAIN = set(string.ascii_letters + string.digits + "-._~!$&'()*+,=:@")
HELLO, REQUEST, BODY_PART, MORE = range(4)
ASKS = {HELLO: [], REQUEST: [is_request], BODY_PART: [is_request_id, is_app, is_uint, is_part], MORE: [is_request_id, is_app, is_uint]}
SAYS = {0: [], 1: [is_answer], 2: [], 3: [is_part], 4: [lambda reason: is_uint(reason) and 1 <= reason <= 6], 5: []}
SAID = ["Opened", "Answer", "Continue", "Part", "Refused", "Working"]


def is_one_of(kinds, value):
    if type(value) is not list or not value or type(value[0]) is not int or value[0] not in kinds:
        return False
    fields = kinds[value[0]]
    return len(value) == 1 + len(fields) and all(is_field(field) for is_field, field in zip(fields, value[1:]))


# §18.6 Messages

FIELDS = {
    0: [],
    1: [lambda key: is_bytes(key, 32) and is_good_key(key)],
    2: [lambda noise: is_bytes(noise, 0, MAX_MESSAGE)],
    3: [lambda noise: is_bytes(noise, 0, MAX_MESSAGE)],
    4: [lambda session: is_bytes(session, 16), is_uint, lambda text: is_bytes(text, 0, MAX_MESSAGE)],
    5: [lambda text: is_bytes(text, 0, MAX_MESSAGE)],
    6: [lambda code: is_uint(code) and 1 <= code <= 4],
}


def read_message(data):
    require(len(data) <= MAX_MESSAGE)
    value = canonical(data)
    require(type(value) is list and len(value) == 2 and value[0] == 1 and is_one_of(FIELDS, value[1]))
    return value[1]


def message(*body):
    return encode([1, list(body)])


def refusal(code):
    return message(6, code)


# §18.12 Records

PORTAL, PEER, APP, OPENING, TAKEN = range(32, 37)


def record(role, revision, *state):
    return encode([1, role, revision, list(state)])


def row(key, data, revision, deadline):
    return {"key": key.hex(), "record": data.hex(), "revision": revision, "deadline": deadline}


MEMORY, BEHIND, AHEAD, FORGOTTEN = 64, 600, 60, 660
SAFE = ("GET", "HEAD", "OPTIONS")


class Peer:
    """What both ends keep of the other: the record."""

    def __init__(self, portal, other, shared):
        self.id, self.key = bytes.fromhex(other["id"]), bytes.fromhex(other["public_key"])
        self.address, self.name, self.own_name = shared["address"], shared["name"], ""
        # Entered, looked up.
        self.standing, self.floor, self.revision = [0], 0, 1

    def row(self):
        self.revision += 1
        state = [[1, self.key], self.address, self.name, self.own_name, self.standing, self.floor]
        return row(b"\2" + self.id, record(PEER, self.revision, *state), self.revision, None)


class Callee:
    """§18.6, §18.8, §18.9: one peer, one app."""

    def __init__(self, file):
        own = file["callee"]
        self.private, self.name = bytes.fromhex(own["private_key"]), own["name"]
        self.peer, self.app = Peer(own, file["caller"], file["peer"]), file["app"]
        self.openings, self.requests, self.sessions = {}, {}, {}

    def crash(self):
        """What is in rows stays. A request without an answer was interrupted; the rest of an answer is gone."""
        self.sessions = {}
        for taken in self.requests.values():
            taken["phase"] = "interrupted" if taken["say"] is None else "answered"
            taken["rest"] = None

    def expired(self, now):
        """Forgets what is old: the keys of the rows, and whether the floor is another."""
        old = {mark: at for mark, at in self.openings.items() if at + FORGOTTEN <= now}
        gone = {name: taken["created"] for name, taken in self.requests.items() if taken["created"] + FORGOTTEN <= now}
        keys = [b"\4" + self.peer.id + mark for mark in old] + [b"\5" + self.peer.id + name for name in gone]
        for mark in old:
            del self.openings[mark]
        for name in gone:
            del self.requests[name]
        times = [*old.values(), *gone.values()]
        self.peer.floor = max([self.peer.floor, *times])
        return keys, bool(times)

    def take(self, step):
        """What comes of a message: the step's outcome."""
        data, now = bytes.fromhex(step["message"]), step["now"]
        try:
            return self.took(data, now, step)
        except Refused as refused:
            counts["negatives refused"] += 1
            return {"refusal": refused.args[0], "reply": refusal(refused.args[0]).hex()}

    def took(self, data, now, step):
        try:
            kind, *fields = read_message(data)
            require(kind in (0, 2, 4))
        except Malformed:
            raise Refused(UNKNOWN) from None
        if kind == 0:
            return {"reply": message(1, public_key_of(self.private)).hex()}
        if kind == 4:
            name, number, ciphertext = fields
            session = self.sessions.get(name)
            if session is None or not session["opened"] <= now < session["opened"] + DAY:
                raise Refused(NO_SESSION)
            done, ask = session_takes(session, number, ciphertext)
            to, mark = ("exchange", session, number), None
        else:
            try:
                payload, caller, noise = read_1(self.private, fields[0])
                payload = canonical(payload)
                require(type(payload) is list and len(payload) == 3)
                created, own_name, ask = payload
                require(is_time(created) and is_name(own_name) and is_one_of(ASKS, ask))
                require(id_of(caller[0]) == self.peer.id and self.peer.standing == [0])
            except Malformed:
                raise Refused(UNKNOWN) from None
            done, mark = [], caller[1][:16]
            to = ("opening", noise, caller)
        before = (dict(self.openings), dict(self.requests), self.peer.floor)
        try:
            return self.admitted(now, mark and (created, own_name, mark), done, ask, to, step)
        except Refused:
            self.openings, self.requests, self.peer.floor = before
            raise

    def admitted(self, now, opening, done, ask, to, step):
        delete, changed = self.expired(now)
        put = []
        if opening:
            created, own_name, mark = opening
            require(created > self.peer.floor and mark not in self.openings, Refused(UNKNOWN))
            require(now - BEHIND <= created <= now + AHEAD, Refused(CLOCKS_DIFFER))
            require(len(self.openings) < MEMORY, Refused(BUSY))
            self.openings[mark] = created
            put.append(row(b"\4" + self.peer.id + mark, record(OPENING, 0, created, mark), 0, created + FORGOTTEN))
            changed |= own_name != self.peer.own_name
            self.peer.own_name = own_name
        for name in done:
            if name in self.requests and self.requests[name]["say"] is not None:
                del self.requests[name]
                delete.append(b"\5" + self.peer.id + name)
        outcome = self.asked(now, bool(opening), ask, put)
        if changed:
            put.append(self.peer.row())
        got = {"write": written(put, delete)}
        if "say" in outcome:
            got |= self.reply(outcome["say"], to, now, step)
        else:
            self.waiting = (to, outcome.pop("id"))
            got |= outcome
        return got

    def asked(self, now, is_early, ask, put):
        kind, *fields = ask
        refuse = lambda reason: {"say": [4, reason]}
        if kind == HELLO:
            return {"say": [0]}
        request_id = fields[0][0] if kind == REQUEST else fields[0]
        created, name = request_id
        taken = self.requests.get(name)
        if taken and taken["created"] != created:
            taken = None
        if kind == REQUEST:
            return self.asked_request(now, is_early, fields[0], taken, put)
        if is_early:
            return refuse(TOO_EARLY)
        app, number = fields[1:3]
        if taken is None or taken["app"] != app:
            return refuse(OUT_OF_PLACE)
        if kind == BODY_PART:
            part = fields[3]
            if taken["phase"] == "receiving":
                if number == taken["next"]:
                    taken["next"] += 1
                    taken["phase"] = "receiving" if part[1] else "working"
                    return {"delivered": part, "id": request_id}
                return {"say": [2]} if number + 1 == taken["next"] else refuse(OUT_OF_PLACE)
            if taken["phase"] == "working":
                return {"say": [5]}
            return {"say": taken["say"]} if taken["phase"] == "answered" else refuse(INTERRUPTED)
        if taken["phase"] != "answered":
            return refuse(OUT_OF_PLACE)
        rest = taken["rest"]
        if rest is None:
            return refuse(INTERRUPTED)
        if number == rest["next"]:
            return {"delivered": "more", "id": request_id}
        if number + 1 == rest["next"] and rest["last"] is not None:
            return {"say": rest["last"]}
        return refuse(OUT_OF_PLACE)

    def asked_request(self, now, is_early, request, taken, put):
        (created, name), app, method, target, _, part = request
        refuse = lambda reason: {"say": [4, reason]}
        if is_early and (method not in SAFE or part != [b"", False]):
            return refuse(TOO_EARLY)
        if taken:
            if taken["app"] != app:
                return refuse(OUT_OF_PLACE)
            if taken["phase"] == "receiving":
                return {"say": [2]} if taken["next"] == 1 else refuse(OUT_OF_PLACE)
            if taken["phase"] == "working":
                return {"say": [5]}
            return {"say": taken["say"]} if taken["phase"] == "answered" else refuse(INTERRUPTED)
        if not now - BEHIND <= created <= now + AHEAD or created <= self.peer.floor:
            return refuse(STALE)
        if app != self.app["name"] or not admits_peers(self.app["manifest"], target):
            return refuse(NOT_SERVED)
        if len(self.requests) >= MEMORY or name in self.requests:
            return refuse(FULL)
        phase = "receiving" if part[1] else "working"
        self.requests[name] = {"created": created, "app": app, "phase": phase, "next": 1, "say": None, "rest": None}
        put.append(row(b"\5" + self.peer.id + name, record(TAKEN, 0, created, name, app), 0, created + FORGOTTEN))
        return {"delivered": request, "id": [created, name]}

    def reply(self, say, to, now, step):
        if to[0] == "exchange":
            _, session, number = to
            payload = encode(say)
            sealed = AESGCM(key_for(session["callee"], number)).encrypt(nonce(number), payload, b"")
            return {"say": say, "payload": payload.hex(), "reply": message(5, sealed).hex()}
        _, noise, caller = to
        ephemeral, name = bytes.fromhex(step["ephemeral"]), bytes.fromhex(step["session"])
        payload = encode([name, self.name, say])
        sealed, noise = write_2(noise, caller, ephemeral, payload)
        keys = dict(zip(("caller", "callee"), hkdf_2(noise.ck, b"")))
        self.sessions[name] = {"opened": now, "greatest": -1, "taken": set(), **keys}
        # The callee keeps four of a peer; a fifth ends the one that was used least recently.
        while len(self.sessions) > 4:
            del self.sessions[next(iter(self.sessions))]
        return {
            "say": say,
            "payload": payload.hex(),
            "reply": message(3, sealed).hex(),
            "derived": noise.seen,
            "keys": {end: key.hex() for end, key in keys.items()},
            "ephemeral": ephemeral.hex(),
            "session": name.hex(),
        }

    def answer(self, step, waiting):
        to, (created, name) = waiting
        if self.peer.standing != [0]:
            return {"error": "Blocked"}
        taken, say = self.requests[name], of_shown(step["say"])
        if taken["phase"] == "answered":
            require(say[0] == 3)
            taken["rest"] = {"next": taken["rest"]["next"] + 1, "last": say}
            write = written([], [])
        else:
            require(say[0] == 1)
            more = say[1][2][1]
            taken |= {"phase": "answered", "say": say, "rest": {"next": 1, "last": None} if more else None}
            data = record(TAKEN, 1, created, name, taken["app"], encode(say))
            write = written([row(b"\5" + self.peer.id + name, data, 1, created + FORGOTTEN)], [])
        return {"write": write} | self.reply(say, to, step["now"], step)

    def proceed(self, step, waiting):
        return self.reply([2], waiting[0], step["now"], step)

    def block(self):
        self.peer.standing, self.sessions = [1], {}
        return {"write": written([self.peer.row()], [])}

    def tick(self, now):
        delete, changed = self.expired(now)
        require(changed)
        return {"write": written([self.peer.row()], delete)}


def written(put, delete):
    return {"put": sorted(put, key=lambda row: row["key"]), "delete": sorted(key.hex() for key in delete)}


def session_takes(session, number, ciphertext):
    """§18.6, rules 2 to 4: what is done, and what is asked."""
    try:
        require(number <= LAST_NUMBER and number not in session["taken"])
        require(number > session["greatest"] - 64 and number <= session["greatest"] + 1024)
        payload = opened(key_for(session["caller"], number), number, ciphertext)
    except Malformed:
        raise Refused(NO_SESSION) from None
    session["taken"].add(number)
    session["greatest"] = max(session["greatest"], number)
    try:
        payload = canonical(payload)
        require(type(payload) is list and len(payload) == 2)
        done, ask = payload
        require(type(done) is list and all(is_bytes(name, 16) for name in done) and is_one_of(ASKS, ask))
    except Malformed:
        raise Refused(NO_SESSION) from None
    return done, ask


class Caller:
    def __init__(self, file):
        own = file["caller"]
        self.private, self.name, self.peer = bytes.fromhex(own["private_key"]), own["name"], Peer(own, file["callee"], file["peer"])
        self.session, self.heard = None, []

    def ask(self, step):
        ask = of_shown(step["ask"])
        require(is_one_of(ASKS, ask))
        if "number" in step:
            name, keys = self.session
            number, done = step["number"], of_shown(step["done"])
            payload = encode([done, ask])
            sealed = AESGCM(key_for(keys[0], number)).encrypt(nonce(number), payload, b"")
            return {"payload": payload.hex(), "message": message(4, name, number, sealed).hex()}, (name, number)
        ephemeral = bytes.fromhex(step["ephemeral"])
        payload = encode([step["now"], self.name, ask])
        sealed, noise = write_1(self.private, self.peer.key, ephemeral, payload)
        return {"payload": payload.hex(), "message": message(2, sealed).hex(), "derived": noise.seen}, (noise, ephemeral)

    def hear(self, data, waiting):
        if waiting in self.heard:
            return {"error": "Misplaced"}
        try:
            kind, *fields = read_message(data)
            if kind == 6:
                if fields == [NO_SESSION] and type(waiting[0]) is bytes and self.session and self.session[0] == waiting[0]:
                    self.session = None
                return {"refused": fields[0]}
            put = []
            if kind == 3 and type(waiting[0]) is Symmetric:
                noise, ephemeral = waiting
                payload, noise = read_2(noise, self.private, ephemeral, fields[0])
                payload = canonical(payload)
                require(type(payload) is list and len(payload) == 3)
                name, own_name, say = payload
                require(is_bytes(name, 16) and is_name(own_name) and is_one_of(SAYS, say))
                self.session = name, hkdf_2(noise.ck, b"")
                if own_name != self.peer.own_name:
                    self.peer.own_name = own_name
                    put.append(self.peer.row())
            else:
                require(kind == 5 and type(waiting[0]) is bytes)
                if not self.session or self.session[0] != waiting[0]:
                    return {"error": "Misplaced"}
                say = canonical(opened(key_for(self.session[1][1], waiting[1]), waiting[1], fields[0]))
                require(is_one_of(SAYS, say))
        except Malformed:
            counts["negatives refused"] += 1
            return {"error": "Forged"}
        # One answer to each message.
        self.heard.append(waiting)
        return {"heard": SAID[say[0]], "write": written(put, [])}

    def look_up(self, data):
        try:
            kind, *fields = read_message(data)
            require(kind == 1)
        except Malformed:
            counts["negatives refused"] += 1
            return "Unreachable"
        return "Verified" if id_of(fields[0]) == self.peer.id else "WrongKey"


GIVEN = {"by", "does", "now", "to"}


def check_play(name, steps, file):
    callee, caller = Callee(file), Caller(file)
    waiting = {}
    for at, step in enumerate(steps):
        what, does = f"{name}, step {at}", (step["by"], step["does"])
        if does == ("callee", "take"):
            got = {"message": step["message"]} | callee.take(step)
            waiting[at] = getattr(callee, "waiting", None)
            counts["delivered to the app"] += "delivered" in got
        elif does == ("callee", "answer"):
            got = callee.answer(step, waiting[step["to"]])
        elif does == ("callee", "proceed"):
            got = callee.proceed(step, waiting[step["to"]])
        elif does == ("callee", "crash"):
            callee.crash()
            got = {}
        elif does == ("callee", "block"):
            got = callee.block()
        elif does == ("callee", "tick"):
            got = callee.tick(step["now"])
        elif does == ("caller", "ask"):
            got, waiting[at] = caller.ask(step)
            got |= {given: step[given] for given in ("ask", "number", "done", "ephemeral") if given in step}
        elif does == ("caller", "hear"):
            got = {"message": step["message"]} | caller.hear(bytes.fromhex(step["message"]), waiting[step["to"]])
        elif does == ("caller", "look up"):
            got = {"message": step["message"], "outcome": caller.look_up(bytes.fromhex(step["message"]))}
        else:
            sys.exit(f"{what}: {does}")
        expected = {field: of_shown(value) if field in ("ask", "done", "say", "delivered") else value for field, value in step.items()}
        got |= {field: of_shown(got[field]) for field in ("ask", "done") if field in got}
        if "derived" not in step:
            got.pop("derived", None)
        same(got.keys(), expected.keys() - GIVEN, what)
        for field, value in got.items():
            same(value, expected[field], f"{what}, {field}")
        counts["steps"] += 1


def check_records(file):
    """Each record, made of what is known of it."""
    callee, other = (bytes.fromhex(file[end]["public_key"]) for end in ("callee", "caller"))
    stranger = bytes.fromhex(file["ids"]["of_keys"][2]["public_key"])
    now = file["plays"]["a worked example"][0]["now"]
    credential = sha256(bytes(range(7, 39))).digest()
    ids = [id_of(callee), id_of(stranger)]
    name, address = file["peer"]["name"], file["peer"]["address"]
    known, key = [0, id_of(callee)], [1, callee]
    longest = [[1, other], f"{'a' * 54}.example/p", "y" * 32, "x" * 32, [1], now, [11, now + DAY]]
    expected = {
        "Portal": record(PORTAL, 0, bytes.fromhex(file["caller"]["private_key"]), file["caller"]["name"]),
        "App, none": record(APP, 0, "notes", credential, [0]),
        "App, some": record(APP, 1, "notes", credential, [1, sorted(ids)]),
        "App, nobody": record(APP, 2, "notes", credential, [1, []]),
        "App, all": record(APP, 3, "notes", credential, [2]),
        "Peer, entered without an address": record(PEER, 0, known, None, name, "", [0], 0),
        "Peer, entered": record(PEER, 0, known, address, name, "", [0], 0, [0, now]),
        "Peer, unreachable": record(PEER, 1, known, address, name, "", [0], 0, [1, now + 60]),
        "Peer, verified": record(PEER, 2, key, address, name, "", [0], 0),
        "Peer, blocked": record(PEER, 3, key, address, name, "", [1], 0),
        "Peer, removed": record(PEER, 4, known, None, "", "", [2], 0),
        "Peer, the longest": record(PEER, 18, *longest),
    }
    # Looked up, an Opening, a tick, an address, twelve failures, a name, blocked.
    same(len(record(PEER, 2**32 - 1, *longest)) <= 200, True, "the longest record of a peer has at most 200 bytes")
    rows = [row for step in file["plays"]["a worked example"] for row in step.get("write", {"put": []})["put"]]
    kinds = {"Opening": ("04", 0), "Request": ("05", 0), "Request, answered": ("05", 1)}
    for state, data in file["records"].items():
        if state in kinds:
            of_kind = [row["record"] for row in rows if (row["key"][:2], row["revision"]) == kinds[state]]
            same(data, of_kind[-1], state)
        else:
            same(data, expected[state].hex(), state)
    same(file["records"].keys(), expected.keys() | kinds.keys(), "the records")


def main():
    file = json.loads((VECTORS / "portal.json").read_text())
    for end in ("caller", "callee"):
        public = public_key_of(bytes.fromhex(file[end]["private_key"]))
        same([public.hex(), id_of(public).hex()], [file[end]["public_key"], file[end]["id"]], end)
    check_ids(file["ids"])
    for name, steps in (file["plays"] | file["refused"]).items():
        check_play(name, steps, file)
    check_records(file)
    print(", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
