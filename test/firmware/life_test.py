#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a run of the firmware ends and what the next one says of it: watchdog, panic, fault.

PROPLET_BOARD and PROPLET_FIRMWARE as in firmware_test.py. Needs images with CONFIG_PROPLET_FAULTS.
"""
import board  # noqa: F401 (sets the path)
import lab
import side_firmware
from lab import expect
from side import NODE, P, add_wasm, spin_wasm
from side_firmware import BOARD, Side

BANNER = "*** Booting Zephyr"
WATCHDOG_MS = 8000  # of large.conf


def only_where_a_reset_keeps_ram():
    if BOARD != "mps2_an385":
        raise lab.Unsupported("a reset ends this board's emulator")


def comes_back(l, word, *texts):
    """Breaks the board; it resets, is announced again, says why, and works."""
    s = Side(l)
    s.works()
    s.start(spin_wasm(), function="spin")
    s.works()
    since = s.ear.mark()
    s.board.ask(f"proplet fault {word}", "asked")
    s.board.wait_log(BANNER, 60, count=2)
    s.ear.wait(f"{P}/control/proplet/create", lambda m: m.json()["proplet_id"] == NODE,
               since=since, seconds=60)
    event = s.ear.wait(f"{P}/control/proplet/event", lambda m: m.json()["kind"] == "restart",
                       since=since, seconds=20).json()
    shown = s.board.ask("proplet status", "last end")
    for text in texts:
        expect(text in event["text"] and text in shown, f"{text!r} is not in {event} or {shown}")
    s.works()
    s.expect_ok(add_wasm(), "7", function="add", inputs=["3", "4"])
    expect(s.board.log().count(BANNER) == 2, "it restarted more than once")
    l.note(event["text"])
    return s


def test_watchdog_resets_a_hanging_loop(l):
    only_where_a_reset_keeps_ram()
    s = comes_back(l, "hang", "watchdog in main at 0x", "the main loop at ")
    s.board.kill()  # power off: nothing of it may be said of the run after
    s.board.start()
    since = s.ear.mark()
    s.wait_online(since=since, seconds=30)
    expect("last end well" in s.board.ask("proplet status", "last end"), "told twice")


def test_watchdog_lets_a_busy_loop_run(l):
    """A task in an endless loop for longer than the watchdog waits is progress."""
    s = Side(l)
    got = s.run(spin_wasm(), function="spin", limits={"time_ms": WATCHDOG_MS * 3 // 2}, seconds=90)
    expect(got["reason"] == "time", f"{got}")
    s.works()
    expect(s.board.log().count(BANNER) == 1, "the board restarted")


def test_panic_is_reported(l):
    only_where_a_reset_keeps_ram()
    comes_back(l, "panic", "panic in main at 0x")


def test_fault_is_reported(l):
    only_where_a_reset_keeps_ram()
    comes_back(l, "fault", "fault in main at 0xe0000000")


def test_metrics(l):
    """CPU, heap and network of a device; the counters only grow."""
    s = Side(l)
    s.works()
    topic = f"{P}/control/proplet/metrics"
    first = s.ear.wait(topic, lambda m: m.json()["network_metrics"]["rx_packets"] > 3,
                       seconds=30).json()
    memory, net = first["memory_metrics"], first["network_metrics"]
    expect(memory["heap_free_bytes"] > 1000000 and memory["heap_inuse_bytes"] >= 0, f"{memory}")
    expect(memory["system_heap_free_bytes"] > 1000, f"{memory}")
    expect(net["rx_bytes"] > 500 and net["tx_bytes"] > 500 and net["tx_packets"] > 3, f"{net}")
    task = s.start(spin_wasm(), function="spin", epoch=1)
    busy = s.ear.wait(topic, lambda m: m.json()["cpu_metrics"]["percent"] > 60, seconds=60).json()
    expect(busy["memory_metrics"]["heap_inuse_bytes"] > memory["heap_inuse_bytes"], f"{busy}")
    expect(busy["network_metrics"]["rx_bytes"] > net["rx_bytes"], f"{busy}")
    s.stop(task, epoch=1)
    s.ear.wait(topic, lambda m: m.json()["cpu_metrics"]["percent"] < 30, since=s.ear.mark(),
               seconds=60)
    l.note(f"CPU {busy['cpu_metrics']['percent']:.0f} % with an endless task")


if __name__ == "__main__":
    import sys
    if BOARD == "native_sim" and "--list" not in sys.argv:
        side_firmware.network_of_our_own()
        side_firmware._network.append(True)
    lab.main(globals())
