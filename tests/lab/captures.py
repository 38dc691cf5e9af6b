"""Capture files, written and looked at."""

import struct


def jumbo_capture(path, frames, size):
    """Frames of one flow, longer than a buffer."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for _ in range(frames):
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 17, 0,
                             bytes([198, 18, 9, 9]), bytes([198, 19, 0, 1]))
            frame = b"\x02\x00\x00\x00\x00\x10\x02\x00\x00\x00\x01\x01\x08\x00" + ip
            frame += struct.pack(">HHHH", 4000, 5000, size - 34, 0)
            frame += bytes(size - len(frame))
            file.write(struct.pack("<IIII", 0, 0, size, size) + frame)


def packets_in(path):
    """Packets in a pcapng file."""
    packets = at = 0
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        packets += kind == 6
        at += max(length, 12)
    return packets
