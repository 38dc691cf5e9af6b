#!/usr/bin/env python3
"""Builds one large capture from a folder of small ones.

Every round plays all captures once under a VLAN tag of its own, so that each round's flows are
new. Rounds start at different captures and are interleaved frame by frame, so that the flows of
many captures are alive at the same time. Frames get one timestamp after the other, a microsecond
apart. Raw IP, Linux SLL, null and PPP frames get an Ethernet header in place of their own; frames
that hold no IP go in as they are where they are Ethernet, else they are left out.

usage: build_capture.py CAPTURES_DIR OUT.pcap [ROUNDS]
"""

import os
import struct
import sys

ETHERNET, RAW, RAW_BSD, NULL, LOOP, PPP, SLL = 1, 101, 12, 0, 108, 9, 113
MACS = b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"


def classic(data, order):
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        _, _, captured, wire = struct.unpack(order + "IIII", data[at : at + 16])
        at += 16
        if captured > 262144 or at + captured > len(data):
            return
        yield link, data[at : at + captured], wire
        at += captured


def blocks(data):
    order, at, links = "<", 0, []
    while at + 12 <= len(data):
        kind = struct.unpack(order + "I", data[at : at + 4])[0]
        if kind == 0x0A0D0D0A:
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        length = struct.unpack(order + "I", data[at + 4 : at + 8])[0]
        if length < 12 or at + length > len(data):
            return
        body = data[at + 8 : at + length - 4]
        if kind == 1:
            links.append(struct.unpack(order + "H", body[:2])[0])
        elif kind == 6:
            interface, _, _, captured, wire = struct.unpack(order + "IIIII", body[:20])
            if interface < len(links):
                yield links[interface], body[20 : 20 + captured], wire
        elif kind == 3 and links:
            wire = struct.unpack(order + "I", body[:4])[0]
            yield links[0], body[4 : 4 + wire], wire
        at += length


def frames(path):
    with open(path, "rb") as file:
        data = file.read()
    magic = data[:4]
    if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return classic(data, "<")
    if magic in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        return classic(data, ">")
    return blocks(data)


def as_ethernet(link, frame):
    """The frame with an Ethernet header, or None where that makes no sense."""
    if link == ETHERNET:
        return frame if len(frame) >= 14 else None
    if link == SLL and len(frame) > 16:
        return MACS + frame[14:16] + frame[16:]
    if link in (NULL, LOOP):
        frame = frame[4:]
    elif link == PPP:
        frame = frame[4:] if frame[:2] == b"\xff\x03" else frame[2:]
    elif link not in (RAW, RAW_BSD):
        return None
    if not frame:
        return None
    kind = {4: b"\x08\x00", 6: b"\x86\xdd"}.get(frame[0] >> 4)
    return MACS + kind + frame if kind else None


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    folder, out = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 20
    captures = []
    for name in sorted(os.listdir(folder)):
        found = [(as_ethernet(link, frame), wire) for link, frame, wire in frames(os.path.join(folder, name))]
        captures.append([(frame, wire) for frame, wire in found if frame])
    streams = []
    for turn in range(rounds):
        first = turn * len(captures) // rounds
        streams.append([f for c in captures[first:] + captures[:first] for f in c])
    count, length = 0, len(streams[0])
    with open(out + ".part", "wb", buffering=1 << 20) as file:
        # Nanosecond magic, version 2.4, snap length, Ethernet.
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for at in range(length):
            for turn, stream in enumerate(streams):
                frame, wire = stream[at]
                tagged = frame[:12] + struct.pack(">HH", 0x8100, 100 + turn) + frame[12:]
                seconds, micros = divmod(count, 1_000_000)
                head = struct.pack("<IIII", 1_700_000_000 + seconds, micros * 1000, len(tagged), max(wire + 4, len(tagged)))
                file.write(head + tagged)
                count += 1
    os.rename(out + ".part", out)
    print(f"{out}: {count} frames, {rounds} rounds of {length}")


if __name__ == "__main__":
    main()
