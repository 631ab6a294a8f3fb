# SPDX-License-Identifier: Apache-2.0
"""A small MQTT 3.1.1 client for tests: one thread reads, every wait is bounded.

    c = Mqtt(port, "tester")
    c.subscribe("m/+/#")
    c.publish("a/b", b"x", qos=1)            # returns when the handshake is complete
    m = c.wait("a/+", lambda m: m.json()["n"] == 1, seconds=5)

All received messages stay in c.messages in the order of arrival, so nothing is missed between a
publish and a wait. Spec: MQTT 3.1.1 (OASIS), sections in the comments.
"""
import json
import socket
import struct
import threading
import time

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14


class MqttError(Exception):
    pass


class Message:
    """A received message."""

    def __init__(self, topic, payload, qos, retain, dup):
        self.topic, self.payload, self.qos, self.retain, self.dup = topic, payload, qos, retain, dup
        self.time = time.monotonic()

    def json(self):
        """The payload as JSON; None if it is none."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return None

    def __repr__(self):
        shown = self.payload[:300]
        return f"{self.topic} {shown!r}"


def matches(filter_, topic):
    """True if the topic matches the filter (4.7)."""
    f, t = filter_.split("/"), topic.split("/")
    for i, part in enumerate(f):
        if part == "#":
            return True
        if i >= len(t) or part not in ("+", t[i]):
            return False
    return len(f) == len(t)


def _text(s):
    raw = s.encode() if isinstance(s, str) else s
    return struct.pack(">H", len(raw)) + raw


def _packet(kind, flags, body):
    n, length = len(body), b""
    while True:
        n, low = n >> 7, n & 127
        length += bytes([low | (128 if n else 0)])
        if not n:
            return bytes([kind << 4 | flags]) + length + body


class Mqtt:
    def __init__(self, port, client_id, host="127.0.0.1", will=None, clean=True, keepalive=60,
                 username=None, password=None, seconds=10, on_message=None):
        """will is (topic, payload, qos). on_message(client, message) runs on the reading thread and
        may publish with wait=False."""
        self.client_id = client_id
        self.messages = []
        self.on_message = on_message
        self.closed = False
        self.cond = threading.Condition()
        self._send_lock = threading.Lock()
        self._next_id = 0
        self._pending = {}  # packet id -> the packet type it waits for, or None when complete
        self._qos2_in = {}  # packet id -> message, between PUBLISH and PUBREL
        self._connack = None
        self.sock = socket.create_connection((host, port), timeout=seconds)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connect(client_id, will, clean, keepalive, username, password)
        self.sock.settimeout(None)
        self._thread = threading.Thread(target=self._read_loop, daemon=True)
        self._thread.start()
        self._until(lambda: self._connack is not None, seconds, "CONNACK")
        if self._connack[1] != 0:
            raise MqttError(f"connection refused with code {self._connack[1]}")
        self.session_present = bool(self._connack[0] & 1)
        if keepalive:
            threading.Thread(target=self._ping_loop, args=(keepalive / 2,), daemon=True).start()

    def _connect(self, client_id, will, clean, keepalive, username, password):  # 3.1
        flags = 2 if clean else 0
        payload = _text(client_id)
        if will:
            flags |= 4 | will[2] << 3
            payload += _text(will[0]) + _text(will[1])
        if username is not None:
            flags |= 0x80
            payload += _text(username)
        if password is not None:
            flags |= 0x40
            payload += _text(password)
        body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", keepalive) + payload
        self._send(_packet(CONNECT, 0, body))

    # ---- commands

    def subscribe(self, *filters, qos=2, seconds=10):
        pid = self._new_id(SUBACK)
        body = struct.pack(">H", pid) + b"".join(_text(f) + bytes([qos]) for f in filters)
        self._send(_packet(SUBSCRIBE, 2, body))
        self._complete(pid, seconds, "SUBACK")

    def unsubscribe(self, *filters, seconds=10):
        pid = self._new_id(UNSUBACK)
        self._send(_packet(UNSUBSCRIBE, 2, struct.pack(">H", pid) + b"".join(map(_text, filters))))
        self._complete(pid, seconds, "UNSUBACK")

    def publish(self, topic, payload, qos=1, retain=False, wait=True, seconds=10):
        """payload: bytes, str, or anything else as JSON. With wait, returns when acknowledged."""
        if not isinstance(payload, (bytes, str)):
            payload = json.dumps(payload)
        raw = payload.encode() if isinstance(payload, str) else payload
        body = _text(topic)
        pid = None
        if qos:
            pid = self._new_id(PUBACK if qos == 1 else PUBREC)
            body += struct.pack(">H", pid)
        self._send(_packet(PUBLISH, qos << 1 | int(retain), body + raw))
        if pid and wait:
            self._complete(pid, seconds, "acknowledgement")

    def wait(self, filter_, predicate=None, seconds=10, since=0, what=None):
        """The first message from index `since` on that matches; MqttError when the time is up."""
        found = []

        def look():
            for m in self.messages[since:]:
                if matches(filter_, m.topic) and (predicate is None or predicate(m)):
                    found.append(m)
                    return True
            return False

        self._until(look, seconds, what or f"a message on {filter_}")
        return found[0]

    def all(self, filter_, predicate=None, since=0):
        """Every message so far that matches."""
        with self.cond:
            return [m for m in self.messages[since:]
                    if matches(filter_, m.topic) and (predicate is None or predicate(m))]

    def wait_count(self, filter_, count, predicate=None, seconds=10, since=0):
        self._until(lambda: sum(1 for m in self.messages[since:] if matches(filter_, m.topic) and
                                (predicate is None or predicate(m))) >= count,
                    seconds, f"{count} messages on {filter_}")
        return self.all(filter_, predicate, since)

    def mark(self):
        """The index of the next message; for `since`."""
        with self.cond:
            return len(self.messages)

    def close(self):
        """Says goodbye: the will is not sent."""
        if not self.closed:
            try:
                self._send(_packet(DISCONNECT, 0, b""))
            except (OSError, MqttError):
                pass
        self.drop()

    def drop(self):
        """Cuts the connection without a word."""
        self.closed = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        with self.cond:
            self.cond.notify_all()

    # ---- inside

    def _until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        with self.cond:
            while not condition():
                left = end - time.monotonic()
                if self.closed and self._connack is None:
                    raise MqttError(f"{self.client_id}: connection closed before {what}")
                if left <= 0:
                    raise MqttError(f"{self.client_id}: no {what} within {seconds} s")
                if self.closed:
                    raise MqttError(f"{self.client_id}: connection lost, waiting for {what}")
                self.cond.wait(min(left, 1))

    def _new_id(self, awaited):
        with self.cond:
            for _ in range(65535):
                self._next_id = self._next_id % 65535 + 1
                if self._next_id not in self._pending:
                    self._pending[self._next_id] = awaited
                    return self._next_id
        raise MqttError("no free packet id")

    def _complete(self, pid, seconds, what):
        self._until(lambda: pid not in self._pending, seconds, f"{what} of packet {pid}")

    def _send(self, raw):
        with self._send_lock:
            if self.closed:
                raise MqttError(f"{self.client_id}: not connected")
            self.sock.sendall(raw)

    def _ping_loop(self, seconds):
        while not self.closed:
            with self.cond:
                self.cond.wait_for(lambda: self.closed, seconds)
            try:
                self._send(_packet(PINGREQ, 0, b""))
            except (OSError, MqttError):
                return

    def _read_exact(self, n):
        parts = []
        while n:
            part = self.sock.recv(min(n, 1 << 20))
            if not part:
                raise OSError("closed by the broker")
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def _read_packet(self):
        first = self._read_exact(1)[0]
        length = shift = 0
        while True:
            byte = self._read_exact(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return first, self._read_exact(length)

    def _read_loop(self):
        try:
            while True:
                self._packet_in(*self._read_packet())
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except (OSError, MqttError):
            pass
        self.closed = True
        with self.cond:
            self.cond.notify_all()

    def _packet_in(self, first, body):
        kind = first >> 4
        if kind == PUBLISH:
            self._publish_in(first, body)
        elif kind == CONNACK:
            with self.cond:
                self._connack = body
                self.cond.notify_all()
        elif kind == PUBREL:  # 4.3.3, method B is not needed: deliver here, once
            pid = struct.unpack(">H", body[:2])[0]
            self._send(_packet(PUBCOMP, 0, body[:2]))
            message = self._qos2_in.pop(pid, None)
            if message:
                self._deliver(message)
        elif kind != PINGRESP:
            self._ack_in(kind, struct.unpack(">H", body[:2])[0])

    def _publish_in(self, first, body):
        qos = first >> 1 & 3
        n = struct.unpack(">H", body[:2])[0]
        topic, at = body[2:2 + n].decode(), 2 + n
        pid = None
        if qos:
            pid = struct.unpack(">H", body[at:at + 2])[0]
            at += 2
        message = Message(topic, body[at:], qos, bool(first & 1), bool(first & 8))
        if qos == 2:
            self._qos2_in.setdefault(pid, message)
            self._send(_packet(PUBREC, 0, struct.pack(">H", pid)))
            return
        if qos == 1:
            self._send(_packet(PUBACK, 0, struct.pack(">H", pid)))
        self._deliver(message)

    def _deliver(self, message):
        with self.cond:
            self.messages.append(message)
            self.cond.notify_all()
        if self.on_message:
            self.on_message(self, message)

    def _ack_in(self, kind, pid):
        if kind == PUBREC:
            with self.cond:
                if pid in self._pending:
                    self._pending[pid] = PUBCOMP
            self._send(_packet(PUBREL, 2, struct.pack(">H", pid)))
            return
        with self.cond:
            if self._pending.get(pid) == kind:
                del self._pending[pid]
            self.cond.notify_all()
