# SPDX-License-Identifier: Apache-2.0
"""The manager's scripted side with the firmware as the worker, so that the tests of the Linux worker
run against it as they are: same calls, another machine."""
import os
import socket
import threading

from board import Board, image, network_of_our_own
from lab import Unsupported
import side
from side import CHANNEL, TENANT

BOARD = os.environ.get("PROPLET_BOARD", "mps2_an385")

# Flags of the Linux worker that are settings here, and those that mean nothing on a device.
SETTINGS = {"--tags": "tags", "--labels": "labels", "--location": "location",
            "--mqtt-keep-alive": "keep_alive_s"}
IGNORED = {"--slots", "--threads", "--slice-fuel", "--pool", "--rx-buffer", "--task-time",
           "--mqtt-max-packet-size", "--metrics-interval", "--mqtt-timeout", "--capabilities",
           "--gpio-dir", "--sensors"}

_network = []


class Gateway:
    """10.0.2.2:port -> 127.0.0.1:port, for native_sim; QEMU's user network does it by itself."""

    def __init__(self, port):
        self.listener = socket.create_server(("10.0.2.2", port))
        self.port, self.socks = port, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                far.settimeout(None)
            except ConnectionError:
                near.close()
                continue
            except OSError:
                return
            self.socks += [near, far]
            for a, b in ((near, far), (far, near)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        for s in self.socks:
            s.close()


class Worker:
    """A Board with the words that tests use for the Linux worker's process."""

    def __init__(self, board):
        self.board = board
        self.pid = board.process.pid

    def __getattr__(self, name):
        return getattr(self.board.process, name)

    def stop(self, seconds=15):
        """The worker ends by itself: says goodbye, then restarts; there it is switched off."""
        self.board.ask("proplet reboot", "restarting", seconds)
        self.board.kill()
        return 0

    def kill(self):
        self.board.kill()

    def start(self):
        self.board.start()

    def wait_log(self, text, seconds=15, count=1):
        self.board.wait_log(text, seconds, count)

    def log(self):
        return self.board.log()


class Side(side.Side):
    variant = "large"

    def __init__(self, lab, *flags, **kw):
        image(_image_name(self.variant))
        if BOARD == "native_sim" and not _network:
            network_of_our_own()
            _network.append(True)
        super().__init__(lab, *flags, **kw)

    def launch(self, *flags, name="proplet", heartbeat="500", node=side.NODE, state=None):
        if name != "proplet" or state:
            raise Unsupported("one board at a time")
        port = (self.link or self.broker).port
        if BOARD == "native_sim":
            self.lab.own(Gateway(port))
        settings = [("heartbeat_ms", heartbeat)]
        for flag, value in zip(flags[::2], flags[1::2]):
            if flag in SETTINGS:
                settings.append((SETTINGS[flag], value))
            elif flag not in IGNORED:
                raise Unsupported(f"{flag} is for Linux")
        self.board = Board(self.lab, BOARD, port, node, TENANT, CHANNEL,
                           variant=_image_name(self.variant), settings=settings)
        return Worker(self.board)


def _image_name(variant):
    return f"{BOARD}_{variant}" if variant else BOARD
