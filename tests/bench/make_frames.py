#!/usr/bin/env python3
"""Makes a capture of any length for the benchmarks: one child in conversation with the wire.

    make_frames.py COUNT OUT.pcap

Sizes are the simple IMIX (7 x 64, 4 x 594, 1 x 1518 bytes with FCS), every fourth frame is the child's own,
a frame every 1.3 us: more than a path may carry, so flow control sets the pace.  The same bytes every time.
"""
import struct
import sys

CHILD, SERVER = bytes.fromhex("02005e100001"), bytes.fromhex("02005e100002")
SIZES = (60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 590, 60)
GAP_NS = 1300


def frame(number, size):
    to, source = (SERVER, CHILD) if number % 4 == 3 else (CHILD, SERVER)
    # Local Experimental EtherType 1 (IEEE 802): the payload is its number, then bytes that differ.
    payload = struct.pack("!I", number) + bytes((number * 31 + i * 7) & 0xFF for i in range(size - 18))
    return to + source + b"\x88\xb5" + payload


def main():
    count, path = int(sys.argv[1]), sys.argv[2]
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for number in range(count):
            data, at = frame(number, SIZES[number % len(SIZES)]), number * GAP_NS
            out.write(struct.pack("<IIII", 1300000000 + at // 10**9, at % 10**9, len(data), len(data)) + data)


if __name__ == "__main__":
    main()
