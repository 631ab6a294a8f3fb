#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The worker against a scripted manager side: every command, every message, every limit."""
import json
import os
import signal
import time

import lab
from side import (CHANNEL, NODE, P, TENANT, Side, add_wasm, b64, digest, expect, expect_eq, padded,
                  spin_wasm, trap_wasm, wait_until, wat)

OTHER = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e99"


# ---- who it is


def test_announces_itself(l):
    s = Side(l, "--tags", "edge,lab", "--labels", "room=7", "--location", "roof", "--pool", "1m",
             "--slots", "5", "--rx-buffer", "2k")
    create = s.ear.wait(f"{P}/control/proplet/create").json()
    expect_eq((create["proplet_id"], create["namespace"]), (NODE, "default"))
    meta = create["metadata"]
    expect_eq(meta["tags"], ["edge", "lab"])
    expect_eq(meta["labels"], {"room": "7"})
    expect_eq((meta["location"], meta["os"], meta["engine"]), ("roof", "linux", "rotor"))
    expect_eq((meta["cpu_arch"], meta["hostname"]), (os.uname().machine, os.uname().nodename))
    expect((1 << 20) - 64 <= meta["pool_bytes"] <= 1 << 20, f"pool_bytes {meta['pool_bytes']}")
    expect_eq((meta["tasks_max"], meta["rx_buffer_bytes"], meta["heartbeat_ms"]),
              (5, 2048, 500))
    expect(meta["direct"] is True and "kv" in meta["capabilities"], "direct, capabilities")
    order = [m.topic.rsplit("/", 1)[1] for m in s.ear.messages]
    expect(order.index("create") < order.index("alive"), "create does not come before alive")
    alive = s.ear.wait_count(f"{P}/control/proplet/alive", 3)
    expect_eq(alive[2].json()["status"], "alive")
    expect(alive[2].json()["free_bytes"] > 0 and alive[2].json()["running"] == 0, "alive's keys")


def test_heartbeat_keeps_its_pace(l):
    """By the worker's own clock: what the broker and this program add is not its pace."""
    s = Side(l, heartbeat="200")
    beats = [m.json()["uptime_ms"] for m in s.ear.wait_count(f"{P}/control/proplet/alive", 16)]
    gaps = [b - a for a, b in zip(beats, beats[1:])]
    expect(max(gaps) < 600, f"longest gap {max(gaps)} ms")
    l.note(f"gaps {min(gaps)} to {max(gaps)} ms")


def test_says_goodbye(l):
    s = Side(l)
    expect_eq(s.worker.stop(), 0, "exit status")
    gone = s.ear.wait(f"{P}/control/proplet/gone").json()
    expect_eq((gone["proplet_id"], gone["status"]), (NODE, "offline"))


def test_will_says_gone(l):
    """A process that is killed has its connection closed by the system; a machine without power is
    silent, and the broker waits for one and a half keep-alives."""
    s = Side(l, "--mqtt-keep-alive", "5")
    s.worker.kill()
    gone = s.ear.wait(f"{P}/control/proplet/gone", seconds=20).json()
    expect_eq((gone["proplet_id"], gone["status"]), (NODE, "offline"))
    expect(not s.ear.all(f"{P}/control/proplet/alive", lambda m: m.json()["status"] == "offline"),
           "offline on alive, where Propeller's manager takes it for a heartbeat")


def test_reports_of_the_node(l):
    s = Side(l, "--metrics-interval", "500ms")
    m = s.ear.wait_count(f"{P}/control/proplet/metrics", 2)[1].json()
    expect_eq(m["proplet_id"], NODE)
    expect(m["cpu_metrics"]["user_seconds"] >= 0 and m["memory_metrics"]["rss_bytes"] > 100000,
           f"metrics {m}")


def test_keeps_its_own_id(l):
    broker = l.broker()
    ear = l.client(broker, "ear")
    ear.subscribe("#")

    def once(name):
        mark = ear.mark()
        w = l.process(name, [l.bin("proplet"), "--mqtt-address", broker.url, "--state-dir",
                             l.folder / "state"])
        node = ear.wait("m/default/c/default/control/proplet/create", since=mark).json()
        w.stop()
        return node["proplet_id"]

    first, second = once("first"), once("second")
    expect_eq(first, second, "id after a restart")
    expect_eq([len(part) for part in first.split("-")], [8, 4, 4, 4, 12], "form of the id")


# ---- tasks


def test_values_of_every_type(l):
    s = Side(l)
    s.expect_ok(add_wasm(), "30", function="add", inputs=["10", "20"])
    s.expect_ok(add_wasm(), "-1", name="add", inputs=[2147483647, -2147483648])
    s.expect_ok(wat("""(module (func (export "f") (param i64 f32 f64) (result i64 f32 f64)
        local.get 0 local.get 1 local.get 2))"""), "-9223372036854775808,1.5,-0.1", function="f",
                inputs=["-9223372036854775808", "1.5", "-0.1"])
    s.expect_ok(wat('(module (func (export "nothing")))'), "", function="nothing")
    s.expect_ok(wat('(module (func (export "main") (result i32) i32.const 7))'), "7", name="x y")


def test_start_function_and_initialize(l):
    s = Side(l)
    s.expect_ok(wat("""(module (global $g (mut i32) (i32.const 1))
        (func $s (global.set $g (i32.const 20))) (start $s)
        (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 3))))
        (func (export "get") (result i32) (global.get $g)))"""), "23", function="get")


