#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manager killed, the broker killed, workers lost: nothing that was acknowledged is lost, no
result counts twice. The figures are printed."""
import http.client
import json
import socket
import sqlite3
import threading

import lab
from fake_worker import P
from lab import expect, expect_eq, wait_until
from manager_test import FILE, NODE, NODE_2, World

OPTIONS = ("--lease-ms", 2000)


class Load:
    """Starts tasks from several threads and keeps what the manager acknowledged."""

    def __init__(self, w, total, threads=4, **task):
        self.w, self.total, self.task = w, total, task
        self.accepted, self.errors = [], 0
        self.lock = threading.Lock()
        self.left = total
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def _take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def _run(self):
        client = lab.Http(self.w.url, seconds=10)
        body = {"name": "add", "file": FILE, "inputs": ["1"], "start": True, **self.task}
        while self._take():
            try:
                r = client.post("/tasks", body)
                if r.status == 201:
                    with self.lock:
                        self.accepted.append(r.json()["id"])
                    continue
            except (OSError, http.client.HTTPException, ValueError):
                client.close()
            with self.lock:  # not acknowledged: try again
                self.errors += 1
                self.left += 1
            threading.Event().wait(0.02)

    def wait(self, seconds=60):
        for t in self.threads:
            t.join(seconds)
        expect(not any(t.is_alive() for t in self.threads), "the load ends")


def states(w, ids):
    """State and epoch of each task, by pages."""
    out, offset = {}, 0
    while True:
        page = w.call("GET", f"/tasks?limit=100&offset={offset}").json()
        out.update({t["id"]: t for t in page["tasks"]})
        offset += 100
        if offset >= page["total"]:
            return {i: out.get(i) for i in ids}


def settled(w, ids, seconds=60):
    def look():
        rows = states(w, ids)
        missing = [i for i, t in rows.items() if t is None]
        expect(not missing, f"{len(missing)} acknowledged tasks are not known any more")
        return rows if all(t["state"] >= 3 for t in rows.values()) else None
    return wait_until(look, seconds, "every acknowledged task ends", every=0.3)


def verdict(l, w, load, workers, what):
    rows = settled(w, load.accepted)
    lost = [i for i, t in rows.items() if t["state"] != 3 or t.get("results") != "1"]
    runs = sum(len(n.executed) for n in workers)
    twice = runs - len({key for n in workers for key in n.executed})
    again = sum(t["epoch"] > 1 for t in rows.values())
    late = [line.split()[-1] for line in w.call("GET", "/metrics").body.decode().splitlines()
            if line.startswith("proplet_manager_results_late_total")][0]
    l.note(f"{what}: {len(rows)} acknowledged, {len(rows) - len(lost)} finished, {len(lost)} lost, "
           f"{again} reassigned, {twice} run twice under one epoch, {late} late results refused, "
           f"{load.errors} requests not acknowledged")
    expect_eq(len(lost), 0, f"lost tasks {[rows[i] for i in lost[:2]]}")
    return rows


def test_manager_killed_amid_a_thousand_tasks(l):
    w = World(l, *OPTIONS)
    n = w.worker(metadata={"tasks_max": 60000}, delay=0.005)
    load = Load(w, 1000)
    for _ in range(5):
        had = len(load.accepted)
        wait_until(lambda: len(load.accepted) > had + 60 or load.left <= 0, 20, "some tasks go on")
        w.manager.kill()
        w.manager.start()
    w.ready()
    load.wait()
    verdict(l, w, load, [n], "manager killed 5 times")
    wait_until(lambda: not n.unacked, 20, "every result is acknowledged")


def test_manager_killed_at_random_moments(l):
    w = World(l, *OPTIONS)
    n = w.worker(metadata={"tasks_max": 60000}, delay=0.002)
    load = Load(w, 600)
    kills, dice = 0, l.dice()
    while load.left > 0:
        threading.Event().wait(dice.uniform(0.0, 0.25))
        w.manager.kill()
        w.manager.start()
        kills += 1
        had = len(load.accepted)
        wait_until(lambda: len(load.accepted) > had or load.left <= 0, 20, "it goes on")
    w.ready()
    load.wait()
    verdict(l, w, load, [n], f"manager killed {kills} times")


def test_broker_killed(l):
    w = World(l, *OPTIONS)
    n = w.worker(metadata={"tasks_max": 60000}, delay=0.005)
    load = Load(w, 400)
    for i in range(3):
        had = len(load.accepted)
        wait_until(lambda: len(load.accepted) > had + 40 or load.left <= 0, 20, "some tasks go on")
        w.broker.restart(kill=True)
    load.wait()
    verdict(l, w, load, [n], "broker killed 3 times")


def test_worker_lost(l):
    """Tasks that may run twice move at once; those with a lease when it is over."""
    w = World(l, *OPTIONS)
    first = w.worker()
    hang = w.create("hang", idempotent=True)
    kept = w.create("hang")
    leased = w.create("hang", policy="stop", lease_ms=1500)
    for t in (hang, kept, leased):
        w.start(t)
    wait_until(lambda: len(first.starts) == 3, 5, "the starts")
    first.silent = True
    second = w.worker(NODE_2)
    wait_until(lambda: w.task(hang)["epoch"] == 2, 10, "the idempotent task moves")
    wait_until(lambda: w.task(leased)["epoch"] == 2, 10, "the leased task moves")
    t = w.task(kept)
    expect_eq((t["state"], t["phase"], t["proplet_id"]), (2, "orphaned", NODE))
    expect("out of contact" in t["placement"]["reason"], "why it waits")
    wait_until(lambda: len(second.starts) == 2, 10, "both starts reach the second node")
    expect_eq(sorted(s["id"] for s in second.starts), sorted([hang["id"], leased["id"]]))
    first.silent = False
    wait_until(lambda: w.task(kept)["phase"] == "running", 10, "the other goes on when it is back")
    wait_until(lambda: {s["id"] for s in first.stops} == {hang["id"], leased["id"]}, 10,
               "the node that came back is told to stop")
    first.result({"id": hang["id"], "epoch": 1}, results="too late")
    wait_until(lambda: (hang["id"], 1) not in first.unacked, 5, "the late result is acknowledged")
    expect_eq((w.task(hang)["state"], w.task(hang).get("results")), (2, None))
    second.result({"id": hang["id"], "epoch": 2}, results="in time")
    expect_eq(w.ended(hang)["results"], "in time")


def test_worker_killed_under_load(l):
    w = World(l, *OPTIONS)
    workers = [w.worker(f"00000000-0000-4000-8000-00000000000{i}", delay=0.1, heartbeat=0.2)
               for i in range(3)]
    load = Load(w, 300, idempotent=True)
    wait_until(lambda: len(load.accepted) > 100, 20, "some tasks")
    victim = workers[0]
    victim.close()
    victim.c.publish = lambda *a, **k: None
    load.wait()
    verdict(l, w, load, workers, "a worker of three killed")


def test_lost_start_is_repeated(l):
    w = World(l)
    n = w.worker(heartbeat=0.2)
    deaf = n.c.on_message
    n.c.on_message = None
    t = w.create()
    w.start(t)
    wait_until(lambda: n.c.all(f"{P}/control/manager/start/#"), 5, "the start that nobody heard")
    n.c.on_message = deaf
    t = w.ended(t)
    expect_eq((t["state"], t["epoch"]), (3, 1))


def test_manager_away_results_wait(l):
    w = World(l)
    n = w.worker()
    t = w.create("hang")
    w.start(t)
    wait_until(lambda: n.starts, 5, "the start")
    w.manager.kill()
    n.result({"id": t["id"], "epoch": 1}, results="done while you were away")
    w.manager.start()
    w.ready()
    expect_eq(w.ended(t)["results"], "done while you were away")


def test_a_standby_takes_over(l):
    """One manager at a time has the store; one that stands by goes on where it ended."""
    w = World(l)
    n = w.worker()
    t = w.create("hang")
    w.start(t)
    wait_until(lambda: n.starts, 5, "the start")
    argv, port = list(w.manager.argv), lab.free_port()
    argv[argv.index("--http-port") + 1] = str(port)
    standby = l.process("standby", [*argv, "--standby"])
    standby.wait_log("stands by")
    status, _, err = l.run(argv)
    expect(status != 0 and "another manager is using it" in err, f"a second one ends: {status} {err}")
    w.start(w.create("hang"))
    wait_until(lambda: len(n.starts) == 2, 5, "the first manager works on")
    w.manager.kill()
    w.url = f"http://127.0.0.1:{port}"
    w.ready()
    n.result(n.starts[0], results="7")
    expect_eq(w.ended(t)["results"], "7")
    expect_eq(w.run()["state"], 3)
    expect_eq([s["id"] for s in n.starts].count(t["id"]), 1)


def test_a_standby_ends_when_asked(l):
    w = World(l)
    argv = list(w.manager.argv)
    argv[argv.index("--http-port") + 1] = str(lab.free_port())
    standby = l.process("standby", [*argv, "--standby"])
    standby.wait_log("stands by")
    expect_eq(standby.stop(), 0)


def test_anything_but_a_broker(l):
    """Nobody at the address, then somebody silent, then nonsense, then the broker: it tries on."""
    port = lab.free_port()
    m = l.process("manager", [l.bin("proplet-manager"), "--mqtt", f"tcp://127.0.0.1:{port}",
                              "--http-port", lab.free_port(), "--store",
                              f"sqlite://{l.folder}/manager.db"])
    m.wait_log("Connection refused")
    other = socket.create_server(("127.0.0.1", port))
    other.settimeout(10)
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 6, b"\x20\x02\0\x05"):
        near, _ = other.accept()
        near.sendall(answer)
        near.settimeout(0.2)
        try:
            near.recv(4096)
        except OSError:
            pass
        near.close()
    other.close()
    broker = l.broker(port=port)
    m.wait_log("connected to the broker", 40)
    expect(broker.running() and m.running(), "both run")


def test_backed_up_while_it_runs(l):
    """As operators do it, with SQLite's own means; and no second manager gets at the database."""
    w = World(l)
    w.worker()
    load = Load(w, 300)
    wait_until(lambda: len(load.accepted) > 100, 20, "some tasks")
    had = list(load.accepted)
    copy = sqlite3.connect(l.folder / "copy.db")
    source = sqlite3.connect(l.folder / "manager.db")
    source.backup(copy)
    source.close()
    copy.close()
    status, _, err = l.run([l.bin("proplet-manager"), "--http-port", lab.free_port(), "--store",
                            f"sqlite://{l.folder}/manager.db"])
    expect(status == 78 and "another manager is using it" in err, err)
    load.wait()
    settled(w, load.accepted)
    w.manager.stop()
    port = lab.free_port()
    l.process("restored", [l.bin("proplet-manager"), "--mqtt", w.broker.url, "--http-port", port,
                           "--store", f"sqlite://{l.folder}/copy.db"])
    wait_until(lambda: lab.can_connect(port), 10, "the restored one serves")
    http_ = l.http(f"http://127.0.0.1:{port}")
    missing = [i for i in had if http_.get(f"/tasks/{i}").status != 200]
    l.note(f"{len(had)} acknowledged before the backup, {len(missing)} not in it")
    expect_eq(missing, [])


