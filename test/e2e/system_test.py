#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything together under faults: broker, manager and workers, killed in the middle of tasks.

What the manager acknowledged over HTTP is counted; each such task has to end with its own result.
--tasks N and --seed N make other runs; figures are printed beside the test's name.
"""
import base64
import http.client
import time

import lab
from lab import expect, expect_eq, free_port, wait_until
from side import spin_wasm, wat

COMPLETED, FAILED, INTERRUPTED = 3, 4, 6

WORK = """(module (func (export "work") (param i32) (result i32) (local i32)
    (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 1) (i32.const 200000))))
    (local.get 0)))"""


class World:
    """Broker, manager, workers; links where asked for."""

    def __init__(self, l, workers=3, linked=False):
        self.l = l
        self.broker = l.broker()
        self.manager_link = l.link(self.broker) if linked else None
        self.worker_links = []
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.manager = l.process("manager", [
            l.bin("proplet-manager"), "--http-port", port, "--store",
            l.options.store or f"sqlite://{l.folder}/manager.db"],
            env={"MANAGER_MQTT_ADDRESS": (self.manager_link or self.broker).url})
        self.http = l.http(self.url, seconds=20)
        self.workers = []
        for i in range(workers):
            link = l.link(self.broker) if linked else None
            self.worker_links.append(link)
            self.workers.append(l.process(f"worker{i}", [
                l.bin("proplet"), "--mqtt-address", (link or self.broker).url, "--state-dir",
                l.folder / f"state{i}", "--heartbeat-ms", 500, "--labels", f"n={i}"]))
        wait_until(lambda: self.alive(announced=True) == workers, 20, "every worker is known")

    def ask(self, method, path, body=None, seconds=30):
        """The reply; asks again while the manager is away, if that is harmless (GET)."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.http.request(method, path, body)
            except (OSError, http.client.HTTPException):
                self.http.close()
                if method != "GET" or time.monotonic() > end:
                    raise
                wait_until(lambda: lab.can_connect(self.port), seconds, "the manager listens")

    def alive(self, announced=False):
        """How many are; announced: of which the manager also knows what they are."""
        return sum(1 for p in self.ask("GET", "/proplets?limit=100").json()["proplets"]
                   if p["alive"] and (p["metadata"] or not announced))

    def wait_alive(self, count, seconds=20):
        wait_until(lambda: self.alive() == count, seconds, f"{count} workers alive", every=0.05)

    def restart_manager(self):
        self.manager.kill()
        self.manager.start()
        wait_until(lambda: lab.can_connect(self.port), 20, "the manager listens again")


class Load:
    """Tasks asked of the manager; what it acknowledged."""

    def __init__(self, world, module=WORK, function="work", **fields):
        self.w, self.function, self.fields = world, function, fields
        self.file = base64.b64encode(wat(module)).decode()
        self.accepted = {}  # id -> expected result: create and start were acknowledged
        self.unsure = 0     # requests without an answer

    def ask(self, number):
        try:
            made = self.w.ask("POST", "/tasks", {
                "name": "load", "function": self.function, "file": self.file,
                "inputs": [str(number)], "queue": True, **self.fields})
            if made.status != 201:
                raise lab.Failed(f"create: {made}")
            task = made.json()["id"]
            started = self.w.ask("POST", f"/tasks/{task}/start")
            if started.status != 200:
                raise lab.Failed(f"start: {started}")
            self.accepted[task] = str(number)
        except (OSError, http.client.HTTPException):
            self.unsure += 1
            wait_until(lambda: lab.can_connect(self.w.port), 20, "the manager listens")

    def finish(self, seconds=120):
        open_ = dict(self.accepted)
        good = failed = wrong = 0
        first = None
        end = time.monotonic() + seconds
        while open_ and time.monotonic() < end:
            for task, want in list(open_.items()):
                reply = self.w.ask("GET", f"/tasks/{task}")
                t = reply.json() if reply.status == 200 else {"state": -1}
                if t["state"] not in (COMPLETED, FAILED, INTERRUPTED):
                    continue
                del open_[task]
                if t["state"] == COMPLETED and t.get("results") == want:
                    good += 1
                else:
                    failed += t["state"] != COMPLETED
                    wrong += t["state"] == COMPLETED
                    first = first or f"{t.get('reason')}: {t.get('error')} (task {task})"
            if open_:
                time.sleep(0.05)
        self.w.l.note(f"{len(self.accepted)} acknowledged, {good} finished, {failed} failed, "
                      f"{wrong} wrong, {len(open_)} lost, {self.unsure} without an answer")
        if open_:
            first = self.w.ask("GET", f"/tasks/{next(iter(open_))}").body
        expect(not open_ and not failed and not wrong, f"the first: {first}")