def test_errors_name_the_reason(l):
    s = Side(l)
    got = s.expect_error("trap", "trap: ", trap_wasm(), function="boom")
    expect("divide by zero" in got["error"], got["error"])
    expect(len(got["backtrace"]) >= 2, f"backtrace {got.get('backtrace')}")
    s.expect_error("trap", "unreachable", wat('(module (func (export "main") unreachable))'))
    s.expect_error("refused", "refused: ", add_wasm(), function="add", inputs=["1"])
    s.expect_error("refused", "refused: ", add_wasm(), function="add", inputs=["1", "2", "3"])
    s.expect_error("refused", "refused: ", add_wasm(), function="add", inputs=["1", "two"])
    s.expect_error("refused", "refused: ", add_wasm(), function="add", inputs=["1", "4294967296"])
    s.expect_error("refused", "subtract", add_wasm(), function="subtract", inputs=["1", "2"])
    s.expect_error(None, "nowhere", wat('(module (import "env" "nowhere" (func))'
                                        ' (func (export "main")))'))
    s.expect_error("module", "module: ", b"this is no module")
    s.expect_error("module", "module: ", add_wasm()[:-3], function="add", inputs=["1", "2"])
    s.expect_error(None, "", b"")
    s.works()


def test_module_of_any_length_cut_anywhere(l):
    s = Side(l)
    wasm = add_wasm()
    for n in range(len(wasm)):
        got = s.run(wasm[:n], function="add", inputs=["1", "2"])
        expect(got.get("error"), f"a module cut at {n} ran: {got}")
    for n in range(len(wasm)):
        broken = wasm[:n] + bytes([wasm[n] ^ 0xff]) + wasm[n + 1:]
        s.run(broken, function="add", inputs=["1", "2"], limits={"time_ms": 2000})
    s.works()


def test_other_nodes_tasks_are_ignored(l):
    s = Side(l)
    other = s.start(add_wasm(), function="add", inputs=["1", "2"], proplet_id=OTHER)
    s.works()
    expect_eq(s.results(other), [], "results of another node's task")
    s.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"], broadcast=True, proplet_id=None)
    s.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"], direct=True)
    s.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"], broadcast=True,
                proplet_id=OTHER)


def test_key_order_does_not_matter(l):
    s = Side(l)
    for i, keys in enumerate((("file", "id", "name", "inputs"), ("inputs", "file", "name", "id"),
                              ("name", "inputs", "id", "file"))):
        message = {"file": b64(add_wasm()), "id": f"order-{i}", "name": "add",
                   "inputs": ["1", str(i)]}
        s.send("start", json.dumps({k: message[k] for k in keys}))
        expect_eq(s.result(f"order-{i}")["results"], str(1 + i))


def test_duplicate_start(l):
    s = Side(l)
    task = s.start(spin_wasm(), function="spin")
    for _ in range(3):
        s.start(spin_wasm(), task=task, function="spin")
    s.works()
    s.stop(task)
    s.result(task)
    s.works()
    expect_eq(len(s.results(task)), 1, "results of one task")


def test_stop(l):
    s = Side(l)
    task = s.start(spin_wasm(), function="spin")
    wait_until(lambda: s.worker.cpu_seconds() > 0.2, 10, "the task runs")
    s.stop("no-such-task")
    s.stop(task)
    got = s.result(task, 5)
    expect(got["error"].startswith("stopped"), got["error"])
    expect_eq(got["reason"], "stopped")
    expect(got["fuel"] > 0 and got["duration_ms"] >= 0, f"fuel, duration: {got}")
    s.works()
    before = s.worker.cpu_seconds()
    s.works()
    expect(s.worker.cpu_seconds() - before < 0.5, "the stopped task still uses the CPU")


def test_stop_many_endless(l):
    s = Side(l, "--slots", "40", "--threads", "2")
    tasks = [s.start(spin_wasm(), function="spin") for _ in range(30)]
    s.works()
    for task in tasks:
        s.stop(task)
    for task in tasks:
        expect_eq(s.result(task)["reason"], "stopped")
    s.works()


def test_many_at_once(l):
    s = Side(l, "--slots", "64")
    wasm = wat("""(module (func (export "work") (param i32) (result i32) (local i32)
        (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if 0 (i32.lt_u (local.get 1) (i32.const 20000))))
        (local.get 0)))""")
    count = 500
    tasks = {}
    for wave in range(0, count, 50):
        for i in range(wave, wave + 50):
            tasks[s.start(wasm, function="work", inputs=[str(i)])] = str(i)
        for task in list(tasks)[wave:]:
            s.result(task, 30)
    results = [m.json() for m in s.ear.all(f"{P}/control/proplet/results")]
    expect_eq(len(results), count, "results")
    wrong = [r for r in results if r.get("error") or r["results"] != tasks[r["task_id"]]]
    expect(not wrong, f"{len(wrong)} wrong, the first {wrong[:1]}")
    l.note(f"{count} started, {len(results)} results, 0 lost")


def test_more_than_slots(l):
    s = Side(l, "--slots", "4")
    tasks = [s.start(spin_wasm(), function="spin") for _ in range(4)]
    got = s.run(add_wasm(), function="add", inputs=["1", "2"])
    expect_eq(got["reason"], "refused")
    l.note(got["error"])
    for task in tasks:
        s.stop(task)
        s.result(task)
    s.works()


