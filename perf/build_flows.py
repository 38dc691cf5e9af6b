#!/usr/bin/env python3
"""Writes a capture of many flows: every round sends one UDP packet in each flow, in an order that
is the same every round and looks random, so that every packet is a look-up at a place that no
cache has kept.

usage: build_flows.py OUT.pcap [FLOWS] [ROUNDS] [--size BYTES] [--new SHARE] [--coap]

  --size BYTES  of each frame, with its check sequence, 64 to 1518 (default 64)
  --new SHARE   from the second round on, this share of the packets is the first of a new flow, in
                the place of an old one (such as 0.01)
  --coap        each packet is a CoAP request, which inspection decides at once; else no protocol's
"""

import argparse
import os
import random
import struct

ETHERNET = b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"
RECORD, HEADERS, CHECK = 16, 42, 4
# Where the record's client address and port are.
ADDRESS, PORT = RECORD + 26, RECORD + 34
REQUEST = b"\x40\x01\x12\x34\xb4test\x03abc"


def template(size, coap):
    """A record whose client is yet to be written."""
    length = size - CHECK
    payload = REQUEST if coap else bytes(length - HEADERS)
    server = 5683 if coap else 40000
    ip = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0, bytes(4), b"\xc6\x13\x00\x01"
    )
    udp = struct.pack(">HHHH", 0, server, 8 + len(payload), 0)
    frame = (ETHERNET + ip + udp + payload).ljust(length, b"\0")
    return struct.pack("<IIII", 1_700_000_000, 0, length, length) + frame


def write_client(records, at, number):
    struct.pack_into(">I", records, at + ADDRESS, 0x0A000000 | number >> 4)
    struct.pack_into(">H", records, at + PORT, 20000 + (number & 15))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("out")
    parser.add_argument("flows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--new", type=float, default=0)
    parser.add_argument("--coap", action="store_true")
    wanted = parser.parse_args()
    if not 64 <= wanted.size <= 1518:
        parser.error("--size is 64 to 1518")
    record = template(wanted.size, wanted.coap)
    records = bytearray(record) * wanted.flows
    order = list(range(wanted.flows))
    random.Random(1).shuffle(order)
    for place, number in enumerate(order):
        write_client(records, place * len(record), number)
    del order
    newest, step = wanted.flows, round(1 / wanted.new) if wanted.new else 0
    with open(wanted.out + ".part", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        file.write(records)
        for turn in range(1, wanted.rounds):
            # Other places each round, so that a flow lives for many.
            for place in range(turn * 37 % step, wanted.flows, step) if step else ():
                write_client(records, place * len(record), newest)
                newest += 1
            file.write(records)
    os.rename(wanted.out + ".part", wanted.out)
    print(f"{wanted.out}: {newest} flows, {wanted.flows * wanted.rounds} frames")


if __name__ == "__main__":
    main()
