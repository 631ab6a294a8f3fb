#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS from provisioning to a task's result: the image mps2_an385_tls, a broker whose certificate an
authority of the test's own signed, the real manager and propctl."""
import base64
import json
import sys

import board
import lab
from lab import expect, expect_eq, wait_until
from side import add_wasm, padded

NODE = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"
MODULES = board.ROOT / "build" / "examples"
NAMES = "subjectAltName=DNS:10.0.2.2,IP:10.0.2.2\n"  # Mbed TLS before 3.5 looks at names only
KINDS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}


class Authority:
    """Signs certificates with keys of its kind."""

    def __init__(self, l, name, kind="ec"):
        if not lab.shutil.which("openssl"):
            raise lab.Skip("openssl is not installed")
        self.l, self.name, self.kind = l, name, kind
        self.openssl("req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "2", "-subj",
                     f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def openssl(self, *args):
        status, _, err = self.l.run(["openssl", *args])
        expect_eq(status, 0, err)

    def sign(self, who):
        """who.key and who.pem in the test's folder."""
        (self.l.folder / "names").write_text(NAMES)
        self.openssl("req", "-newkey", *KINDS[self.kind], "-nodes", "-subj", f"/CN={who}", "-keyout",
                     f"{who}.key", "-out", f"{who}.csr")
        self.openssl("x509", "-req", "-in", f"{who}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                     f"{self.name}.key", "-CAcreateserial", "-days", "2", "-extfile", "names",
                     "-out", f"{who}.pem")

    def setting(self, file):
        """What "proplet set" takes: base64 of DER."""
        what = ["pkey"] if file.endswith(".key") else ["x509"]
        self.openssl(*what, "-in", file, "-outform", "DER", "-out", "der")
        return base64.b64encode((self.l.folder / "der").read_bytes()).decode()


class Fleet:
    """Broker with a TLS listener beside its plain one, manager, a board that knows only TLS."""

    def __init__(self, l, kind, mutual=True, through=None):
        board.programs_there("qemu-system-arm")
        board.image("mps2_an385_tls")
        if not (MODULES / "add.wasm").exists():
            raise lab.Skip(f"no modules in {MODULES}; build them with examples/build")
        self.l, self.ca = l, Authority(l, "authority", kind)
        self.ca.sign("broker")
        self.ca.sign("board")
        self.tls_port = lab.free_port()
        self.broker = l.broker(extra=(
            f"listener {self.tls_port} 127.0.0.1\ncafile {l.folder}/authority.pem\n"
            f"certfile {l.folder}/broker.pem\nkeyfile {l.folder}/broker.key\n"
            f"require_certificate {'true' if mutual else 'false'}\n"))
        self.link = through(self.tls_port) if through else None
        port = lab.free_port()
        self.url = f"http://127.0.0.1:{port}"
        l.process("manager", [l.bin("proplet-manager"), "--mqtt", self.broker.url, "--tenant", "lab",
                              "--channel", "bench", "--http-port", port, "--inline-bytes", 1 << 20,
                              "--store", f"sqlite://{l.folder}/manager.db"])
        wait_until(lambda: lab.can_connect(port), 20, "the manager listens")
        settings = [("heartbeat_ms", 500), ("tls.ca", self.ca.setting("authority.pem"))]
        if mutual:
            settings += [("tls.cert", self.ca.setting("board.pem")),
                         ("tls.key", self.ca.setting("board.key"))]
        self.board = board.Board(l, "mps2_an385", self.link.port if through else self.tls_port, NODE,
                                 "lab", "bench", variant="mps2_an385_tls", settings=settings)

    def alive(self):
        return self("node", "list", "--alive", "-q").split()

    def wait_alive(self):
        self.board.wait_log("online as", 60)
        wait_until(self.alive, 60, "the board is alive", every=0.2)

    def __call__(self, *args, seconds=90):
        status, out, err = self.l.run([self.l.bin("propctl"), *args], seconds=seconds,
                                      env={"PROPCTL_URL": self.url}, cwd=MODULES)
        expect(status == 0, f"propctl {' '.join(args)}: status {status}, {err[-400:]}")
        return out


def works(f):
    expect_eq(f("run", "add.wasm", "2", "-3"), "-1\n")
    inline = f.l.folder / "inline.wasm"  # longer than a TLS record
    inline.write_bytes(padded(add_wasm(), 100000))
    expect_eq(f("run", str(inline), "20", "3"), "23\n")
    expect_eq(f("run", "sha256.wasm", "abc")[:8], "ba7816bf")
    bulky = len((MODULES / "bulky.wasm").read_bytes())
    expect_eq(f("run", "bulky.wasm", "21", seconds=240), "42\n")
    f.l.note(f"a module of {bulky} bytes over TLS")
    wait_until(lambda: any(m.get("network_metrics", {}).get("rx_bytes", 0) > bulky
                           for m in json.loads(f("node", "metrics", NODE[:8], "-j"))), 90,
               "the node's metrics tell what came in", every=0.5)
    shown = f("node", "metrics", NODE[:8]).splitlines()
    expect("RECEIVED" in shown[0] and " MB " in shown[1], shown[1])


def test_certificates_of_both_sides(l):
    f = Fleet(l, "ec")
    f.wait_alive()
    works(f)
    shown = f.board.ask("proplet set", "base64 of DER", 10)
    expect(f.ca.setting("board.key")[:40] not in shown, "the private key is shown")
    f.board.kill()  # certificates are in flash
    f.board.start()
    wait_until(lambda: f.board.log().count("online as") == 2, 60, "the board is online again")
    f.wait_alive()
    expect_eq(f("run", "fib.wasm", "20"), "6765\n")


def test_rsa(l):
    f = Fleet(l, "rsa", mutual=False)
    f.wait_alive()
    expect_eq(f("run", "add.wasm", "2", "3"), "5\n")


def test_broker_of_another_authority(l):
    """Refused, with a reason; and taken again when the right one is back."""
    f = Fleet(l, "ec")
    f.wait_alive()
    right = {n: (l.folder / n).read_bytes() for n in ("broker.pem", "broker.key")}
    f.broker.stop()
    Authority(l, "stranger").sign("broker")
    f.broker.start()
    at = len(f.board.log())
    wait_until(lambda: f.board.log()[at:].count("disconnected: the broker's certificate") >= 2, 90,
               "the board refuses the broker")
    expect("online as" not in f.board.log()[at:], "it connected")
    f.broker.stop()
    for name, data in right.items():
        (l.folder / name).write_bytes(data)
    f.broker.start()
    wait_until(lambda: "online as" in f.board.log()[at:], 90, "the board is online again")
    expect_eq(f("run", "--queue", "add.wasm", "2", "3"), "5\n")


def test_broker_of_another_name(l):
    """Signed by the right authority, for another machine."""
    f = Fleet(l, "ec")
    f.wait_alive()
    f.broker.stop()
    global NAMES
    before, NAMES = NAMES, "subjectAltName=DNS:elsewhere.test\n"
    f.ca.sign("broker")
    NAMES = before
    at = len(f.board.log())
    f.broker.start()
    wait_until(lambda: "disconnected: the broker's certificate" in f.board.log()[at:], 60,
               "the board refuses the broker")
    expect("online as" not in f.board.log()[at:], "it connected")


def test_broker_that_says_nothing(l):
    """It takes connections and is silent in the middle of the handshake: the board tries again."""
    f = Fleet(l, "ec", mutual=False, through=l.link)
    f.wait_alive()
    f.link.stall()
    f.link.reset()
    at = len(f.board.log())
    wait_until(lambda: f.board.log()[at:].count("disconnected: the broker's certificate") >= 1, 120,
               "the board gives up")
    f.link.mend()
    wait_until(lambda: "online as" in f.board.log()[at:], 90, "the board is online again")


if __name__ == "__main__":
    lab.main(globals())