def faults(l, count, rounds, fault, **world):
    """count tasks; a fault at `rounds` random moments while they are asked for."""
    r = l.dice()
    w = World(l, **world)
    load = Load(w)
    moments = sorted(r.sample(range(1, count), rounds))
    for i in range(count):
        if moments and i == moments[0]:
            moments.pop(0)
            fault(w, r)
        load.ask(i)
    load.finish()
    expect(w.manager.running() and all(p.running() for p in w.workers), "a program ended")


def test_without_faults(l):
    faults(l, l.options.tasks // 2, 0, None)


def test_manager_killed(l):
    """SIGKILL at random moments in the middle of the tasks."""
    faults(l, l.options.tasks, 5, lambda w, r: w.restart_manager())


def test_workers_killed(l):
    def kill(w, r):
        p = r.choice(w.workers)
        p.kill()
        p.start()
    faults(l, l.options.tasks, 5, kill)


def test_broker_killed(l):
    faults(l, l.options.tasks, 3, lambda w, r: w.broker.restart(kill=True))


def test_links_cut(l):
    def cut(w, r):
        r.choice([w.manager_link] + w.worker_links).reset()
    faults(l, l.options.tasks, 8, cut, linked=True)


def test_everything_at_once(l):
    def any_fault(w, r):
        which = r.randrange(4)
        if which == 0:
            w.restart_manager()
        elif which == 1:
            p = r.choice(w.workers)
            p.kill()
            p.start()
        elif which == 2:
            r.choice([w.manager_link] + w.worker_links).reset()
        else:
            w.broker.restart(kill=True)
    faults(l, l.options.tasks, 8, any_fault, linked=True)


def test_node_lost_for_good(l):
    """An idempotent task moves when its node goes silent; p.s. time from death to the move."""
    w = World(l)
    made = w.ask("POST", "/tasks", {
        "name": "load", "function": "spin", "file": base64.b64encode(spin_wasm()).decode(),
        "idempotent": True})
    task = made.json()["id"]
    expect_eq(w.ask("POST", f"/tasks/{task}/start").status, 200, "start")
    node = wait_until(lambda: w.ask("GET", f"/tasks/{task}").json().get("proplet_id"), 10, "placed")
    victim = next(p for p in w.workers if node in p.log())
    wait_until(lambda: victim.cpu_seconds() > 0.2, 10, "it runs")
    began = time.monotonic()
    victim.kill()
    w.wait_alive(2)

    def moved():
        t = w.ask("GET", f"/tasks/{task}").json()
        return t["state"] == 2 and t.get("proplet_id") not in (None, "", node)
    wait_until(moved, 30, "the task moves", every=0.02)
    l.note(f"moved {time.monotonic() - began:.2f} s after the node's death (heartbeat 0.5 s)")
    w.ask("POST", f"/tasks/{task}/stop")


def test_stalled_worker_is_replaced(l):
    """A node that hangs (SIGSTOP) sends no will: heartbeats tell."""
    w = World(l)
    w.workers[0].pause()
    began = time.monotonic()
    w.wait_alive(2)
    l.note(f"found dead after {time.monotonic() - began:.2f} s (heartbeat 0.5 s)")
    w.workers[0].go_on()
    w.wait_alive(3)


def options(parser):
    parser.add_argument("--tasks", type=int, default=300, help="tasks of each test (300)")
    parser.add_argument("--store", help="the manager's store instead of SQLite in the test's folder")


if __name__ == "__main__":
    lab.main(globals(), options)
