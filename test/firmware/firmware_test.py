#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The firmware in an emulator against a real broker and a scripted manager side.

PROPLET_BOARD: mps2_an385 (QEMU, the default) or native_sim (as root under `unshare --net`).
PROPLET_FIRMWARE: folder of the images, build/firmware by default.
"""
import random
import sys
import time

import board  # noqa: F401 (sets the path)
import lab
import side
import side_firmware
from lab import expect, expect_eq, wait_until
from side import NODE, P, add_wasm, padded, spin_wasm, trap_wasm, wat
from side_firmware import BOARD, Side

side.Side = Side  # before the next two are loaded: their Side is this one
import worker_faults_test  # noqa: E402
import worker_test  # noqa: E402

worker_faults_test.ROUNDS = 6000000 if BOARD == "mps2_an385" else 20000000

# Tests of the Linux worker that mean the same on a device.
SHARED = """announces_itself will_says_gone says_goodbye heartbeat_keeps_its_pace
values_of_every_type start_function_and_initialize errors_name_the_reason
other_nodes_tasks_are_ignored key_order_does_not_matter duplicate_start stop stop_many_endless
many_at_once priority limits_each_reached fuel_is_deterministic module_by_digest
big_module_small_worker two_tasks_one_module chunks_out_of_order_and_twice
lost_chunks_are_asked_again wrong_digest module_that_nobody_has stop_while_fetching
image_through_a_proxy latent_and_invoke result_repeated_until_acknowledged stop_of_an_older_epoch
lease_end lease_renewed host_publish_and_log host_bad_pointers kv_outlives_the_worker
capabilities_off_unless_granted
prints_more_than_waits_for_it sleep_lets_others_run random_mutations""".split()
FAULTS = """broker_killed worker_killed link_cut link_cut_in_a_transfer worker_killed_in_a_transfer
results_wait_for_the_link stalled_link rebooted_while_the_broker_is_away""".split()

for _name in SHARED:
    globals()[f"test_{_name}"] = getattr(worker_test, f"test_{_name}")
for _name in FAULTS:
    globals()[f"test_{_name}"] = getattr(worker_faults_test, f"test_{_name}")


def test_announces_itself(l):
    s = Side(l, "--tags", "edge,lab", "--labels", "room=7", "--location", "roof")
    meta = s.ear.wait(f"{P}/control/proplet/create").json()["metadata"]
    expect_eq((meta["tags"], meta["labels"], meta["location"]), (["edge", "lab"], {"room": "7"},
                                                                 "roof"))
    expect_eq((meta["os"], meta["engine"], meta["ip"], meta["environment"]),
              ("zephyr", "rotor", "10.0.2.15", "embedded"))
    expect_eq((meta["pool_bytes"] // 1000, meta["tasks_max"], meta["rx_buffer_bytes"]),
              (1572, 64, 1024))
    expect(meta["flash_bytes"] > 900000 and "kv" in meta["capabilities"], f"{meta}")
    l.note(f"address {meta['ip']} by DHCP, {meta['free_bytes']} bytes free")


def test_default_image(l):
    """The image as it is, 40 KB pool."""
    class Plain(Side):
        variant = ""
    s = Plain(l)
    s.works()
    s.serve()
    got = s.run(None, 60, function="add", inputs=["1", "2"],
                module=s.offer(padded(add_wasm(), 200000)))
    expect_eq(got.get("results"), "3", f"{got}")
    expect(all(a["chunk_bytes"] <= 1024 for a in s.served), "a chunk larger than the buffer")
    s.expect_ok(padded(add_wasm(), 200000), "5", function="add", inputs=["1", "4"])
    l.note("200 KB in chunks and inline through a buffer of 1 KB")


def test_size_of_the_image(l):
    """256 KB of flash, 96 KB of RAM beside the pool: image without TLS."""
    if BOARD != "mps2_an385":
        raise lab.Unsupported("the goal is for mps2_an385")
    path = board.image(BOARD).with_suffix(".map")
    status, out, err = l.run([board.ROOT / "tools" / "size_by_part", path])
    expect_eq((status, err), (0, ""))
    parts = {c[1].strip(): (int(c[2]), int(c[3])) for c in (line.split("|") for line in
                                                            out.splitlines()[2:])}
    flash, ram = parts["all"][0], parts["all"][1] - parts["tasks' pool"][1]
    l.note(f"{flash} bytes of flash, {ram} of RAM beside the pool")
    expect(flash < 256 * 1024 and ram < 96 * 1024, out)


def test_stopped_within_100_ms(l):
    """Each of 20 endless loops, from the manager's message to the board's result."""
    s = Side(l)
    reaction = board.Reaction(s.board.process, s.broker)
    for _ in range(20):
        task = s.start(spin_wasm(), function="spin", epoch=1)
        s.works()
        reaction.begin()
        at = time.monotonic()
        s.stop(task, epoch=1)
        expect_eq(s.result(task)["reason"], "stopped")
        reaction.end(s.ear.all(f"{P}/control/proplet/results",
                               lambda m, t=task: m.json()["task_id"] == t)[0].time - at)
        s.ack(task, 1)
    reaction.expect_below(l, 100)


def mixed_tasks(s, count, seed):
    """Starts count tasks of every kind; {task: check of its result}."""
    r = random.Random(seed)
    work = wat(worker_faults_test.WORK)
    chunked = s.offer(padded(add_wasm(), 30000))
    kinds = [
        lambda i: (dict(wasm=work, function="work", inputs=[str(i)]),
                   lambda g: g.get("results") == str(i)),
        lambda i: (dict(wasm=add_wasm(), function="add", inputs=[str(i), "1"]),
                   lambda g: g.get("results") == str(i + 1)),
        lambda i: (dict(wasm=None, function="add", inputs=[str(i), "2"], module=chunked),
                   lambda g: g.get("results") == str(i + 2)),
        lambda i: (dict(wasm=trap_wasm(), function="boom"), lambda g: g.get("reason") == "trap"),
        lambda i: (dict(wasm=spin_wasm(), function="spin", limits={"fuel": 500000}),
                   lambda g: g.get("reason") == "fuel"),
        lambda i: (dict(wasm=spin_wasm(), function="spin", limits={"time_ms": 100}),
                   lambda g: g.get("reason") == "time"),
        lambda i: (dict(wasm=add_wasm(), function="add", inputs=["1"]),
                   lambda g: g.get("reason") == "refused"),
        lambda i: (dict(wasm=b"\0asm\1\0\0\0junk", function="x"),
                   lambda g: g.get("reason") == "module"),
    ]
    checks = {}
    for i in range(count):
        keys, check = kinds[r.randrange(len(kinds))](i)
        task = s.start(keys.pop("wasm"), direct=True, epoch=1, **keys)
        checks[task] = check
        if len(checks) % 10 == 0:
            collect(s, checks, list(checks)[-10:])
    return checks


def collect(s, checks, tasks):
    for task in tasks:
        got = s.result(task, 60)
        expect(checks[task](got), f"{got}")
        s.ack(task, 1)


def test_hundred_mixed_tasks(l):
    s = Side(l)
    s.serve()
    checks = mixed_tasks(s, 100, 7)
    for task in checks:
        expect_eq(len(s.results(task)), 1, f"results of {task}")
    s.works()
    l.note("100 tasks of 8 kinds, 100 right answers")


def counter_wasm():
    """Keeps a counter in 4 KB of memory between calls, and waits for its turn in between."""
    return wat("""(module (memory (export "memory") 1 1)
      (global $sp (mut i32) (i32.const 4096)) (global (export "__heap_base") i32 (i32.const 4096))
      (global (export "__data_end") i32 (i32.const 4096))
      (func (export "count") (param i32) (result i32) (local i32)
        (loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (i32.store (i32.and (i32.mul (local.get 1) (i32.const 4)) (i32.const 4092))
            (i32.add (i32.load (i32.and (i32.mul (local.get 1) (i32.const 4)) (i32.const 4092)))
                     (i32.const 1)))
          (br_if $l (i32.lt_u (local.get 1) (local.get 0))))
        (i32.load (i32.const 2048))))""")


def test_twenty_stateful_tasks_in_512_kb(l):
    class Small(Side):
        variant = "small512"
    s = Small(l)
    s.serve()
    module = s.offer(counter_wasm())
    tasks = [s.start(None, function="count", inputs=["4294967295"], epoch=1, module=module,
                     limits={"stack_bytes": 4096}) for _ in range(20)]
    wait_until(lambda: s.ear.all(f"{P}/control/proplet/alive")[-1].json()["running"] == 20, 30,
               "20 tasks run")
    free = s.ear.all(f"{P}/control/proplet/alive")[-1].json()["free_bytes"]
    got = s.run(None, function="count", inputs=["1"], module=module, limits={"stack_bytes": free})
    expect_eq(got["reason"], "refused")
    l.note(f"20 tasks at once, {free} bytes free in the largest block; one more: {got['error']}")
    for task in tasks:
        s.stop(task, epoch=1)
        expect_eq(s.result(task)["reason"], "stopped")
        s.ack(task, 1)
    s.works()


def test_cable_pulled(l):
    """Tasks started before go on; what was asked for meanwhile arrives afterwards."""
    s = Side(l)
    before = [s.start(wat(worker_faults_test.WORK), direct=True, function="work", inputs=[str(i)],
                      epoch=1) for i in range(5)]
    s.board.link(False)
    during = [s.start(add_wasm(), direct=True, function="add", inputs=["1", str(i)], epoch=1)
              for i in range(5)]
    s.ear.wait(f"{P}/control/proplet/gone", seconds=90)
    s.board.link(True)
    s.wait_online(since=s.ear.mark(), seconds=90)
    for i, task in enumerate(before):
        expect_eq(s.result(task, 60)["results"], str(i))
    for i, task in enumerate(during):
        expect_eq(s.result(task, 60)["results"], str(1 + i))
    s.works()


def test_pins(l):
    """The pins of the devicetree, by their places there: a LED, a LED, a button; no other."""
    s = Side(l)
    wasm = wat("""(module (import "proplet" "gpio_read" (func $r (param i32) (result i32)))
      (import "proplet" "gpio_write" (func $w (param i32 i32) (result i32)))
      (func (export "read") (param i32) (result i32) (call $r (local.get 0)))
      (func (export "write") (param i32 i32) (result i32)
        (call $w (local.get 0) (local.get 1))))""")

    def pin(function, *inputs):
        return s.run(wasm, function=function, inputs=[str(i) for i in inputs],
                     capabilities=["gpio"]).get("results")
    for level in (1, 0, 1):
        expect_eq((pin("write", 0, level), pin("read", 0)), ("0", str(level)), f"pin 0 at {level}")
    expect_eq((pin("write", 1, 0), pin("read", 1), pin("read", 0)), ("0", "0", "1"), "pins 1, 0")
    expect_eq(pin("read", 2), "0", "nobody presses the button")
    for other in (-1, 4, 32, 2147483647):
        expect_eq((pin("read", other), pin("write", other, 1)), ("-1", "-1"), f"pin {other}")


def test_bad_input_on_every_topic(l):
    """The Linux worker's bad messages up to 200 KB: a board's network is slower."""
    s = Side(l)
    bad = [m for m in worker_test.bad_messages() if len(m) < 200000]
    topics = [f"{P}/control/manager/{t}" for t in ("start", "stop", "invoke", f"start/{NODE}",
                                                  f"ack/{NODE}", f"lease/{NODE}")]
    for i, payload in enumerate(bad):
        for topic in topics + [f"{P}/registry/server/{NODE}"]:
            s.ear.publish(topic, payload, qos=0)
        if i % 10 == 9:
            s.works()
    s.works()
    l.note(f"{len(bad) * (len(topics) + 1)} bad messages")


def test_shell(l):
    s = Side(l)
    task = s.start(spin_wasm(), function="spin")
    s.works()
    expect(task in s.board.ask("proplet tasks", "kfuel"), "the task is not shown")
    shown = s.board.ask("proplet status", "last end")
    for text in (f"id       {NODE}", "online   yes", "address  10.0.2.15", "tasks    1 now, 2 started"):
        expect(text in shown, f"{text!r} is not in {shown}")
    shown = s.board.ask("proplet pools", "main ")
    for text in ("pool     15", "slots    tasks 1 of 64", "proplet_link"):
        expect(text in shown, f"{text!r} is not in {shown}")
    expect("tasks_max         64" in s.board.ask("proplet limits", "output_bytes_max"), "limits")
    s.board.ask("proplet trace", "run_slice")
    shown = s.board.ask("proplet set key very-secret", "kept;") and s.board.ask("proplet set",
                                                                              "tls.key")
    expect("very-secret" not in shown.replace("set key very-secret", ""), "a secret is shown")
    s.board.ask("proplet set nothing x", "no setting")
    s.board.set("description", "left")
    s.board.ask("proplet append description .right", "kept;")
    expect("left.right" in s.board.ask("proplet set", "tls.key"), "append")
    s.board.ask("proplet set description", "kept;")
    expect("left" not in s.board.ask("proplet set", "tls.key"), "forgotten")
    s.board.ask("proplet erase", "wrong parameter count")
    s.board.ask("proplet erase all", "forgets settings")
    s.board.ask("proplet stop 00000000-0000-0000-0000-000000000000", "asked")
    s.board.ask(f"proplet stop {task}", "asked")
    expect_eq(s.result(task)["reason"], "stopped")
    s.board.say("log enable wrn proplet")
    s.board.ask("proplet status", "last end")
    quiet = len(s.board.log())
    s.works()
    s.board.ask("proplet status", "last end")
    expect("ended: done" not in s.board.log()[quiet:], "told in spite of its level")
    s.board.say("log enable inf proplet")
    s.board.ask("proplet status", "last end")
    s.works()
    wait_until(lambda: "ended: done" in s.board.log()[quiet:], 10, "the log tells again")


def test_examples(l):
    """Every module of examples/, inline and in chunks."""
    s = Side(l)
    s.serve()
    folder = board.ROOT / "build" / "examples"
    if not (folder / "add.wasm").exists():
        raise lab.Skip(f"{folder} is not built")
    runs = {"add": dict(function="add", inputs=["2", "3"], want="5"),
            "fib": dict(function="fib", inputs=["20"], want="6765")}
    for name, run in runs.items():
        want = run.pop("want")
        wasm = (folder / f"{name}.wasm").read_bytes()
        s.expect_ok(wasm, want, **run)
        s.expect_ok(None, want, module=s.offer(wasm), **run)


if __name__ == "__main__":
    if BOARD == "native_sim" and "--list" not in sys.argv:
        side_firmware.network_of_our_own()
        side_firmware._network.append(True)
    lab.main(globals())
