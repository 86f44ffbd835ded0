#!/usr/bin/env python3
"""Makes first-light.pcap: a busy network in four milliseconds.

A child (02:00:5e:10:00:01) talks to a server and a client on the wire: ARP, a
TCP download, an upload, small requests, UDP, ping, IPv6 multicast, broadcast,
frames for third parties, an LLDP frame that no bridge forwards, and runts.
The same bytes every time; checksums are right, so that tools have nothing to
complain about.

    python3 make_first_light.py first-light.pcap
"""
import struct
import sys

CHILD, SERVER, CLIENT, OTHER = (bytes.fromhex(h) for h in ("02005e100001", "02005e100002", "02005e100003", "02005e1000fe"))
BROADCAST = b"\xff" * 6
IP = {CHILD: (10, 0, 0, 1), SERVER: (10, 0, 0, 2), CLIENT: (10, 0, 0, 3), OTHER: (10, 0, 0, 254)}
GAP_NS = 1300  # a 1514-byte frame takes 1.23 us at 10 Gb/s


class Capture:
    def __init__(self):
        self.now, self.frames, self.identification = 0, [], 0

    def add(self, gap_ns, frame):
        self.now += gap_ns
        self.frames.append((self.now, frame))

    def write(self, path):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))  # nanoseconds, Ethernet
            for at, frame in self.frames:
                out.write(struct.pack("<IIII", 1300000000 + at // 10**9, at % 10**9, len(frame), len(frame)) + frame)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def text(length, seed):
    """Bytes that look like data: repeatable, neither constant nor random."""
    return bytes((seed * 31 + i * 7 + i // 64) & 0xFF for i in range(length))


def ipv4(capture, src, dst, protocol, payload):
    capture.identification += 1
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), capture.identification, 0x4000, 64, protocol, 0,
                         bytes(IP[src]), bytes(IP[dst]))
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return dst + src + b"\x08\x00" + header + payload


def pseudo(src, dst, protocol, length):
    return bytes(IP[src]) + bytes(IP[dst]) + struct.pack("!BBH", 0, protocol, length)


def tcp(capture, src, dst, ports, seq, ack, flags, data=b""):
    segment = struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 65535, 0, 0) + data
    value = checksum(pseudo(src, dst, 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", value) + segment[18:]
    return ipv4(capture, src, dst, 6, segment)


def udp(capture, src, dst, ports, data):
    datagram = struct.pack("!HHHH", *ports, 8 + len(data), 0) + data
    value = checksum(pseudo(src, dst, 17, len(datagram)) + datagram) or 0xFFFF
    return ipv4(capture, src, dst, 17, datagram[:6] + struct.pack("!H", value) + datagram[8:])


def arp(src, dst, operation, target):
    return dst + src + b"\x08\x06" + struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, src, bytes(IP[src]),
                                                 target if dst != BROADCAST else b"\0" * 6, bytes(IP[target]))


def transfer(capture, sender, receiver, ports, segments):
    """A TCP connection: handshake, data with an acknowledgement every second segment, close."""
    seq, ack, size, back = 1000, 5000, 1460, (ports[1], ports[0])
    capture.add(20000, tcp(capture, receiver, sender, back, ack - 1, 0, 0x02))
    capture.add(9000, tcp(capture, sender, receiver, ports, seq - 1, ack, 0x12))
    capture.add(9000, tcp(capture, receiver, sender, back, ack, seq, 0x10))
    for i in range(segments):
        capture.add(GAP_NS, tcp(capture, sender, receiver, ports, seq, ack, 0x18, text(size, i)))
        seq += size
        if i % 2:
            capture.add(700, tcp(capture, receiver, sender, back, ack, seq, 0x10))
    capture.add(4000, tcp(capture, sender, receiver, ports, seq, ack, 0x11))
    capture.add(4000, tcp(capture, receiver, sender, back, ack, seq + 1, 0x11))


def neighbourhood(capture):
    capture.add(30000, OTHER + SERVER + b"\x08\x00" + ipv4(capture, SERVER, OTHER, 17, text(64, 3))[14:])  # third parties
    capture.add(5000, bytes.fromhex("0180c200000e") + SERVER + b"\x88\xcc" + text(46, 5))                 # LLDP
    capture.add(5000, bytes.fromhex("333300000001") + CLIENT + b"\x86\xdd" + b"\x60" + text(59, 6))      # IPv6 all nodes
    capture.add(5000, bytes.fromhex("01005e7ffffa") + OTHER + b"\x08\x00" + text(120, 7))                # SSDP group
    capture.add(5000, CHILD + CLIENT + b"\x88\xb5" + text(10, 8))                                        # a runt
    capture.add(5000, CLIENT + CHILD + b"\x88\xb5" + text(6, 9))                                         # the child's runt


def main():
    capture = Capture()
    capture.add(0, arp(SERVER, BROADCAST, 1, CHILD))
    capture.add(15000, arp(CHILD, SERVER, 2, SERVER))
    transfer(capture, SERVER, CHILD, (80, 40001), 160)
    neighbourhood(capture)
    for i in range(40):  # questions and answers
        capture.add(12000, udp(capture, CLIENT, CHILD, (5000 + i, 9000), text(30 + i, i)))
        capture.add(25000, udp(capture, CHILD, CLIENT, (9000, 5000 + i), text(90 + 3 * i, i)))
    transfer(capture, CHILD, CLIENT, (40002, 443), 120)
    for i in range(16):  # ping
        echo = struct.pack("!BBHHH", 8, 0, 0, 7, i) + text(56, i)
        capture.add(80000, ipv4(capture, CLIENT, CHILD, 1, echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]))
        reply = b"\0" + echo[1:]
        capture.add(30000, ipv4(capture, CHILD, CLIENT, 1, reply[:2] + struct.pack("!H", checksum(reply)) + reply[4:]))
    neighbourhood(capture)
    transfer(capture, CLIENT, CHILD, (22, 40003), 60)
    capture.write(sys.argv[1])


if __name__ == "__main__":
    main()
