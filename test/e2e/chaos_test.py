#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything is killed and cut at random moments, for long, on each store. The figures are printed.

The manager gets SIGKILL again and again while tasks are asked for and run; in between workers are
killed, the broker is restarted, and links stall or are cut. What the manager acknowledged has to end
with its own result; a task that is to stay with its worker must be run to its end by one only.
--kills N: how often the manager is killed (20); --seed N: the same moments again.
"""
import base64
import http.client
import random
import threading

import lab
from lab import expect, expect_eq, free_port, wait_until
from manager_postgres_test import Postgres
from mqtt_client import Mqtt, MqttError
from side import P, wat

COMPLETED = 3
WORK = """(module (func (export "work") (param i32 i32) (result i32) (local i32)
    (loop (local.set 2 (i32.add (local.get 2) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 2) (local.get 1))))
    (local.get 0)))"""
HEARTBEAT_MS, LEASE_MS = 500, 3000


class Ear:
    """Hears every result that a worker publishes, also those that waited at the broker."""

    def __init__(self, port):
        self.port, self.done = port, {}  # task -> {(worker, epoch)}
        self.stopped = threading.Event()
        self.connect()
        threading.Thread(target=self._watch, daemon=True).start()

    def connect(self):
        self.c = Mqtt(self.port, "ear", clean=False, on_message=self._on)
        self.c.subscribe(f"{P}/control/proplet/results", qos=1)

    def _on(self, client, message):
        m = message.json()
        if m.get("reason") == "done":
            self.done.setdefault(m["task_id"], set()).add((m["proplet_id"], m.get("epoch")))

    def _watch(self):
        while not self.stopped.wait(0.1):
            if self.c.closed:
                try:
                    self.connect()
                except (OSError, MqttError):
                    pass  # the broker is away

    def close(self):
        self.stopped.set()
        self.c.close()


class World:
    """Broker, manager, workers, a link for each; a load that goes on until it is told to end."""

    def __init__(self, l, store, workers=3, threads=3):
        self.l, self.workers, self.links = l, [], []
        self.broker = l.broker()
        self.port = free_port()
        self.manager_link = l.link(self.broker)
        self.manager = l.process("manager", [
            l.bin("proplet-manager"), "--http-port", self.port, "--store", store,
            "--lease-ms", LEASE_MS], env={"MANAGER_MQTT_ADDRESS": self.manager_link.url})
        self.ear = Ear(self.broker.port)
        l.own(self.ear)
        for i in range(workers):
            self.links.append(l.link(self.broker))
            self.workers.append(l.process(f"worker{i}", [
                l.bin("proplet"), "--mqtt-address", self.links[i].url, "--state-dir",
                l.folder / f"state{i}", "--heartbeat-ms", HEARTBEAT_MS]))
        self.file = base64.b64encode(wat(WORK)).decode()
        self.accepted, self.unanswered, self.number = {}, 0, 0
        self.lock, self.enough = threading.Lock(), threading.Event()
        wait_until(lambda: self.alive() == workers, 60, "the workers are alive")
        self.threads = [threading.Thread(target=self._ask, args=(i,), daemon=True)
                        for i in range(threads)]
        for t in self.threads:
            t.start()

    def get(self, path, seconds=30):
        client = lab.Http(f"http://127.0.0.1:{self.port}", seconds=10)

        def ask():
            try:
                return client.get(path)
            except (OSError, http.client.HTTPException):
                client.close()
                return None
        return wait_until(ask, seconds, f"an answer to GET {path}", every=0.1)

    def alive(self):
        return sum(1 for p in self.get("/proplets?limit=100").json()["proplets"] if p["alive"])

    def _ask(self, seed):
        client = lab.Http(f"http://127.0.0.1:{self.port}", seconds=5)
        r = random.Random(seed)
        while not self.enough.wait(0.02):
            with self.lock:
                self.number += 1
                number = self.number
            policy = r.choice(("keep", "keep", "stop", "park"))
            try:
                reply = client.post("/tasks", {
                    "name": "load", "function": "work", "file": self.file, "queue": True,
                    "inputs": [str(number), str(r.choice((1000, 100000, 3000000)))],
                    "policy": policy, "start": True})
                if reply.status == 201:
                    with self.lock:
                        self.accepted[reply.json()["id"]] = (str(number), policy)
                    continue
            except (OSError, http.client.HTTPException, ValueError):
                client.close()
                self.enough.wait(0.05)
            with self.lock:
                self.unanswered += 1

    def states(self):
        out, offset = {}, 0
        while True:
            page = self.get(f"/tasks?limit=100&offset={offset}").json()
            out.update({t["id"]: t for t in page["tasks"]})
            offset += 100
            if offset >= page["total"]:
                return out

    def finish(self, seconds=240):
        self.enough.set()
        for t in self.threads:
            t.join(20)
        rows = {}

        def ended():
            rows.update(self.states())
            return all(i in rows and rows[i]["state"] >= COMPLETED for i in self.accepted)
        try:
            wait_until(ended, seconds, "every acknowledged task ends", every=0.5)
        except lab.Failed:
            pass  # the figures tell
        return rows


def mischief(w, r, figures):
    """Something else that goes wrong, at times."""
    what = r.randrange(12)
    link = r.choice(w.links + [w.manager_link])
    if what == 0:
        victim = r.choice(w.workers)
        victim.kill()
        victim.start()
        figures["workers killed"] += 1
    elif what == 1:
        w.broker.restart(kill=r.random() < 0.5)
        figures["broker restarts"] += 1
    elif what in (2, 3):
        link.reset()
        figures["links cut"] += 1
    elif what == 4:
        link.cut()
        threading.Timer(r.uniform(0.1, 2.5 * LEASE_MS / 1000), link.mend).start()
        figures["links cut"] += 1
    elif what == 5:
        link.stall()
        threading.Timer(r.uniform(0.1, 1.5 * LEASE_MS / 1000), link.mend).start()
        figures["links stalled"] += 1


def chaos(l, store, what):
    r = l.dice()
    figures = dict.fromkeys(("workers killed", "broker restarts", "links cut", "links stalled"), 0)
    w = World(l, store)
    for _ in range(l.options.kills):
        threading.Event().wait(r.uniform(0, 0.4))  # the moment is what is tested
        w.manager.kill()
        w.manager.start()
        mischief(w, r, figures)
        had = len(w.accepted)
        wait_until(lambda: len(w.accepted) > had, 60, "the manager takes tasks again")
    for link in w.links + [w.manager_link]:
        link.mend()
    rows = w.finish()
    tell(l, w, rows, f"{what}: manager killed {l.options.kills} times, " +
         ", ".join(f"{k} {v}" for k, v in figures.items()))


def is_double(policy, done, counted):
    """done: (worker, epoch) that ran the task to its end; counted: the epoch whose result counts. One that
    is to stay with its worker ends once; any other one once under each epoch, and not after the one that
    counts: it may end again only for a worker whose lease was over, under an older epoch, in vain."""
    epochs = [epoch for _, epoch in done]
    return (policy == "keep" and len(done) > 1) or len(set(epochs)) < len(epochs) or \
        any(epoch > counted for epoch in epochs)


def tell(l, w, rows, what):
    lost = [i for i in w.accepted if i not in rows or rows[i]["state"] < COMPLETED]
    good = [i for i, (want, _) in w.accepted.items() if i in rows and
            rows[i]["state"] == COMPLETED and rows[i].get("results") == want]
    failed = [i for i in w.accepted if i not in lost and i not in good]
    moved = sum(1 for i in w.accepted if i in rows and rows[i]["epoch"] > 1)
    double = [i for i, (_, policy) in w.accepted.items() if i in rows and
              is_double(policy, w.ear.done.get(i, ()), rows[i]["epoch"])]
    again = sum(1 for i, (_, policy) in w.accepted.items()
                if policy != "keep" and len(w.ear.done.get(i, ())) > 1)
    l.note(f"{what}: accepted {len(w.accepted)}, finished {len(good)}, failed {len(failed)}, "
           f"reassigned {moved}, lost {len(lost)}, double {len(double)}; run to the end again after "
           f"their lease {again}, requests without an answer {w.unanswered}")
    expect_eq(len(lost), 0, f"lost tasks, as {[rows.get(i) for i in lost[:2]]}")
    expect_eq(len(failed), 0, f"failed tasks, as {[rows.get(i) for i in failed[:2]]}")
    expect_eq(len(double), 0, f"double tasks, as {[(i, w.ear.done[i]) for i in double[:2]]}")
    expect(w.manager.running() and all(p.running() for p in w.workers), "a program ended")


def test_sqlite(l):
    chaos(l, f"sqlite://{l.folder}/manager.db", "SQLite")


def test_postgres(l):
    chaos(l, Postgres(l).url, "PostgreSQL")


def options(parser):
    parser.add_argument("--kills", type=int, default=20, help="how often the manager is killed")


if __name__ == "__main__":
    lab.main(globals(), options)
