#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The firmware with the real broker, manager and propctl: every example, traps, stops, faults.

PROPLET_BOARD and PROPLET_FIRMWARE as in firmware_test.py; --repeat 20 of the faults is the goal.
What propctl was asked and what it said is written to transcript.txt in the test's folder.
"""
import concurrent.futures
import json
import re
import sys
import time

import board
import lab
import side_firmware
import system_test
from board import Board, expect, wait_until
from lab import expect_eq
from side import CHANNEL, NODE, TENANT, b64, padded, wat
from side_firmware import BOARD, Gateway, network_of_our_own

MODULES = board.ROOT / "build" / "examples"
P = f"m/{TENANT}/c/{CHANNEL}"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
ALWAYS_INLINE, NEVER_INLINE = 1 << 20, 1


class Fleet:
    """Broker, manager and one board, the default image unless variant says otherwise. Call it to run
    propctl: (stdout, stderr)."""

    def __init__(self, l, variant="", inline=2048, heartbeat=500):
        if not (MODULES / "add.wasm").exists():
            raise lab.Skip(f"no modules in {MODULES}; build them with examples/build")
        image = f"{BOARD}_{variant}" if variant else BOARD
        board.image(image)
        if BOARD == "native_sim" and not side_firmware._network:
            network_of_our_own()
            side_firmware._network.append(True)
        self.l, self.said = l, []
        self.broker = l.broker()
        self.port = lab.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.manager = l.process("manager", [
            l.bin("proplet-manager"), "--mqtt", self.broker.url, "--tenant", TENANT, "--channel",
            CHANNEL, "--http-port", self.port, "--inline-bytes", inline, "--store",
            f"sqlite://{l.folder}/manager.db"])
        self.http = l.http(self.url, seconds=30)
        wait_until(lambda: lab.can_connect(self.port), 20, "the manager listens")
        if BOARD == "native_sim":
            l.own(Gateway(self.broker.port))
        self.board = Board(l, BOARD, self.broker.port, NODE, TENANT, CHANNEL, variant=image,
                           settings=[("heartbeat_ms", heartbeat)])
        self.wait_alive()

    # What system_test.Load needs of its world.
    ask = system_test.World.ask
    alive = system_test.World.alive

    def wait_alive(self, seconds=30):
        wait_until(lambda: self.alive() == 1, seconds, "the board is listed", every=0.1)

    def try_(self, *args, seconds=60):
        status, out, err = self.l.run([self.l.bin("propctl"), *args], seconds=seconds,
                                      env={"PROPCTL_URL": self.url}, cwd=MODULES)
        with open(self.l.folder / "transcript.txt", "a") as f:
            f.write(f"$ propctl {' '.join(map(str, args))}\n{out}{err}")
        return status, out, err

    def __call__(self, *args, status=0, **kw):
        got, out, err = self.try_(*args, **kw)
        expect(got == status, f"propctl {' '.join(map(str, args))}: status {got}, expected "
                              f"{status}; stdout {out[-300:]!r} stderr {err[-400:]!r}")
        return out, err


def has(text, *words):
    for w in words:
        expect(w in text, f"{w!r} is not in {text[-600:]!r}")


# ---- every example, on the default image with a pool of 40 KB


def examples(l, inline):
    f = Fleet(l, inline=inline)
    has(f("node", "list")[0], NODE[:8], "alive")
    expect_eq(f("run", "add.wasm", "2", "-3")[0], "-1\n")
    expect_eq(f("run", "add.wasm", "--invoke", "mean", "2.5", "4")[0], "3.25\n")
    expect_eq(f("run", "fib.wasm", "20")[0], "6765\n")
    expect_eq(f("run", "sha256.wasm", "abc")[0], ABC + "\n")
    has(f("run", "hello.wasm")[1], "4  Mars", "686.98 days")
    out, _ = f("run", "filter.wasm", "20", "20", "20", "90", "20", "20.5", "21")
    expect(abs(float(out) - 20.0337) < 0.001, f"the filter's value is {out}")
    expect_eq(len(f("run", "filter.wasm", "--invoke", "trace", "1", "2", "3")[0].split()), 3)
    expect_eq(f("run", "greet.wasm", "Ada")[0], "hello, Ada\n")
    f("run", "greet.wasm", "--latent")
    wait_until(lambda: f.try_("invoke", "greet", "Grace")[1] == "hello, Grace\n", 10, "invocation")
    f("task", "stop", "greet")
    expect_eq([f("run", "counter.wasm", "--cap", "kv")[0] for _ in range(2)], ["1\n", "2\n"])
    f.board.kill()
    f.board.start()
    wait_until(lambda: f.try_("run", "counter.wasm", "--cap", "kv", "--queue")[1] == "3\n", 60,
               "the value that was kept")
    expect_eq(f("run", "bulky.wasm", "21", seconds=180)[0], "42\n")
    _, err = f("run", "crash.wasm", status=70)
    has(err, "integer divide by zero", "at ratio", "at flow_rate", "at pump_report", "at crash")
    has(f("run", "forever.wasm", "--time", "300ms", status=75)[1], "limit reached")
    has(f("run", "readings.wasm", "--cap", "sensor,time", "temperature", "1", "1", status=69)[1],
        "sensor")  # these boards have none
    has(f("run", "wasi.wasm", "pear", status=70)[1], "no room")
    has(f("node", "metrics", NODE[:8])[0], "HEAP FREE")


def test_examples_inline(l):
    examples(l, ALWAYS_INLINE)


def test_examples_in_chunks(l):
    examples(l, NEVER_INLINE)


def test_example_wasi(l):
    """An ordinary C program needs a larger pool; the default one refuses it (above)."""
    f = Fleet(l, variant="large")
    has(f("run", "wasi.wasm", "--env", "GREETING=bonjour", "pear", "apple")[0], "bonjour from ",
        "1 apple\n2 pear\n")


def test_example_readings(l):
    """These boards have no sensor; the larger image has a thermometer that shows -50 degrees."""
    f = Fleet(l, variant="large")
    out, _ = f("run", "readings.wasm", "--cap", "sensor,time", "temperature", "1", "2")
    expect_eq([json.loads(line) for line in out.splitlines()],
              [{"sensor": "temperature", "n": n, "mean": -50.0} for n in (1, 2)])


# ---- stops, mixtures


def test_stopped_by_propctl(l):
    """Each of 20 endless loops, from the manager's stop on the wire to the board's result."""
    f = Fleet(l)
    reaction = board.Reaction(f.board.process, f.broker)
    sent, told = {}, {}  # task: when; a message may come more than once

    def heard(_, m):
        if m.topic == f"{P}/control/manager/stop/{NODE}" and m.json()["id"] not in sent:
            reaction.begin()
            sent[m.json()["id"]] = m.time
        elif m.topic == f"{P}/control/proplet/results" and m.json()["task_id"] not in told:
            task = m.json()["task_id"]
            reaction.end(m.time - sent[task])
            told[task] = m.json()["reason"]
    l.client(f.broker, "listener", on_message=heard).subscribe("#")
    for i in range(20):
        task = f("run", "forever.wasm", "-n", f"loop-{i}", "-d")[0].strip()
        wait_until(lambda: "running" in f.try_("task", "show", task)[1], 20, "it runs")
        f("task", "stop", task)
        wait_until(lambda: told.get(task), 10, "its result")
        expect_eq(told[task], "stopped")
    reaction.expect_below(l, 100)


KINDS = [  # arguments, status, what is said
    (lambda i: ["add.wasm", str(i), "1"], 0, lambda i: f"{i + 1}\n"),
    (lambda i: ["fib.wasm", "15"], 0, lambda i: "610\n"),
    (lambda i: ["sha256.wasm", "abc"], 0, lambda i: ABC),
    (lambda i: ["greet.wasm", f"n{i}"], 0, lambda i: f"hello, n{i}\n"),
    (lambda i: ["crash.wasm"], 70, lambda i: "at flow_rate"),
    (lambda i: ["forever.wasm", "--time", "100ms"], 75, lambda i: "limit reached: time"),
    (lambda i: ["forever.wasm", "--fuel", "200k"], 75, lambda i: "limit reached: fuel"),
    (lambda i: ["add.wasm", "1"], 70, lambda i: "refused"),
]


def test_hundred_mixed_by_propctl(l):
    f = Fleet(l, inline=500)  # some inline, some in chunks

    def one(i):
        args, status, text = KINDS[i % len(KINDS)]
        out, err = f("run", "--queue", "-n", f"mixed-{i}", *args(i), status=status, seconds=120)
        has(out + err, text(i))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(100)))
    has(f("node", "list")[0], "alive")
    l.note(f"100 tasks of {len(KINDS)} kinds, 4 at a time, 100 right answers")


# ---- faults; each task ends with its own result, once


class Load(system_test.Load):
    """Its tasks, and every result on the wire: no task may have two different ones."""

    def __init__(self, fleet):
        super().__init__(fleet)
        self.ear, self.seen, self.values, self.repeats = None, 0, {}, 0
        self.listen()

    def listen(self):
        self.look()
        self.ear = self.w.l.client(self.w.broker, f"listener-{time.monotonic_ns()}")
        self.ear.subscribe(f"{P}/control/proplet/results")
        self.seen = 0

    def look(self):
        for m in self.ear.all(f"{P}/control/proplet/results", since=self.seen) if self.ear else ():
            r = m.json()
            if r.get("reason") == "done":
                self.repeats += r["task_id"] in self.values
                self.values.setdefault(r["task_id"], set()).add(r["results"])
        self.seen = self.ear.mark() if self.ear else 0

    def finish(self, seconds=240):
        super().finish(seconds)
        self.look()
        two = [t for t, v in self.values.items() if len(v) > 1]
        self.w.l.note(f"{self.repeats} results said again, {len(two)} tasks with two values")
        expect(not two, f"two values: {two[:3]}")


def faults(l, break_it, mend_it, tasks=24):
    """Tasks are asked for before, during and after the fault."""
    r = l.dice()
    f = Fleet(l)
    load = Load(f)
    first, second = sorted(r.sample(range(2, tasks - 2), 2))
    for i in range(tasks):
        if i == first:
            time.sleep(r.random() * 0.5)
            break_it(f, load)
        if i == second:
            mend_it(f, load)
        load.ask(i)
    load.finish()
    f.wait_alive()
    expect_eq(f("run", "add.wasm", "2", "3")[0], "5\n")


def test_fault_broker_killed(l):
    def restart(f, load):
        f.broker.start()
        load.listen()
    faults(l, lambda f, load: (load.look(), f.broker.kill()), restart)


def test_fault_board_killed(l):
    faults(l, lambda f, load: f.board.kill(), lambda f, load: f.board.start())


def test_fault_cable_for_60_s(l):
    def mend(f, load):
        time.sleep(60)
        f.http.close()  # the manager closes connections that were idle for so long
        f.board.link(True)
    faults(l, lambda f, load: f.board.link(False), mend)


def test_power_cuts(l):
    """Twenty cuts, within a second of the start or of the connection: while it connects, writes a
    module to flash, computes. What was kept is whole, and each task ends with its own result."""
    r = l.dice()
    f = Fleet(l)
    load = Load(f)
    work = wat(system_test.WORK)
    for i in range(20):
        load.file = b64(padded(work, r.randrange(3000, 30000)))  # too large to come inline
        load.ask(i)
        time.sleep(r.random())
        f.board.kill()
        sign = "*** Booting" if i % 3 == 0 else "online as"
        seen = f.board.log().count(sign)
        f.board.start()
        f.board.wait_log(sign, 60, count=seen + 1)
    load.finish()
    f.wait_alive()
    log = f.board.log()
    starts, whole = log.count("*** Booting"), log.count("store: fine")
    for bad in ("formatting", "not kept", "has changed"):
        expect(bad not in log.split("online as", 1)[1], f"flash: {bad}")
    l.note(f"{starts} starts, {whole} of them as far as the store; sectors repaired: "
           f"{sum(map(int, re.findall(r'([0-9]+) sectors repaired', log)))}")
    expect_eq(f("run", "add.wasm", "2", "3")[0], "5\n")


if __name__ == "__main__":
    if BOARD == "native_sim" and "--list" not in sys.argv:
        network_of_our_own()
        side_firmware._network.append(True)
    lab.main(globals())