def test_priority(l):
    """With one thread and one slice at a time, the high one ends while the low one runs."""
    s = Side(l, "--threads", "1", "--slice-fuel", "100000")
    low = s.start(spin_wasm(), function="spin", priority=10)
    wait_until(lambda: s.worker.cpu_seconds() > 0.2, 10, "the low one runs")
    s.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"], priority=90)
    high = s.start(spin_wasm(), function="spin", priority=90, limits={"time_ms": 500})
    late = s.start(add_wasm(), function="add", inputs=["1", "2"], priority=10)
    expect_eq(s.result(high)["reason"], "time")
    expect_eq(s.result(late)["results"], "3")
    s.stop(low)
    s.result(low)


# ---- limits


def test_limits_each_reached(l):
    s = Side(l)
    s.expect_error("fuel", "limit reached: ", spin_wasm(), function="spin",
                   limits={"fuel": 1000000})
    got = s.expect_error("time", "limit reached: ", spin_wasm(), function="spin",
                         limits={"time_ms": 300})
    expect(250 <= got["duration_ms"] < 1500, f"duration {got['duration_ms']} ms")
    deep = wat('(module (func $f (export "f") (param i32) (result i32) '
               '(i32.add (i32.const 1) (call $f (local.get 0)))))')
    s.expect_error("stack", "limit reached: ", deep, function="f", inputs=["1"],
                   limits={"stack_bytes": 8192})
    grow = wat("""(module (memory 1) (func (export "g") (result i32)
        (memory.grow (i32.const 1000))))""")
    got = s.run(grow, function="g", limits={"memory_bytes": 131072})
    expect(got.get("results") == "-1" or got.get("reason") == "memory", f"{got}")
    big = wat('(module (memory 100) (func (export "g") (memory.size) (drop)))')
    s.expect_error(None, "", big, function="g", limits={"memory_bytes": 65536})
    s.works()


def test_fuel_is_deterministic(l):
    s = Side(l, "--threads", "2", "--slice-fuel", "5000")
    wasm = wat("""(module (func (export "work") (param i32) (result i32) (local i32)
        (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if 0 (i32.lt_u (local.get 1) (local.get 0)))) (local.get 1)))""")
    tasks = [s.start(wasm, function="work", inputs=["100000"]) for _ in range(10)]
    fuels = {s.result(t)["fuel"] for t in tasks}
    expect_eq(len(fuels), 1, f"fuel of equal runs {fuels}")
    l.note(f"fuel {fuels.pop()}")


def test_does_not_fit(l):
    s = Side(l, "--pool", "100k", "--rx-buffer", "1k", "--slots", "4")
    s.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"])
    big = wat('(module (memory 2) (func (export "main") (drop (memory.grow (i32.const 0)))))')
    got = s.run(big, limits={"memory_bytes": 131072})
    expect(got.get("reason") in ("refused", "memory"), f"{got}")
    l.note(got["error"])
    s.works()


# ---- modules by digest


def test_module_by_digest(l):
    s = Side(l)
    s.serve()
    wasm = padded(add_wasm(), 300000)
    s.expect_ok(None, "3", function="add", inputs=["1", "2"], module=s.offer(wasm))
    asked = len(s.served)
    expect(asked > 0, "nothing was asked for")
    s.expect_ok(None, "5", function="add", inputs=["1", "4"], module=s.offer(wasm))
    expect_eq(len(s.served), asked, "requests for a module that is stored")
    s.worker.stop()
    s.worker.start()
    s.wait_online(s.ear.mark())
    s.expect_ok(None, "6", function="add", inputs=["1", "5"], module=s.offer(wasm))
    expect_eq(len(s.served), asked, "requests for a module that is stored, after a restart")
    l.note(f"300 KB in {asked} requests, none after a restart")


def test_big_module_small_worker(l):
    s = Side(l, "--pool", "40k", "--rx-buffer", "1k", "--slots", "4")
    s.serve()
    wasm = padded(add_wasm(), 1 << 20)
    got = s.run(None, 60, function="add", inputs=["1", "2"], module=s.offer(wasm))
    expect_eq(got.get("results"), "3", f"results of {got}")
    expect(all(a["chunk_bytes"] <= 1024 for a in s.served), "a chunk larger than the buffer")
    l.note(f"1 MB in {len(s.served)} requests of {s.served[0]['chunk_bytes']} bytes")


def test_transfer_over_a_default_broker(l):
    """mosquitto as it comes: Nagle's algorithm is on, and must not cost 40 ms a window."""
    s = Side(l, "--pool", "40k", "--rx-buffer", "1k", broker=l.broker(extra="set_tcp_nodelay false"))
    s.serve()
    began = time.monotonic()
    got = s.run(None, 60, function="add", inputs=["1", "2"],
                module=s.offer(padded(add_wasm(), 1 << 19)))
    expect_eq(got.get("results"), "3", f"results of {got}")
    l.note(f"512 KB in {len(s.served)} requests, {time.monotonic() - began:.2f} s")


def test_two_tasks_one_module(l):
    s = Side(l)
    wasm = padded(add_wasm(), 100000)
    module = s.offer(wasm)
    tasks = [s.start(None, function="add", inputs=["1", str(i)], module=module) for i in range(5)]
    s.serve()
    for i, t in enumerate(tasks):
        expect_eq(s.result(t, 30)["results"], str(1 + i))


