# SPDX-License-Identifier: Apache-2.0
"""A DHCP server for one client on one interface: what native_sim's TAP needs. Spec: RFC 2131."""
import socket
import struct

MAGIC = b"\x63\x82\x53\x63"


def _options(packet):
    at, found = 240, {}
    while at < len(packet) and packet[at] != 255:
        if packet[at] == 0:
            at += 1
            continue
        found[packet[at]] = packet[at + 2:at + 2 + packet[at + 1]]
        at += 2 + packet[at + 1]
    return found


def _reply(packet, server, client):
    kind = _options(packet).get(53, b"\0")[0]
    if kind not in (1, 3):  # DISCOVER, REQUEST
        return None
    s, c = socket.inet_aton(server), socket.inet_aton(client)
    head = struct.pack(">BBBB4sHH4s4s4s4s16s", 2, 1, 6, 0, packet[4:8], 0, 0x8000, b"\0" * 4, c, s,
                       b"\0" * 4, packet[28:44])
    options = b"".join(bytes([k, len(v)]) + v for k, v in (
        (53, b"\x02" if kind == 1 else b"\x05"), (54, s), (51, struct.pack(">I", 86400)),
        (1, socket.inet_aton("255.255.255.0")), (3, s), (6, s)))
    return head + b"\0" * 192 + MAGIC + options + b"\xff"


def serve(interface, server, client):
    """Answers until the program ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        s.bind(("", 67))
        while True:
            packet = s.recv(2048)
            if len(packet) > 240 and packet[236:240] == MAGIC:
                reply = _reply(packet, server, client)
                if reply:
                    try:
                        s.sendto(reply, ("255.255.255.255", 68))
                    except OSError:
                        pass  # the interface is down: the client asks again
