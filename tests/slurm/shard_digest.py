#!/usr/bin/env python3
"""One line per image that the shards of a folder hold, the same for any order, rank or restart.

Usage: shard_digest.py FOLDER

Reads docs/shard-format.md's format with nothing but Python. A line is the image's content id and
frame, its state and count, and a checksum of its whole record and its detector. Left out are what
may differ between two runs of the same images: times, host, rank, the path and the number of the
detector's record. The lines are sorted; an image that two records hold appears twice.
"""
import hashlib
import pathlib
import struct
import sys

MAGIC = b"KBRECLG1"
RUN, DETECTOR, IMAGE = 1, 2, 3


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def records(path):
    """(type, payload) of the whole records; stops at the first that is cut short or damaged."""
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        return
    at = len(MAGIC)
    while at + 12 <= len(data):
        length, kind, crc = struct.unpack_from("<III", data, at)
        payload = data[at + 12:at + 12 + length]
        # The checksum of megabytes is slow here; that of what matters, the last record, is not.
        last = at + 12 + length >= len(data)
        if len(payload) < length or (last and crc32c(data[at:at + 8] + payload) != crc):
            return
        yield kind, payload
        at += 12 + length


def decode(data, at=0):
    """One MessagePack value that starts at `at`: (value, where the next one starts)."""
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    if first < 0x90:
        return decode_map(data, at, first & 0x0F)
    if first < 0xA0:
        return decode_array(data, at, first & 0x0F)
    if first < 0xC0:
        return data[at:at + (first & 0x1F)], at + (first & 0x1F)
    if first in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[first], at
    if first >= 0xE0:
        return first - 0x100, at
    numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
               0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    if first in numbers:
        size = struct.calcsize(numbers[first])
        return struct.unpack_from(numbers[first], data, at)[0], at + size
    lengths = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
               0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
    if first not in lengths:
        raise ValueError(f"a MessagePack type {first:#x} that shards do not use")
    count, = struct.unpack_from(lengths[first], data, at)
    at += struct.calcsize(lengths[first])
    if first in (0xDC, 0xDD):
        return decode_array(data, at, count)
    if first in (0xDE, 0xDF):
        return decode_map(data, at, count)
    return data[at:at + count], at + count


def decode_array(data, at, count):
    values = []
    for _ in range(count):
        value, at = decode(data, at)
        values.append(value)
    return values, at


def decode_map(data, at, count):
    values = {}
    for _ in range(count):
        key, at = decode(data, at)
        values[key], at = decode(data, at)
    return values, at


def update(digest, value):
    """Feeds a value into a checksum, maps in the order of their keys."""
    if isinstance(value, dict):
        for key in sorted(value):
            digest.update(b"{" + key)
            update(digest, value[key])
    elif isinstance(value, list):
        digest.update(b"[%d" % len(value))
        for item in value:
            update(digest, item)
    elif isinstance(value, bytes):
        digest.update(b'"%d' % len(value) + value)
    else:
        digest.update(repr(value).encode() + b";")


def image_line(payload, detectors):
    image, _ = decode(payload)
    source = image[b"source"]
    name = f"{source[b'content_id'].decode()} {source[b'frame']:7d}"
    for key in (b"seconds", b"processing"):
        image.pop(key, None)
    source.pop(b"path", None)
    source.pop(b"absolute_path", None)
    digest = hashlib.sha256()
    number = image.pop(b"detector", None)
    digest.update(detectors[number] if number is not None else b"none")
    update(digest, image)
    return f"{name} {image[b'state'].decode()}_{image[b'count']} {digest.hexdigest()[:32]}"


def main():
    lines = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.shard")):
        detectors = []
        for kind, payload in records(path):
            if kind == DETECTOR:
                detectors.append(payload)
            elif kind == IMAGE:
                lines.append(image_line(payload, detectors))
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