def test_chunks_out_of_order_and_twice(l):
    s = Side(l)
    s.serve(lambda replies, ask: list(reversed(replies)) + replies + replies[:1])
    wasm = padded(add_wasm(), 200000)
    got = s.run(None, 30, function="add", inputs=["1", "2"], module=s.offer(wasm))
    expect_eq(got.get("results"), "3", f"results of {got}")


def test_lost_chunks_are_asked_again(l):
    s = Side(l)
    lost = []

    def lose(replies, ask):
        if len(lost) < 3:
            lost.append(ask)
            return []
        return replies

    s.serve(lose)
    got = s.run(None, 60, function="add", inputs=["1", "2"],
                module=s.offer(padded(add_wasm(), 50000)))
    expect_eq(got.get("results"), "3", f"results of {got}")
    expect_eq(len(lost), 3, "lost chunks")


def test_wrong_digest(l):
    s = Side(l)

    def damage(replies, ask):
        for _, payload in replies:
            data = bytearray(__import__("base64").b64decode(payload["data"]))
            data[len(data) // 2] ^= 1
            payload["data"] = b64(bytes(data))
        return replies

    s.serve(damage)
    got = s.run(None, 60, function="add", inputs=["1", "2"],
                module=s.offer(padded(add_wasm(), 5000)))
    expect_eq(got.get("reason"), "module", f"{got}")
    l.note(got["error"])
    s.works()


def test_module_that_nobody_has(l):
    s = Side(l)
    s.serve()
    got = s.run(None, 60, function="add", inputs=["1", "2"],
                module={"digest": digest(b"unknown"), "size": 100})
    expect_eq(got.get("reason"), "module", f"{got}")
    expect("no such module" in got["error"], got["error"])
    s.works()


def test_stop_while_fetching(l):
    s = Side(l)
    task = s.start(None, function="add", inputs=["1", "2"],
                   module=s.offer(padded(add_wasm(), 5000)))
    s.ear.wait(f"{P}/registry/proplet")
    s.stop(task)
    expect_eq(s.result(task)["reason"], "stopped")
    s.works()


def test_image_through_a_proxy(l):
    """As Propeller's proxy sends: all chunks to everybody, of a size of its own; others between."""
    s = Side(l)
    wasm = padded(add_wasm(), 100000)
    image, size = "registry.example/acme/add:1", 9999
    total = (len(wasm) + size - 1) // size

    def send_all(client, ask):
        for i in (0, 0, *range(1, total), 3):
            for name, data in (("registry.example/acme/other:1", b"x" * 300),
                               (image, wasm[i * size:(i + 1) * size])):
                client.publish(f"{P}/registry/server", {
                    "app_name": name, "chunk_idx": i, "total_chunks": total, "data": b64(data)},
                    wait=False)

    proxy = l.client(s.broker, "proxy", on_message=send_all)
    proxy.subscribe(f"{P}/registry/proplet")
    task = s.start(None, function="add", inputs=["1", "2"], image_url=image)
    ask = s.ear.wait(f"{P}/registry/proplet").json()
    expect_eq(ask["app_name"], image)
    expect_eq(s.result(task, 30).get("results"), "3")


def test_damaged_module_store(l):
    s = Side(l)
    s.serve()
    wasm = padded(add_wasm(), 20000)
    s.expect_ok(None, "3", function="add", inputs=["1", "2"], module=s.offer(wasm))
    s.worker.stop()
    path = l.folder / "state-proplet" / "modules" / (digest(wasm)[7:] + ".wasm")
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    asked = len(s.served)
    s.worker.start()
    s.wait_online(s.ear.mark())
    s.expect_ok(None, "3", function="add", inputs=["1", "2"], module=s.offer(wasm))
    expect(len(s.served) > asked, "the damaged module was used")


# ---- latent tasks, daemons


def test_latent_and_invoke(l):
    s = Side(l)
    task = s.start(add_wasm(), function="add", latent=True)
    for i in range(5):
        s.send("invoke", {"id": task, "broadcast": False, "proplet_id": NODE,
                          "invocation_id": f"call-{i}", "inputs": ["1", str(i)]})
    for i in range(5):
        got = s.ear.wait(f"{P}/control/proplet/invoke_results",
                         lambda m, i=i: m.json()["invocation_id"] == f"call-{i}").json()
        expect_eq((got["task_id"], got["results"], got.get("error")), (task, str(1 + i), None))
    s.send("invoke", {"id": "nothing", "broadcast": False, "proplet_id": NODE,
                      "invocation_id": "bad", "inputs": None})
    got = s.ear.wait(f"{P}/control/proplet/invoke_results",
                     lambda m: m.json()["invocation_id"] == "bad").json()
    expect(got["error"], f"{got}")
    s.stop(task)
    s.works()


# ---- epochs


def test_result_repeated_until_acknowledged(l):
    s = Side(l)
    task = s.start(add_wasm(), function="add", inputs=["1", "2"], epoch=3)
    expect_eq(s.result(task)["epoch"], 3)
    s.worker.kill()
    s.worker.start()
    s.wait_online(s.ear.mark())
    wait_until(lambda: len(s.results(task)) >= 2, 30, "the result comes again after a restart")
    s.ack(task, 3)
    s.works()
    s.worker.stop()
    s.worker.start()
    mark = s.ear.mark()
    s.wait_online(mark)
    s.works()
    again = [m for m in s.ear.all(f"{P}/control/proplet/results", since=mark)
             if m.json()["task_id"] == task]
    expect_eq(len(again), 0, "results after the acknowledgement")


def test_stop_of_an_older_epoch(l):
    s = Side(l)
    task = s.start(spin_wasm(), function="spin", epoch=5)
    s.stop(task, epoch=4)
    s.works()
    expect_eq(s.results(task), [], "results")
    s.stop(task, epoch=5)
    expect_eq(s.result(task)["reason"], "stopped")
    s.ack(task, 5)


def test_lease_end(l):
    s = Side(l)
    stops = s.start(spin_wasm(), function="spin", epoch=1, lease_ms=600, policy="stop")
    keeps = s.start(spin_wasm(), function="spin", epoch=1, lease_ms=600, policy="keep")
    got = s.result(stops)
    l.note(f"policy stop: {got['error']}")
    s.works()
    expect_eq(s.results(keeps), [], "results of the kept task")
    s.stop(keeps, epoch=1)
    s.result(keeps)


def test_lease_renewed(l):
    s = Side(l)
    task = s.start(spin_wasm(), function="spin", epoch=2, lease_ms=500, policy="stop")
    for _ in range(8):
        mark = s.ear.mark()
        s.ear.publish(f"{P}/control/manager/lease/{NODE}", {"tasks": [{"id": task, "epoch": 2}],
                                                            "lease_ms": 1500})
        s.ear.wait(f"{P}/control/proplet/alive", since=mark)
    expect_eq(s.results(task), [], "results of a renewed task")
    alive = s.ear.all(f"{P}/control/proplet/alive")[-1].json()
    expect_eq(alive["tasks"], [{"id": task, "epoch": 2}], "tasks in alive")
    expect(s.result(task, 15)["error"], "it ended without an error")


# ---- what tasks may do


def host(imports, body, memory=""):
    return wat(f"""(module {imports} (memory (export "memory") 1) {memory}
        (func (export "main") (result i32) {body}))""")


def test_host_publish_and_log(l):
    s = Side(l)
    wasm = host('(import "proplet" "publish" (func $p (param i32 i32) (result i32)))'
                '(import "proplet" "log" (func $l (param i32 i32 i32)))',
                """(drop (call $p (i32.const 0) (i32.const 5)))
                   (call $l (i32.const 2) (i32.const 8) (i32.const 7))
                   (drop (call $p (i32.const 0) (i32.const 4)))
                   i32.const 9""", '(data (i32.const 0) "first\\00\\00\\00warning")')
    task = s.start(wasm)
    got = s.result(task)
    expect(not got.get("error"), f"{got}")
    outputs = s.ear.wait_count(f"{P}/control/proplet/output", 2)
    expect_eq([m.json()["data"] for m in outputs], ["first", "firs"])
    line = s.ear.wait(f"{P}/control/proplet/logs").json()
    expect_eq((line["task_id"], line["text"]), (task, "warning"))
    l.note(f"results {got['results']!r}")


def test_host_bad_pointers(l):
    s = Side(l)
    for at, n in ((65530, 100), (-1, 1), (0, -1), (2147483647, 2147483647)):
        wasm = host('(import "proplet" "publish" (func $p (param i32 i32) (result i32)))',
                    f"(call $p (i32.const {at}) (i32.const {n}))")
        got = s.run(wasm)
        expect(got.get("reason") == "trap", f"publish({at}, {n}): {got}")
    s.works()


def kv_wasm():
    return host('(import "proplet" "kv_set" (func $s (param i32 i32 i32 i32) (result i32)))'
                '(import "proplet" "kv_get" (func $g (param i32 i32 i32 i32) (result i32)))',
                """(drop (call $g (i32.const 0) (i32.const 3) (i32.const 100) (i32.const 8)))
                   (i32.store8 (i32.const 100)
                     (i32.add (i32.const 1) (i32.load8_u (i32.const 100))))
                   (drop (call $s (i32.const 0) (i32.const 3) (i32.const 100) (i32.const 1)))
                   (i32.load8_u (i32.const 100))""", '(data (i32.const 0) "key")')


def test_kv_outlives_the_worker(l):
    s = Side(l)
    for want in ("1", "2", "3"):
        s.expect_ok(kv_wasm(), want, name="counter", capabilities=["kv"])
    s.worker.kill()
    s.worker.start()
    s.wait_online(s.ear.mark())
    s.expect_ok(kv_wasm(), "4", name="counter", capabilities=["kv"])
    s.expect_ok(kv_wasm(), "1", name="other", capabilities=["kv"])
    got = s.run(kv_wasm(), name="counter")
    l.note(f"without the capability: {got.get('error') or got.get('results')}")
    expect(got.get("error") or got["results"] == "1", f"kv without the capability: {got}")


CAPABILITIES = ("gpio", "kv", "publish", "sensor", "time")


def capabilities_wasm():
    """A function per capability that uses it; its result is what the call returned."""
    return wat("""(module
      (import "proplet" "gpio_write" (func $gpio (param i32 i32) (result i32)))
      (import "proplet" "sensor_read" (func $sensor (param i32 i32 i32) (result i32)))
      (import "proplet" "kv_set" (func $kv (param i32 i32 i32 i32) (result i32)))
      (import "proplet" "publish_to" (func $publish (param i32 i32 i32 i32) (result i32)))
      (import "proplet" "sleep_ms" (func $sleep (param i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "temperature")
      (func (export "gpio") (result i32) (call $gpio (i32.const 0) (i32.const 1)))
      (func (export "sensor") (result i32)
        (call $sensor (i32.const 0) (i32.const 11) (i32.const 64)))
      (func (export "kv") (result i32)
        (call $kv (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 2)))
      (func (export "publish") (result i32)
        (call $publish (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 7)))
      (func (export "time") (result i32) (call $sleep (i32.const 1))))""")


def test_capabilities_off_unless_granted(l):
    """Each one alone, all but one, none; and what is published to anyone stays below the task."""
    pins = l.folder / "pins"
    pins.mkdir()
    s = Side(l, "--capabilities", ",".join(CAPABILITIES), "--gpio-dir", pins, "--sensors",
             "temperature=2.25")
    wasm = capabilities_wasm()
    for word in CAPABILITIES:
        s.expect_ok(wasm, "-3", function=word)
        s.expect_ok(wasm, "-3", function=word, capabilities=[c for c in CAPABILITIES if c != word])
        if word != "publish":
            s.expect_ok(wasm, "0", function=word, capabilities=[word])
    expect(not s.ear.all(f"{P}/app/#"), "published without the capability")
    task = s.start(wasm, function="publish", capabilities=["publish"])
    expect_eq(s.result(task)["results"], "0")
    told = s.ear.wait(f"{P}/app/{NODE}/{task}/temp")
    expect_eq(told.payload, b"erature", "payload")


def test_sensor_and_gpio(l):
    pins = l.folder / "pins"
    pins.mkdir()
    (pins / "4").write_text("1\n")
    (l.folder / "temp").write_text("21.5\n")
    s = Side(l, "--capabilities", "gpio,sensor", "--gpio-dir", pins, "--sensors",
             f"temperature={l.folder}/temp,fixed=2.25")
    sensor = host('(import "proplet" "sensor_read" (func $s (param i32 i32 i32) (result i32)))',
                  """(drop (call $s (i32.const 0) (i32.const 11) (i32.const 64)))
                     (i32.trunc_f64_s (f64.mul (f64.const 100) (f64.load (i32.const 64))))""",
                  '(data (i32.const 0) "temperature")')
    s.expect_ok(sensor, "2150", capabilities=["sensor"])
    gpio = host('(import "proplet" "gpio_read" (func $r (param i32) (result i32)))'
                '(import "proplet" "gpio_write" (func $w (param i32 i32) (result i32)))',
                """(drop (call $w (i32.const 5) (i32.const 1)))
                   (i32.add (call $r (i32.const 4)) (call $r (i32.const 5)))""")
    s.expect_ok(gpio, "2", capabilities=["gpio"])
    expect_eq((pins / "5").read_text(), "1\n", "pin 5")


def test_prints_more_than_waits_for_it(l):
    """A small worker keeps 128 printed bytes; the task is interrupted to take them."""
    s = Side(l, "--pool", "40k")
    s.expect_ok(wat("""(module (import "env" "puts" (func $puts (param i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 64) "a line of forty bytes, with what ends it\\00")
        (func (export "say") (param i32) (loop (drop (call $puts (i32.const 64)))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""), "",
                function="say", inputs=["6"])
    said = [m.json()["text"] for m in s.ear.all("#") if b'"text"' in m.payload]
    expect_eq([t for t in said if "line" in t or "lost" in t],
              ["a line of forty bytes, with what ends it"] * 6)


def test_sleep_lets_others_run(l):
    s = Side(l, "--threads", "1")
    wasm = host('(import "proplet" "sleep_ms" (func $s (param i32) (result i32)))',
                "(call $s (i32.const 700))")
    tasks = [s.start(wasm, capabilities=["time"]) for _ in range(10)]
    s.works()
    took = [s.result(t)["duration_ms"] for t in tasks]
    expect(min(took) >= 690 and max(took) < 3000, f"durations {took}")


# ---- bad input


DEEP = "[" * 5000


def bad_messages():
    good = {"id": "bad", "name": "add", "file": b64(add_wasm()), "inputs": ["1", "2"]}
    text = json.dumps(good)
    yield from ("", "{", "}", "null", "true", "[]", "0", '"x"', "{}", "{]", '{"id"}', '{"id":}',
                '{"id":"a",}', text[:-1], text + "x", text + text, "\x00" * 100, " " * 100)
    yield from (b"\xff\xfe\x00", bytes(range(256)) * 10, b'{"id":"\xff\xff"}', b"\xef\xbb\xbf{}",
                b'{"id":"\xed\xa0\x80"}')
    yield from (DEEP, '{"a":' * 5000, '{"id":"x","deep":' + DEEP, '{"x":"' + "y" * 3000000)
    for key in ("id", "name", "file", "inputs", "env", "limits", "broadcast", "proplet_id",
                "monitoring_profile", "module", "capabilities", "epoch", "priority"):
        for value in (None, True, -1, 1e308, 1.5, "x", "", [], [[]], {}, {"a": {}}, [None],
                      "A" * 100000, 10 ** 400):
            yield json.dumps({**good, key: value})
    for data in ("A", "AA", "AA=", "A===", "====", "AAAA=AAA", "\u00e9\u00e9\u00e9\u00e9", "AA\nAA",
                 "-_-_", text * 2):
        yield json.dumps({**good, "file": data})
    yield from ('{"id":"\\ud800"}', '{"id":"\\u12"}', '{"id":"\\x"}', '{"id":"a\nb"}',
                '{"id":1e999}', '{"id":-}', '{"id":01}', '{"id":1.}', '{"id":.5}', '{"id":+1}')


def test_bad_input_on_every_topic(l):
    s = Side(l, "--threads", "1", "--task-time", "2s")
    count = 0
    topics = [f"{P}/control/manager/{t}" for t in ("start", "stop", "invoke", f"start/{NODE}",
                                                  f"stop/{NODE}", f"invoke/{NODE}", f"ack/{NODE}",
                                                  f"lease/{NODE}")]
    topics += [f"{P}/registry/server", f"{P}/registry/server/{NODE}"]
    for i, payload in enumerate(bad_messages()):
        for topic in topics:
            s.ear.publish(topic, payload, qos=0)
            count += 1
        if i % 25 == 24:
            s.works()
    s.works()
    s.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"])
    l.note(f"{count} bad messages, worker unharmed, {s.worker.rss_kb()} KB")


def test_random_mutations(l):
    s = Side(l, "--threads", "1", "--task-time", "1s")
    seed = 12345
    good = json.dumps({"id": "mutant", "name": "add", "file": b64(add_wasm()), "inputs": ["1", "2"],
                       "limits": {"fuel": 10000}, "env": {"A": "B"}, "priority": 3}).encode()
    for i in range(1500):
        raw = bytearray(good)
        for _ in range(1 + i % 4):
            seed = (seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            at = (seed >> 33) % len(raw)
            kind = seed >> 20 & 3
            if kind == 0:
                raw[at] ^= 1 << (seed >> 24 & 7)
            elif kind == 1:
                del raw[at:at + 1 + (seed >> 24 & 15)]
            else:
                raw[at:at] = raw[at // 2:at // 2 + (seed >> 24 & 15)]
            raw = raw or bytearray(b"{")
        s.ear.publish(f"{P}/control/manager/start", bytes(raw), qos=0)
        if i % 300 == 299:
            s.works()


def test_huge_message(l):
    s = Side(l, "--mqtt-max-packet-size", "1m", "--rx-buffer", "1k")
    s.ear.publish(f"{P}/control/manager/start", b'{"id":"' + b"x" * (2 << 20) + b'"}')
    s.works()
    s.worker.wait_log("message refused: too long")
    inline = padded(add_wasm(), 400000)
    got = s.run(inline, function="add", inputs=["1", "2"])
    expect_eq(got.get("results"), "3", f"a module of 400 KB inline: {got}")


# ---- TLS and passwords


def certificates(l):
    """An authority, and a certificate for localhost signed by it; the folder."""
    def openssl(*args):
        status, _, err = l.run(["openssl", *args])
        expect_eq(status, 0, err)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "node.key", "-out", "node.csr")
    (l.folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "node.pem")
    return l.folder


def tls_worker(l, port, *flags, name="proplet"):
    return l.process(name, [l.bin("proplet"), "--mqtt-address", f"mqtts://localhost:{port}",
                            "--tenant-id", TENANT, "--channel-id", CHANNEL, "--state-dir",
                            l.folder / f"state-{name}", *flags])


def test_tls(l):
    where = certificates(l)
    port = lab.free_port()
    files = f"cafile {where}/ca.pem\ncertfile {where}/node.pem\nkeyfile {where}/node.key"
    l.broker(extra=f"listener {port} 127.0.0.1\n{files}\nrequire_certificate true\n")
    ours = ("--mqtt-tls-client-cert", where / "node.pem", "--mqtt-tls-client-key",
            where / "node.key")
    w = tls_worker(l, port, "--mqtt-tls-ca-cert", where / "ca.pem", *ours)
    w.wait_log('msg="connected"')
    w = tls_worker(l, port, *ours, name="without-authority")
    w.wait_log('msg="disconnected"')
    expect('msg="connected"' not in w.log(), "connected to a broker it cannot trust")
    w = tls_worker(l, port, "--mqtt-tls-insecure-skip-verify", *ours, name="careless")
    w.wait_log('msg="connected"')


def test_tls_unasked(l):
    """A port that speaks TLS, and an address that does not say so."""
    where = certificates(l)
    port = lab.free_port()
    l.broker(extra=f"listener {port} 127.0.0.1\ncertfile {where}/node.pem\nkeyfile {where}/node.key")
    w = l.process("worker", [l.bin("proplet"), "--mqtt-address", f"tcp://localhost:{port}",
                             "--state-dir", l.folder / "state"])
    w.wait_log("if this port speaks TLS, use mqtts://")


def test_two_of_one_id(l):
    """They end each other's connections; both wait longer and longer, and one that is told to end does."""
    broker = l.broker()
    both = [l.process(f"worker-{i}", [l.bin("proplet"), "--mqtt-address", broker.url, "--entity-id",
                                      NODE, "--state-dir", l.folder / f"state-{i}"]) for i in (1, 2)]
    both[0].wait_log("does another worker use this --entity-id?", 20)
    wait_until(lambda: any("connections do not last" in w.log() and "count=7" in w.log() for w in both),
               40, "longer waits")
    expect_eq(both[0].stop(), 0, "exit status")
    n = both[1].log().count('msg="connected"')
    both[1].wait_log('msg="connected"', 20, n)


def test_password(l):
    passwords = l.folder / "passwords"
    status, _, err = l.run(["mosquitto_passwd", "-c", "-b", passwords, NODE, "secret"])
    expect_eq(status, 0, err)
    passwords.chmod(0o644)
    broker = l.broker(extra=f"per_listener_settings false\npassword_file {passwords}\n"
                            "allow_anonymous false\n")
    argv = [l.bin("proplet"), "--mqtt-address", broker.url, "--entity-id", NODE]
    wrong = l.process("wrong", argv + ["--state-dir", l.folder / "a", "--api-key", "guess"])
    wrong.wait_log("not authorised")
    right = l.process("right", argv + ["--state-dir", l.folder / "b"],
                      env={"PROPLET_API_KEY": "secret"})
    right.wait_log('msg="connected"')
    expect("secret" not in right.log() and "guess" not in wrong.log(), "a secret in the log")


# ---- the program itself


def failing(l, want, text, *flags, env=None):
    status, _, err = l.run([l.bin("proplet"), *flags], env=env, seconds=20)
    expect_eq(status, want, f"exit status of {flags}; stderr {err!r}")
    expect(text in err, f"{flags}: stderr is {err!r}, expected {text!r} in it")


def test_wrong_use(l):
    failing(l, 64, "did you mean '--pool'", "--pol", "1")
    failing(l, 64, "unknown scheme", "--mqtt-address", "http://x", "--state-dir", l.folder / "s")
    failing(l, 64, "is not a size", env={"PROPLET_POOL": "big"})
    failing(l, 64, "unknown engine", "--engine", "v8", "--state-dir", l.folder / "s")
    failing(l, 64, "unknown capability", "--capabilities", "root", "--state-dir", l.folder / "s")
    failing(l, 64, "cannot be read", "--mqtt-address", "tls://localhost", "--mqtt-tls-ca-cert",
            "/nonexistent.pem", "--state-dir", l.folder / "s")
    failing(l, 69, "state folder", "--state-dir", "/proc/nothing/here")
    (l.folder / "bad.toml").write_text("[proplet]\npool = 1\n")
    failing(l, 64, "bad.toml line 2", "--config", l.folder / "bad.toml")
    for flag in ("--help", "--version", "--print-config"):
        status, out, _ = l.run([l.bin("proplet"), flag])
        expect(status == 0 and out, f"{flag}: {status}")


def test_state_folder_is_locked(l):
    s = Side(l)
    failing(l, 69, "in use by another proplet", "--state-dir", l.folder / "state-proplet")
    s.works()


def test_without_a_broker(l):
    port = lab.free_port()
    w = l.process("proplet", [l.bin("proplet"), "--mqtt-address", f"tcp://127.0.0.1:{port}",
                              "--state-dir", l.folder / "state"])
    w.wait_log("disconnected", count=3, seconds=20)
    expect_eq(w.stop(), 0, "exit status")


def test_status_pages(l):
    port = lab.free_port()
    s = Side(l, "--metrics-port", port)
    task = s.start(spin_wasm(), function="spin")
    http = l.http(f"http://127.0.0.1:{port}")
    wait_until(lambda: task in http.get("/state").body.decode(), 5, "the task in /state")
    expect_eq(http.get("/health").json()["status"], "online")
    expect(b"proplet_tasks 1" in http.get("/metrics").body, "metrics")
    expect_eq(http.get("/nothing").status, 404)
    expect(http.get("/pools").json()["pool_bytes"] > 0, "pools")
    idle = [__import__("socket").create_connection(("127.0.0.1", port)) for _ in range(30)]
    expect_eq(http.get("/health").status, 200)
    for sock in idle:
        sock.sendall(b"GET /health")
        sock.close()
    s.stop(task)
    s.works()


def test_ends_while_busy(l):
    s = Side(l)
    task = s.start(spin_wasm(), function="spin")
    wait_until(lambda: s.worker.cpu_seconds() > 0.2, 10, "the task runs")
    expect_eq(s.worker.stop(8), 0, "exit status")
    s.ear.wait(f"{P}/control/proplet/gone")
    l.note(f"result: {[r['error'] for r in s.results(task)]}")


def test_twice_interrupted_ends_at_once(l):
    s = Side(l)
    s.worker.pause()
    os.kill(s.worker.pid, signal.SIGINT)
    s.worker.go_on()
    os.kill(s.worker.pid, signal.SIGTERM)
    expect_eq(s.worker.wait(6), 0, "exit status")


def test_settings_from_the_environment(l):
    broker = l.broker()
    ear = l.client(broker, "ear")
    ear.subscribe("#")
    l.process("proplet", [l.bin("proplet")], env={
        "PROPLET_MQTT_ADDRESS": broker.url, "PROPLET_TENANT_ID": TENANT,
        "PROPLET_CHANNEL_ID": CHANNEL, "PROPLET_ENTITY_ID": NODE, "PROPLET_API_KEY": "key",
        "STATE_DIRECTORY": l.folder / "state", "PROPLET_LIVELINESS_INTERVAL": "1"})
    ear.wait_count(f"{P}/control/proplet/alive", 2)


if __name__ == "__main__":
    lab.main(globals())
