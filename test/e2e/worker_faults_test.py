#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The worker under faults: broker, worker and link die in the middle of tasks. Counts are printed.

The scripted manager side keeps the rules of a manager that knows epochs: it sends a start again
until a result came, and acknowledges each result. Then nothing may be lost and nothing may differ.
--seed N makes another run; the seed is printed.
"""
import time

import lab
from side import P, Side, add_wasm, expect, expect_eq, padded, spin_wasm, wait_until, wat

WORK = """(module (func (export "work") (param i32) (result i32) (local i32)
    (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 1) (i32.const 300000))))
    (local.get 0)))"""

LONG = """(module (func (export "work") (param i32 i32) (result i32) (local i32)
    (loop (local.set 2 (i32.add (local.get 2) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 2) (local.get 1))))
    (local.get 0)))"""
ROUNDS = 800000000  # of LONG, each a few seconds; boards set fewer


class Ledger:
    """What was asked, what was answered."""

    def __init__(self, side, count):
        self.side, self.count = side, count
        self.wasm = wat(WORK)
        self.tasks = {}
        self.answers = {}
        self.repeats = self.wrong = self.resent = 0
        self.seen = 0

    def ask_all(self):
        for i in range(self.count):
            task = f"task-{i:05d}"
            self.tasks[task] = str(i)
            self.ask(task)

    def ask(self, task):
        try:
            self.side.start(self.wasm, task=task, direct=True, function="work", epoch=1,
                            inputs=[self.tasks[task]])
        except (lab.MqttError, OSError):
            pass  # the broker is away: asked again later

    def look(self):
        """Takes the results that came since; acknowledges them."""
        for m in self.side.ear.all(f"{P}/control/proplet/results", since=self.seen):
            r = m.json()
            task = r["task_id"]
            if r.get("reason") == "refused" or task not in self.tasks:
                continue
            if task in self.answers:
                self.repeats += 1
            elif r.get("error") or r["results"] != self.tasks[task]:
                self.wrong += 1
                self.first_wrong = r
            self.answers[task] = r
            try:
                self.side.ack(task, r.get("epoch", 0))
            except (lab.MqttError, OSError):
                pass
        self.seen = self.side.ear.mark()

    def gather(self, more, seconds=5):
        """Asks for what is missing until `more` answers came, or all, or the time is up."""
        goal = min(len(self.answers) + more, self.count)
        for task in self.missing()[:60]:
            self.ask(task)
        try:
            wait_until(lambda: self.look() or len(self.answers) >= goal, seconds, "answers")
        except lab.Failed:
            pass  # what matters is what is there in the end

    def missing(self):
        return [t for t in self.tasks if t not in self.answers]

    def finish(self, seconds=90):
        """Asks again for what is missing until all is there."""
        end = time.monotonic() + seconds
        while self.missing() and time.monotonic() < end:
            for task in self.missing()[:40]:
                self.ask(task)
                self.resent += 1
            left = len(self.missing())
            try:
                wait_until(lambda: self.look() or len(self.missing()) < max(1, left - 30), 2, "more")
            except lab.Failed:
                pass
        text = (f"{self.count} tasks, {len(self.answers)} answered, {self.resent} asked again, "
                f"{self.repeats} answers repeated, {len(self.missing())} lost, {self.wrong} wrong")
        self.side.lab.note(text)
        expect_eq(len(self.missing()), 0, "lost tasks")
        expect(self.wrong == 0, f"wrong: {getattr(self, 'first_wrong', None)}")


def relisten(s, ledger):
    s.relisten(f"side-{time.monotonic_ns()}")
    ledger.seen = 0


def test_broker_killed(l):
    r = l.dice()
    s = Side(l, "--slots", "64", through=l.link)
    ledger = Ledger(s, 100)
    ledger.ask_all()
    for _ in range(3):
        ledger.gather(r.randrange(1, 20))
        s.broker.restart(kill=True)
        relisten(s, ledger)
        s.wait_online(seconds=30)
    ledger.finish()
    s.works()


def test_worker_killed(l):
    r = l.dice()
    s = Side(l, "--slots", "64")
    ledger = Ledger(s, 100)
    ledger.ask_all()
    for _ in range(5):
        ledger.gather(r.randrange(1, 15))
        s.worker.kill()
        mark = s.ear.mark()
        s.worker.start()
        s.wait_online(since=mark)
    ledger.finish()
    s.works()


def test_link_cut(l):
    r = l.dice()
    s = Side(l, "--slots", "64", through=l.link)
    ledger = Ledger(s, 100)
    ledger.ask_all()
    for _ in range(8):
        s.link.delay = r.choice((0, 0.002, 0.02))
        ledger.gather(r.randrange(0, 10), 3)
        s.link.reset()
    s.link.delay = 0
    ledger.finish()
    s.works()


def test_link_cut_in_a_transfer(l):
    """A module of 1 MB over a link that breaks again and again: it goes on where it was."""
    r = l.dice()
    s = Side(l, "--pool", "40k", "--rx-buffer", "1k", "--slots", "4", through=l.link)
    s.serve()
    task = s.start(None, function="add", inputs=["1", "2"],
                   module=s.offer(padded(add_wasm(), 1 << 20)))
    for _ in range(4):
        goal = len(s.served) + r.randrange(5, 60)
        wait_until(lambda: len(s.served) >= goal or s.results(task), 20, f"{goal} requests")
        s.link.reset()
    expect_eq(s.result(task, 60).get("results"), "3")
    asked = [(a["offset"], a["chunk_bytes"] * a.get("chunks", 1)) for a in s.served]
    l.note(f"{len(asked)} requests for {(1 << 20) // asked[0][1] + 1} pieces, 4 cuts")
    expect(sum(1 for o, _ in asked if o == 0) <= 3, "it began again from the start")


def test_worker_killed_in_a_transfer(l):
    s = Side(l, "--pool", "40k", "--rx-buffer", "1k", "--slots", "4")
    s.serve()
    module = s.offer(padded(add_wasm(), 1 << 20))
    task = s.start(None, direct=True, function="add", inputs=["1", "2"], module=module, epoch=1)
    for i in range(3):
        goal = len(s.served) + 40
        wait_until(lambda: len(s.served) >= goal or s.results(task), 20, f"{goal} requests")
        s.worker.kill()
        mark = s.ear.mark()
        s.worker.start()
        s.wait_online(since=mark)
        s.start(None, task=task, direct=True, function="add", inputs=["1", "2"], module=module,
                epoch=1)
    expect_eq(s.result(task, 60).get("results"), "3")
    l.note(f"{len(s.served)} requests, {sum(1 for a in s.served if a['offset'] == 0)} from 0 on")


def test_results_wait_for_the_link(l):
    s = Side(l, through=l.link)
    tasks = [s.start(wat(WORK), function="work", inputs=[str(i)], epoch=1) for i in range(10)]
    spin = s.start(spin_wasm(), function="spin", epoch=1, limits={"time_ms": 1500})
    s.ear.wait_count(f"{P}/control/proplet/alive", 2)
    s.link.cut()
    s.worker.wait_log("disconnected")
    time_limit = time.monotonic() + 2
    wait_until(lambda: time.monotonic() > time_limit, 5, "the tasks end meanwhile")
    s.link.mend()
    for i, t in enumerate(tasks):
        expect_eq(s.result(t, 30)["results"], str(i))
    expect_eq(s.result(spin, 30)["reason"], "time")


def test_stalled_link(l):
    """A link that swallows everything is found dead by the keep-alive, and left."""
    s = Side(l, "--mqtt-keep-alive", "5", "--mqtt-timeout", "2s", through=l.link)
    s.link.stall()
    s.worker.wait_log("disconnected", 20)
    s.link.reset()
    s.link.mend()
    s.wait_online(since=s.ear.mark(), seconds=30)
    s.works()


def test_disk_full(l):
    """A store without room refuses the module and goes on."""
    s = Side(l, "--store", "20k")
    s.serve()
    got = s.run(None, 30, function="add", inputs=["1", "2"],
                module=s.offer(padded(add_wasm(), 50000)))
    expect(got.get("error"), f"{got}")
    l.note(got["error"])
    for i in range(6):  # each 9 KB: the older ones make room
        s.expect_ok(None, "3", function="add", inputs=["1", "2"],
                    module=s.offer(padded(add_wasm(), 9000 + i)))
    s.works()


def test_rebooted_while_the_broker_is_away(l):
    """A worker that loses power and finds no broker finishes what its journal says, keeps the results over
    another loss of power, and delivers all of them when the link returns."""
    s = Side(l, through=l.link)
    short = {s.start(wat(WORK), function="work", inputs=[str(i)], epoch=4): str(i) for i in range(3)}
    wait_until(lambda: all(s.results(t) for t in short), 10, "short ones")
    long = {s.start(wat(LONG), function="work", inputs=[str(i), str(ROUNDS)], epoch=4,
                    policy="keep"): str(i) for i in range(10, 13)}
    spin = s.start(spin_wasm(), function="spin", epoch=4, policy="keep", limits={"time_ms": 1500})
    s.ear.wait(f"{P}/control/proplet/alive", lambda m: {*long, spin} <= {
        t["id"] for t in (m.json() or {}).get("tasks", [])}, what="all are taken")
    s.link.cut()
    s.worker.kill()
    expect(not any(s.results(t) for t in (*long, spin)), "they ended before the power was cut")
    s.worker.start()
    for t in (*long, spin):
        s.worker.wait_log(f"task {t} ended", 60)
    s.worker.kill()
    s.worker.start()
    s.worker.wait_log("disconnected", count=2)
    mark = s.ear.mark()
    s.link.mend()

    def results(task):
        return [m for m in s.results(task) if m.get("epoch") == 4]
    wait_until(lambda: all(results(t) for t in (*long, spin)), 60, "the results of what it finished")
    for t, want in {**short, **long}.items():
        expect_eq([(m.get("reason"), m.get("results")) for m in results(t)][-1], ("done", want))
    expect_eq(results(spin)[-1].get("reason"), "time")
    wait_until(lambda: len({m.json()["task_id"] for m in s.ear.all(
        f"{P}/control/proplet/results", since=mark)}) >= 7, 30, "unacknowledged results again")


if __name__ == "__main__":
    lab.main(globals())