def test_damaged_database(l):
    """Cut short, bits flipped, pages of zeros: it serves, or it ends and says why; nothing else."""
    w, dice = World(l), l.dice()
    w.worker()
    for i in range(20):
        w.run(inputs=[str(i)])
    w.start(w.create("hang"))
    w.manager.stop()
    whole = (l.folder / "manager.db").read_bytes()
    ends = {}
    for i in range(15):
        data = bytearray(whole)
        if i % 3 == 0:
            del data[dice.randrange(len(data)):]
        elif i % 3 == 1:
            for _ in range(dice.choice((1, 20, 500))):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        else:
            at = dice.randrange(len(data) // 4096) * 4096
            data[at:at + 4096] = bytes(4096)
        path, port = l.folder / f"damaged-{i}.db", lab.free_port()
        path.write_bytes(data)
        m = l.process(f"damaged-{i}", [
            l.bin("proplet-manager"), "--mqtt", w.broker.url, "--entity", "other", "--http-port", port,
            "--store", f"sqlite://{path}", "--log-level", "error"])
        wait_until(lambda: not m.running() or lab.can_connect(port), 10, "it serves or ends")
        http_ = lab.Http(f"http://127.0.0.1:{port}", seconds=10)
        try:
            for method, at in (("GET", "/tasks"), ("GET", "/proplets"), ("POST", "/tasks")):
                r = http_.request(method, at, {"name": "a", "file": FILE} if method == "POST" else None)
                expect(r.status in (200, 201, 500), f"{method} {at}: {r}")
        except (OSError, http.client.HTTPException):
            m.wait(10)
        http_.close()
        status = m.stop() if m.running() else m.wait()
        expect(status in (0, 74, 78), f"exit status {status}; see {m.log_path}")
        reasons = ("proplet-manager: cannot", "the database has schema version", "the store failed")
        expect(status == 0 or any(r in m.log() for r in reasons), m.log())
        ends[status] = ends.get(status, 0) + 1
    l.note(f"{ends.get(0, 0)} served, {15 - ends.get(0, 0)} ended with a reason")


def test_sigterm_is_clean(l):
    w = World(l)
    w.worker()
    t = w.create("hang")
    w.start(t)
    conn = http.client.HTTPConnection("127.0.0.1", w.port, timeout=10)
    conn.request("GET", f"/tasks/{t['id']}/results?wait_ms=30000")
    expect_eq(w.manager.stop(5), 0, "exit status")
    expect_eq(conn.getresponse().status, 200, "who waited gets an answer")
    w.manager.start()
    w.ready()
    expect_eq(w.task(t)["state"], 2)
    expect(json.loads(w.call("GET", f"/proplets/{NODE}/alive-history").body) is not None, "history")


if __name__ == "__main__":
    lab.main(globals())
