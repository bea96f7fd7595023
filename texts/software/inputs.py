"""The texts that go through the software: links on many bases and the QR text, bare and inside messages.

Prints one JSON object a line: the base's name, the message's name, the link or QR text, and the whole text.
"""

import base64
import hashlib
import json

import cases


def crc16(data):
    """CRC-16/IBM-3740."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc.to_bytes(2, "big")


def base32():
    """A plain Port that is the same in every run, with bytes that look like any other's."""
    seed = hashlib.sha512(b"a Port for other people's software").digest()
    key = bytearray(hashlib.sha256(seed).digest())
    key[31] &= 0x7F  # §2.3
    port = b"\x85\x01\x01\x50" + seed[:16] + b"\x58\x20" + bytes(key) + b"\x50" + seed[16:32]
    assert len(port) == 71
    return base64.b32encode(port + crc16(port)).decode().rstrip("=")


B32 = base32()


def inputs():
    bases = {base: f"{address}#{B32}" for base, address in cases.BASES.items()} | {"QR text": f"PORT:{B32}"}
    for base, link in bases.items():
        messages = cases.MESSAGES if base in ("plain", "QR text") else cases.FEW_MESSAGES
        sorts = {
            "linkifier": messages,
            "markdown": cases.MARKDOWNS,
            "page": cases.PAGES,
            "mail": cases.MAILS,
            "url": cases.BARE,
            "qr": cases.BARE if base in cases.QR_BASES else {},
        }
        for sort, templates in sorts.items():
            for message, template in templates.items():
                yield dict(sort=sort, base=base, message=message, link=link, text=template.replace("{LINK}", link))


if __name__ == "__main__":
    for text in inputs():
        print(json.dumps(text))
