#!/usr/bin/env python3
"""Writes a capture of many flows: every round sends one small UDP packet in each flow.

The rounds after the first hold the same packets again, so the table's size stays as it is and
every packet is a look-up at a place that no cache has kept.

usage: build_flows.py OUT.pcap [FLOWS] [ROUNDS]
"""

import os
import random
import struct
import sys


def main():
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    out = sys.argv[1]
    flows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    order = list(range(flows))
    random.Random(1).shuffle(order)
    ethernet = b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"
    body = bytearray()
    for number in order:
        payload = struct.pack(">I", number) + bytes(14)
        ip = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0,
            struct.pack(">I", 0x0A000000 | number >> 4), b"\xc6\x13\x00\x01",
        )
        udp = struct.pack(">HHHH", 20000 + (number & 15), 40000, 8 + len(payload), 0)
        frame = ethernet + ip + udp + payload
        body += struct.pack("<IIII", 1_700_000_000, 0, len(frame), len(frame)) + frame
    with open(out + ".part", "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for _ in range(rounds):
            file.write(body)
    os.rename(out + ".part", out)
    print(f"{out}: {flows} flows, {flows * rounds} frames")


if __name__ == "__main__":
    main()
