# SPDX-License-Identifier: Apache-2.0
"""Boards for the firmware's end-to-end tests: QEMU's mps2_an385 and native_sim.

    b = Board(lab, "mps2_an385", broker_port)   # starts it, provisions it over the shell
    b.kill(); b.start()                         # a power cut: flash is a file and stays
    b.link(False); b.link(True)                 # the cable

Both see the host as 10.0.2.2 and get their address by DHCP: from QEMU's user network, or from
dhcp.py on the TAP interface zeth in a network namespace of the test's own (`unshare --net`).
"""
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "test" / "e2e"))
sys.path.insert(0, str(HERE))
from lab import Failed, Skip, expect, wait_until  # noqa: E402
import dhcp  # noqa: E402

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
LINE_BYTES = 160  # of a long setting; a line of the shell holds 256
FLASH_BYTES = {"mps2_an385": 16 << 20, "native_sim": 2 << 20}


def image(board):
    """The board's image, or Skip."""
    folder = pathlib.Path(os.environ.get("PROPLET_FIRMWARE", ROOT / "build" / "firmware"))
    path = folder / board / "zephyr" / ("zephyr.exe" if "native" in board else "zephyr.elf")
    if not path.exists():
        raise Skip(f"{path} is not built")
    return path


def network_of_our_own():
    """Brings up what native_sim needs; the program must run under `unshare --net` as root."""
    for command in ("ip link set lo up", "ip tuntap add zeth mode tap",
                    "ip addr add 10.0.2.2/24 dev zeth", "ip link set zeth up"):
        p = subprocess.run(command.split(), capture_output=True, timeout=10)
        if p.returncode:
            raise Skip(f"{command}: {p.stderr.decode().strip()}")
    threading.Thread(target=dhcp.serve, args=("zeth", "10.0.2.2", "10.0.2.15"), daemon=True).start()


class Reaction:
    """How fast a board answers, without the host's share: how long what a message passes was ready to
    run and had no processor. That is the longest wait of the threads of each process, and the waits
    of this program's threads that read and pass on; its main thread only looks on."""

    def __init__(self, *processes):
        self.processes, self.waits, self.all, self.own = processes, [], [], []

    def _waits(self):
        """{thread's file: ns} of this program and of each process."""
        found = []
        for pid in (os.getpid(), *(p.pid for p in self.processes)):
            threads = {}
            for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    threads[path] = int(path.read_text().split()[1])
                except OSError:
                    pass  # that thread has ended
            found.append(threads)
        found[0].pop(pathlib.Path(f"/proc/{os.getpid()}/task/{os.getpid()}/schedstat"), None)
        return found

    def begin(self):
        self.waits = self._waits()

    def end(self, seconds):
        """It took that long since begin()."""
        bench, *others = ([ns - before.get(path, ns) for path, ns in now.items()]
                          for before, now in zip(self.waits, self._waits()))
        host = (sum(bench) + sum(max(o, default=0) for o in others)) / 1e9
        self.all.append(seconds)
        self.own.append(max(0.0, seconds - host))

    def expect_below(self, lab, ms):
        """Every single one."""
        median, most, own = (1000 * t for t in (sorted(self.all)[len(self.all) // 2],
                                                max(self.all), max(self.own)))
        lab.note(f"{len(self.all)} stops, each told by its result after: median {median:.0f} ms, most "
                 f"{most:.0f} ms, {own:.0f} ms without what the host kept it waiting")
        expect(median < ms and own < ms, f"took {[round(1000 * t) for t in self.all]} ms, of which "
                                         f"its own {[round(1000 * t) for t in self.own]} ms")


class Board:
    def __init__(self, lab, board, broker_port, node, tenant, channel, variant=None, settings=()):
        self.lab, self.board, self.node = lab, board, node
        self.elf = image(variant or board)
        self.flash = lab.folder / "flash.bin"
        self.monitor = lab.folder / "monitor"
        self.process = None
        self.process = lab.process(board, self._argv(), stdin=subprocess.PIPE)
        self.wait_log("not provisioned", 15)
        for word, text in (("id", node), ("port", broker_port), ("channel", channel),
                           ("tenant", tenant), *settings, ("broker", "10.0.2.2")):
            self.set(word, text)

    def _argv(self):
        if self.board == "native_sim":
            # Its random numbers are the same after each start with the same seed, so its ports would be
            # those of connections that the host still holds open from before a power cut.
            return [self.elf, f"--flash={self.flash}", "--stop_at=100000",
                    f"--seed={random.randrange(1 << 31)}"]
        if not self.flash.exists():
            self.flash.write_bytes(b"\xff" * FLASH_BYTES[self.board])
        # icount: without it QEMU's SysTick reads 0 for 10 us after it was set, Zephyr takes that for a
        # whole period, and the board's clock runs ahead by seconds.
        return ["qemu-system-arm", "-icount", "shift=auto", "-machine", "mps2-an385,memory-backend=ram", "-object",
                f"memory-backend-file,id=ram,size=16M,mem-path={self.flash},share=on", "-display",
                "none", "-serial", "stdio", "-monitor", f"unix:{self.monitor},server=on,wait=off",
                "-nic", "user,model=lan9118,id=net0", "-kernel", self.elf]

    # ---- power, cable

    def kill(self):
        self.process.kill()

    def start(self):
        self.process.argv = [str(a) for a in self._argv()]
        self.process.start()

    def link(self, up):
        if self.board == "native_sim":
            subprocess.run(["ip", "link", "set", "zeth", "up" if up else "down"], check=True,
                           timeout=10)
            return
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.monitor))
            s.sendall(f"set_link net0 {'on' if up else 'off'}\n".encode())
            s.settimeout(0.5)
            try:
                while s.recv(4096):
                    pass
            except TimeoutError:
                pass

    # ---- console

    def log(self):
        return ESCAPES.sub("", self.process.log())

    def wait_log(self, text, seconds=10, count=1):
        def look():
            if not self.process.running():
                raise Failed(f"{self.board} ended before it said {text!r}")
            return self.log().count(text) >= count
        wait_until(look, seconds, f"{self.board} says {text!r}", every=0.05)

    def say(self, line):
        self.process.child.stdin.write(line.encode() + b"\n")
        self.process.child.stdin.flush()

    def ask(self, line, until, seconds=10):
        """Types line at the shell; what it printed until that text, with it."""
        at = len(self.log())
        self.say(line)
        wait_until(lambda: until in self.log()[at:].replace(line, "", 1), seconds,
                   f"{self.board} answers {line!r} with {until!r}", every=0.05)
        return self.log()[at:]

    def set(self, word, text):
        """Keeps a setting; one that is longer than a line in pieces."""
        text = str(text)
        self.ask(f"proplet set {word} {text[:LINE_BYTES]}", "kept;")
        for at in range(LINE_BYTES, len(text), LINE_BYTES):
            self.ask(f"proplet append {word} {text[at:at + LINE_BYTES]}", "kept;")


def programs_there(*names):
    for name in names:
        if not shutil.which(name):
            raise Skip(f"{name} is not installed")


__all__ = ["Board", "Reaction", "image", "network_of_our_own", "programs_there", "Failed", "Skip", "expect",
           "wait_until"]
