# SPDX-License-Identifier: Apache-2.0
"""A name server for tests: A records from a table. Spec: RFC 1035."""
import socket
import struct
import threading


class Names:
    """Serves the table {name: address} on that address; asked lists the names that were asked for."""

    def __init__(self, address, table, port=53):
        self.table, self.asked = table, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(512)
            except OSError:
                return
            if len(query) > 16:
                self.socket.sendto(self._answer(query), peer)

    def _answer(self, query):
        at, labels = 12, []
        while at < len(query) and query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
            at += 1 + query[at]
        name, kind = ".".join(labels), query[at + 1:at + 3]
        self.asked.append(name)
        address = self.table.get(name) if kind == b"\0\1" else None
        head = query[:2] + struct.pack(">HHHHH", 0x8180 if name in self.table else 0x8183, 1,
                                       1 if address else 0, 0, 0)
        record = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 60, 4)
        return head + query[12:at + 5] + (record + socket.inet_aton(address) if address else b"")

    def close(self):
        self.socket.close()
