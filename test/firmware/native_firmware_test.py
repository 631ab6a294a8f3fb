#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Native images on the emulated Cortex-M3: compiled and signed by a real manager, run from flash.

Needs the image mps2_an385_aot and a build with rotorc (PROPLET_BIN).
"""
import json
import sys

import board
import lab
from lab import expect, expect_eq, wait_until

sys.path.insert(0, str(board.ROOT / "test" / "e2e"))
import native_test  # noqa: E402

NODE = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"


class Board(board.Board):
    def set(self, word, text):
        """In pieces: an emulator on a busy machine loses letters of a long line."""
        super().set(word, text if word != "trust" else text[:16])
        for at in range(16, len(text) if word == "trust" else 0, 16):
            self.ask(f"proplet append trust {text[at:at + 16]}", "kept;")


class Fleet(native_test.Fleet):
    """Broker, manager, and a board that trusts the manager's key."""

    def __init__(self, l, trust=True):
        board.programs_there("qemu-system-arm", "wat2wasm")
        board.image("mps2_an385_aot")
        super().__init__(l)
        self.board = Board(l, "mps2_an385", self.broker.port, NODE, "default", "default",
                           variant="mps2_an385_aot",
                           settings=(("trust", self.key),) if trust else ())
        self.workers = 1
        wait_until(lambda: self("node", "list", "--alive", "-q").split(), 60, "the board is online")


def test_always_is_native_from_flash(l):
    f = Fleet(l)
    shown = f("node", "show", NODE)
    expect("native code" in shown and "thumbv7m" in shown and f.key[:16] in shown, shown)
    t = f.run("work", 7)
    expect_eq((t["results"], t["engine"]), ("7", "native"), "results and engine")
    again = f.run("work", 8)
    expect_eq((again["results"], again["engine"]), ("8", "native"), "results and engine")
    plain = f.run("work", 9, aot="never")
    expect_eq((plain["results"], plain.get("engine"), plain["fuel"]), ("9", None, t["fuel"]),
              "interpreted")
    expect_eq(f.counters()["compiles_total"], 1, "compilations")
    l.note(f"200,000 rounds of a loop: native {again['duration_ms']} ms, interpreted "
           f"{plain['duration_ms']} ms")
    f.board.kill()  # a power cut: the image is in flash
    f.board.start()
    wait_until(lambda: f("node", "list", "--alive", "-q").split(), 60, "the board is online again")
    expect_eq(f.run("work", 7)["engine"], "native", "engine")
    expect_eq(f.counters()["compiles_total"], 1, "compilations")


def test_traps_and_stops(l):
    f = Fleet(l)
    t = f.run("deep", status=75)
    expect_eq((t["reason"], t["engine"], t["backtrace"][0]["name"]), ("stack", "native", "deep"),
              "how it ended")
    t = f.run("far", status=70)
    expect_eq((t["reason"], t["engine"], [b["name"] for b in t["backtrace"]]),
              ("trap", "native", ["inner", "far"]), "how it ended")
    other = f.start("forever")
    native_test.wait_running(f, other)
    expect_eq(f.run("work", 7)["engine"], "native", "engine")
    f("task", "stop", other)
    f.try_("task", "wait", other)
    t = json.loads(f("task", "show", other, "-j"))
    expect_eq((t["reason"], t["engine"]), ("stopped", "native"), "how it ended")
    t = f.run("forever", options=["--fuel", 1000000], status=75)
    expect_eq((t["reason"], t["engine"]), ("fuel", "native"), "how it ended")
    expect_eq(f.run("work", 7)["engine"], "native", "engine")


def test_a_forged_image_is_refused(l):
    f = Fleet(l)
    f("module", "compile", f.wasm, "--target", "thumbv7m")
    f.manager.stop()
    native_test.forge(f, True)
    f.manager.start()
    wait_until(lambda: f.try_("module", "keys", "-q")[0] == 0, 10, "the manager is up again")
    wait_until(lambda: f("node", "list", "--alive", "-q"), 30, "the board is alive again")
    f.expect_module_instead(f.run("work", 7), "the image's signature is wrong: it was altered")


def test_no_trust_no_native_code(l):
    f = Fleet(l, trust=False)
    f.expect_module_instead(f.run("work", 7), "does not trust this manager's key")


lab.main(globals())
