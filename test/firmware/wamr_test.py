#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The firmware with WAMR as its engine, the image mps2_an385_wamr, on the tests of the Linux worker
that this engine can pass."""
import board
import lab
import side
import side_firmware
from lab import expect, expect_eq
from side import NODE, P, add_wasm, padded, spin_wasm, trap_wasm

side_firmware.BOARD = "mps2_an385"


class Side(side_firmware.Side):
    variant = "wamr"


side.Side = Side  # before the next is loaded
import worker_test  # noqa: E402

SHARED = """values_of_every_type other_nodes_tasks_are_ignored duplicate_start
two_tasks_one_module chunks_out_of_order_and_twice wrong_digest latent_and_invoke
result_repeated_until_acknowledged lease_end host_publish_and_log host_bad_pointers
kv_outlives_the_worker""".split()

for _name in SHARED:
    globals()[f"test_{_name}"] = getattr(worker_test, f"test_{_name}")


def test_announced_and_works(l):
    s = Side(l)
    meta = s.ear.wait(f"{P}/control/proplet/create").json()["metadata"]
    expect_eq((meta["engine"], meta["os"]), ("wamr", "zephyr"))
    expect("save" not in meta["features"], f"{meta['features']}")
    s.works()
    folder = board.ROOT / "build" / "examples"
    for name, inputs, want in (("fib", ["20"], "6765"), ("add", ["2", "-3"], "-1")):
        if (folder / f"{name}.wasm").exists():
            s.expect_ok((folder / f"{name}.wasm").read_bytes(), want, function=name, inputs=inputs)


def test_chunks(l):
    s = Side(l)
    s.serve()
    got = s.run(None, 60, function="add", inputs=["1", "2"], module=s.offer(padded(add_wasm(), 20000)))
    expect_eq(got.get("results"), "3", f"{got}")


def test_ways_to_end(l):
    s = Side(l)
    got = s.run(trap_wasm(), function="boom")
    expect_eq(got["reason"], "trap", f"{got}")
    l.note(got["error"])
    expect_eq(s.run(spin_wasm(), function="spin", limits={"time_ms": 300})["reason"], "time")
    got = s.run(spin_wasm(), function="spin", limits={"fuel": 1000})
    expect("fuel" in got["error"] and got["reason"] == "refused", f"{got}")
    s.expect_error("module", "", b"\0asm\1\0\0\0junk", function="x")
    s.works()


def test_more_than_there_are_threads(l):
    """Four programs are under way, as many as there are threads; one more says why it is not."""
    s = Side(l)
    tasks = [s.start(spin_wasm(), function="spin", epoch=1, limits={"stack_bytes": 4096})
             for _ in range(4)]
    lab.wait_until(lambda: s.ear.all(f"{P}/control/proplet/alive")[-1].json()["running"] == 4, 30,
                   "four run")
    got = s.run(add_wasm(), function="add", inputs=["1", "2"], limits={"stack_bytes": 4096})
    expect("no thread" in got["error"], f"{got}")
    for task in tasks:
        s.stop(task, epoch=1)
        expect_eq(s.result(task)["reason"], "stopped")
        s.ack(task, 1)
    s.works()
    expect_eq(s.node, NODE)


if __name__ == "__main__":
    lab.main(globals())
