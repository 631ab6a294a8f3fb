#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manager with a real broker and scripted workers: every endpoint, every message, bad input."""
import base64
import hashlib
import http.client
import http.server
import itertools
import json
import re
import socket
import threading
import uuid

import lab
from fake_worker import P, Worker
from lab import expect, expect_eq, wait_until

WASM = b"\0asm\1\0\0\0"
FILE = base64.b64encode(WASM).decode()
NODE = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"
NODE_2 = "77777777-5b0c-4f7e-8b7f-1d2a1f7f4e22"
NOBODY = "00000000-0000-4000-8000-000000000000"


class World:
    """Broker, manager, HTTP client."""

    def __init__(self, l, *options, broker=None):
        self.l, self.broker = l, broker or l.broker()
        self.port = lab.free_port()
        self.manager = l.process("manager", [
            l.bin("proplet-manager"), "--mqtt", f"tcp://127.0.0.1:{self.broker.port}",
            "--http-port", self.port, "--store", f"sqlite://{l.folder}/manager.db",
            "--heartbeat-ms", 1000, "--stop-wait-ms", 500, "--start-wait-ms", 500, *options])
        self.url = f"http://127.0.0.1:{self.port}"
        self.ready()

    def ready(self):
        def look():
            try:
                return self.call("GET", "/health").json()["broker"] == "connected"
            except (OSError, http.client.HTTPException):
                return False
        wait_until(look, 10, "the manager is connected to the broker", every=0.02)

    def call(self, method, path, body=None, headers=None):
        client = lab.Http(self.url)
        try:
            return client.request(method, path, body, headers)
        finally:
            client.close()

    def worker(self, worker_id=NODE, **kw):
        w = self.l.own(Worker(self.broker.port, worker_id, **kw))
        wait_until(lambda: self.node(worker_id).get("alive"), 10, f"{worker_id} is alive")
        return w

    def node(self, worker_id):
        r = self.call("GET", f"/proplets/{worker_id}")
        return r.json() if r.status == 200 else {}

    def create(self, name="add", **more):
        r = self.call("POST", "/tasks", {"name": name, "file": FILE, **more})
        expect_eq(r.status, 201, f"POST /tasks {r}")
        return r.json()

    def start(self, task, want=200, query=""):
        r = self.call("POST", f"/tasks/{task['id']}/start{query}")
        expect_eq(r.status, want, f"start {r}")
        return r

    def task(self, task):
        return self.call("GET", f"/tasks/{task['id']}").json()

    def ended(self, task, seconds=10):
        self.call("GET", f"/tasks/{task['id']}/results?wait_ms={seconds * 1000}")
        t = self.task(task)
        expect(t["state"] >= 3, f"task has not ended: {t}")
        return t

    def run(self, name="add", **more):
        r = self.call("POST", "/tasks?wait_ms=10000",
                      {"name": name, "file": FILE, "start": True, **more})
        expect_eq(r.status, 201, f"run {r}")
        return r.json()


def test_every_endpoint(l):
    """Propeller's endpoints with their statuses and envelopes, then ours, on one world."""
    w = World(l)
    w.worker()
    t = w.run(inputs=[1, 2])
    tid = t["id"]
    job = w.call("POST", "/jobs", {"name": "j", "tasks": [{"name": "add", "file": FILE}]}).json()
    jid = job["job_id"]
    wf = w.call("POST", "/workflows", {"tasks": [{"name": "add", "file": FILE}]}).json()
    wid = wf["workflow_id"]
    digest = "sha256:" + hashlib.sha256(WASM).hexdigest()
    J = {"Content-Type": "application/json"}
    page = {"offset", "limit", "total"}
    table = [
        # method, path, body, headers, status, keys that the answer has
        ("GET", "/health", None, None, 200,
         {"status", "version", "commit", "description", "build_time", "instance_id"}),
        ("GET", "/metrics", None, None, 200, None),
        ("GET", "/proplets", None, None, 200, page | {"proplets"}),
        ("GET", "/proplets/", None, None, 200, page | {"proplets"}),
        ("GET", "/proplets?status=active", None, None, 200, page | {"proplets"}),
        ("GET", "/proplets?status=inactive&offset=0&limit=5", None, None, 200, page | {"proplets"}),
        ("GET", "/proplets?status=odd", None, None, 400, {"error"}),
        ("GET", "/proplets?offset=-1", None, None, 400, {"error"}),
        ("GET", "/proplets?limit=x", None, None, 400, {"error"}),
        ("GET", f"/proplets/{NODE}", None, None, 200,
         {"id", "name", "task_count", "alive", "last_alive_at", "metadata"}),
        ("GET", f"/proplets/{NOBODY}", None, None, 404, {"error"}),
        ("GET", "/proplets/nobody", None, None, 400, {"error"}),
        ("GET", f"/proplets/{NODE}/sdf", None, None, 200, {"info", "sdfThing", "sdfData"}),
        ("GET", f"/proplets/{NODE}/metrics", None, None, 200, page | {"metrics"}),
        ("GET", f"/proplets/{NODE}/alive-history", None, None, 200, page | {"history"}),
        ("GET", f"/proplets/{NODE}/events", None, None, 200, page | {"events"}),
        ("GET", f"/proplets/{NODE}/tasks", None, None, 200, page | {"tasks"}),
        ("GET", f"/nodes/{NODE}", None, None, 200, {"id", "name"}),
        ("DELETE", f"/proplets/{NOBODY}", None, None, 404, {"error"}),
        ("GET", "/tasks", None, None, 200, page | {"tasks"}),
        ("GET", "/tasks/?limit=1", None, None, 200, page | {"tasks"}),
        ("GET", "/tasks?find=add", None, None, 200, page | {"tasks"}),
        ("GET", f"/tasks?find={tid[:8]}", None, None, 200, page | {"tasks"}),
        ("GET", f"/proplets?find={NODE[:8]}", None, None, 200, page | {"proplets"}),
        ("GET", "/jobs?find=j&status=pending", None, None, 200, page | {"jobs"}),
        ("GET", "/tasks?limit=0", None, None, 400, {"error"}),
        ("GET", "/tasks?limit=101", None, None, 400, {"error"}),
        ("GET", "/tasks?metadata=nonsense", None, None, 400, {"error"}),
        ("GET", "/tasks?state=completed", None, None, 200, page | {"tasks"}),
        ("GET", "/tasks?state=odd", None, None, 400, {"error"}),
        ("GET", f"/tasks/{tid}", None, None, 200, {"id", "name", "state", "cli_args", "created_at",
                                                   "start_time", "finish_time", "results", "kind",
                                                   "daemon", "encrypted", "priority", "updated_at",
                                                   "next_run", "inputs", "proplet_id"}),
        ("GET", f"/tasks/{NOBODY}", None, None, 404, {"error"}),
        ("GET", "/tasks/no-uuid", None, None, 400, {"error"}),
        ("POST", f"/tasks/{NOBODY}/start", None, None, 404, {"error"}),
        ("POST", f"/tasks/{NOBODY}/stop", None, None, 404, {"error"}),
        ("POST", f"/tasks/{tid}/start", None, None, 200, {"started"}),
        ("POST", f"/tasks/{tid}/invoke", None, None, 409, {"error"}),
        ("GET", f"/tasks/{tid}/results?wait_ms=5000", None, None, 200, {"results"}),
        ("POST", f"/tasks/{tid}/stop", None, None, 200, {"stopped"}),
        ("GET", f"/tasks/{tid}/metrics", None, None, 200, page | {"metrics"}),
        ("GET", f"/tasks/{tid}/logs", None, None, 200, page | {"logs"}),
        ("GET", f"/tasks/{tid}/outputs", None, None, 200, page | {"outputs"}),
        ("GET", f"/tasks/{tid}/parts", None, None, 200, page | {"parts"}),
        ("GET", f"/tasks/{tid}/events", None, None, 200, page | {"events"}),
        ("GET", f"/tasks/{tid}/placement", None, None, 200, {"reason", "summary", "nodes"}),
        ("PUT", f"/tasks/{tid}", {"name": "sum", "inputs": ["3"]}, None, 200, {"id", "name"}),
        ("PUT", f"/tasks/{NOBODY}", {"name": "x"}, None, 404, {"error"}),
        ("PUT", f"/tasks/{tid}/upload", b"no wasm", {"Content-Type": "application/wasm"}, 400,
         {"error"}),
        ("PUT", f"/tasks/{tid}/upload", WASM, {"Content-Type": "application/wasm"}, 200, {"id"}),
        ("POST", "/tasks", b"{}", None, 400, {"error"}),
        ("POST", "/tasks", b"{}", J, 400, {"error"}),
        ("POST", "/tasks", b"{", J, 400, {"error"}),
        ("POST", "/tasks", b"[]", J, 400, {"error"}),
        ("GET", "/jobs", None, None, 200, page | {"jobs"}),
        ("GET", "/jobs?status=pending", None, None, 200, page | {"jobs"}),
        ("GET", "/jobs?status=odd", None, None, 400, {"error"}),
        ("GET", f"/jobs/{jid}", None, None, 200, {"job_id", "tasks"}),
        ("GET", f"/jobs/{NOBODY}", None, None, 404, {"error"}),
        ("POST", f"/jobs/{jid}/start", None, None, 200, {"message", "job_id"}),
        ("POST", f"/jobs/{jid}/stop", None, None, 200, {"message", "job_id"}),
        ("POST", f"/jobs/{NOBODY}/start", None, None, 404, {"error"}),
        ("POST", "/jobs", {"name": "x", "tasks": []}, None, 400, {"error"}),
        ("POST", "/jobs", {"name": "x", "tasks": [{"name": "a"}], "execution_mode": "odd"}, None, 400,
         {"error"}),
        ("GET", "/workflows", None, None, 200, page | {"workflows"}),
        ("GET", f"/workflows/{wid}", None, None, 200, {"workflow_id", "state", "tasks"}),
        ("POST", f"/workflows/{wid}/start", None, None, 200, {"message", "workflow_id"}),
        ("POST", f"/workflows/{wid}/stop", None, None, 200, {"message", "workflow_id"}),
        ("POST", "/workflows", {"tasks": [{}]}, None, 400, {"error"}),
        ("GET", "/modules", None, None, 200, page | {"modules"}),
        ("POST", "/modules", WASM, {"Content-Type": "application/wasm"}, 201, {"digest", "size"}),
        ("POST", "/modules", b"hello", {"Content-Type": "application/wasm"}, 400, {"error"}),
        ("GET", f"/modules/{digest}", None, None, 200, {"digest", "size"}),
        ("HEAD", f"/modules/{digest}", None, None, 200, None),
        ("GET", "/modules/sha256:00", None, None, 404, {"error"}),
        ("GET", f"/modules/{digest}/bytes", None, None, 200, None),
        ("POST", f"/proplets/{NODE}/drain", {"drain": False}, None, 200, {"id", "draining"}),
        ("POST", "/fl/experiments", {"round_id": "r"}, None, 501, {"error"}),
        ("GET", "/fl/task?round_id=r&proplet_id=p", None, None, 501, {"error"}),
        ("POST", "/fl/update", {}, None, 501, {"error"}),
        ("POST", "/fl/update_cbor", b"", None, 501, {"error"}),
        ("GET", "/fl/rounds/r/complete", None, None, 501, {"error"}),
        ("GET", "/openapi.json", None, None, 200, {"openapi", "paths"}),
        ("GET", "/", None, None, 200, None),
        ("GET", "/nowhere", None, None, 404, None),
        ("GET", "/a/b/c/d/e/f/g/h", None, None, 404, None),
        ("PATCH", f"/tasks/{tid}", None, None, 405, None),
        ("DELETE", f"/tasks/{tid}", None, None, 204, None),
        ("GET", f"/tasks/{tid}", None, None, 404, {"error"}),
        ("DELETE", f"/tasks/{tid}", None, None, 404, {"error"}),
    ]
    wrong = []
    for method, path, body, headers, status, keys in table:
        r = w.call(method, path, body, headers)
        if r.status != status:
            wrong.append(f"{method} {path}: {r}, expected {status}")
        elif keys and not keys <= set(r.json()):
            wrong.append(f"{method} {path}: {sorted(keys - set(r.json()))} missing in {r}")
    expect(not wrong, "\n      ".join(wrong))
    expect(w.call("GET", f"/modules/{digest}/bytes").body == WASM, "the module's bytes")
    paths = w.call("GET", "/openapi.json").json()["paths"]
    expect("post" in paths["/tasks/{id}/start"], "the description has every route")
    l.note(f"{len(table)} requests")


def test_refusals_name_the_key(l):
    w = World(l)
    table = [
        ({}, "name: is missing"),
        ({"name": ""}, "name: must not be empty"),
        ({"name": 5}, "name: expected a string"),
        ({"name": "a", "inputs": [True]}, "inputs[0]: expected a string or a number"),
        ({"name": "a", "inputs": ["x", {}]}, "inputs[1]"),
        ({"name": "a", "inputs": "x"}, "inputs: expected an array"),
        ({"name": "a", "env": {"A": 1}}, "env.A: expected a string"),
        ({"name": "a", "priority": 101}, "priority: 101 is not within 0..100"),
        ({"name": "a", "priority": "high"}, "priority: expected a whole number"),
        ({"name": "a", "schedule": "* * *"}, "schedule"),
        ({"name": "a", "schedule": "0 0 30 2 *"}, "never comes"),
        ({"name": "a", "timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus' is not known"),
        ({"name": "a", "timezone": "../zoneinfo/UTC"}, "timezone"),
        ({"name": "a", "run_if": "maybe"}, "run_if"),
        ({"name": "a", "broadcast": True, "proplet_id": NODE}, "broadcast: excludes proplet_id"),
        ({"name": "a", "file": "%%%"}, "file: is not padded standard base64"),
        ({"name": "a", "file": "aGVsbG8gd29ybGQ="}, "file: is no WebAssembly module"),
        ({"name": "a", "limits": {"fule": 1}}, "limits.fule: there is no such key"),
        ({"name": "a", "limits": {"fuel": -1}}, "limits.fuel"),
        ({"name": "a", "constraints": {"arch": 7}}, "constraints.arch: expected a string"),
        ({"name": "a", "constraints": {"power": "solar"}}, "constraints.power"),
        ({"name": "a", "policy": "forget"}, "policy: 'forget' is none of keep, stop, park"),
        ({"name": "a", "daemon": "yes"}, "daemon: expected true or false"),
        ({"name": "a", "module": {"digest": "md5:1"}}, "module.digest"),
        ({"name": "a", "module": {"digest": "sha256:" + "0" * 64}}, "is not known here"),
        ({"name": "a", "depends_on": ["x"]}, "depends_on: needs workflow_id"),
        ({"name": "a", "metadata": {"a": "x" * (1 << 20)}}, "metadata: is larger than 1 MiB"),
    ]
    wrong = [f"{json.dumps(b)[:80]}: {r}, expected {text!r}" for b, text in table
             for r in [w.call("POST", "/tasks", b)]
             if r.status != 400 or text not in r.json()["error"]]
    expect(not wrong, "\n      ".join(wrong))
    r = w.call("POST", "/jobs", {"name": "j", "tasks": [{"name": "a"}, {"name": "b", "priority": -1}]})
    expect("tasks[1].priority" in r.json()["error"], f"the index of a job's task: {r}")
    for body, text in [
        ([{"id": "a", "name": "a", "depends_on": ["b"]}, {"id": "b", "name": "b", "depends_on": ["a"]}],
         "circle"),
        ([{"id": "a", "name": "a", "depends_on": ["a"]}], "circle"),
        ([{"id": "a", "name": "a", "depends_on": ["z"]}], "there is no task 'z'"),
        ([{"id": "a", "name": "a"}, {"id": "a", "name": "b"}], "is there twice"),
        ([{"id": "a/b", "name": "a"}], "is no id"),
    ]:
        r = w.call("POST", "/workflows", {"tasks": body})
        expect(r.status == 400 and text in r.json()["error"], f"{body}: {r}")


def test_a_task_to_our_worker(l):
    w = World(l)
    n = w.worker()
    body = json.dumps({"name": "add", "file": FILE, "inputs": ["10", 0, 30], "env": {"A": "b"},
                       "function": "f", "limits": {"fuel": 1000}, "capabilities": [],
                       "metadata": {"owner": "me"}}).replace(" 0,", " 2.50,")
    t = w.call("POST", "/tasks", body, {"Content-Type": "application/json; charset=utf-8"}).json()
    expect_eq((t["state"], t["priority"], t["kind"]), (0, 50, "standard"))
    expect_eq(t["finish_time"], "0001-01-01T00:00:00Z")
    w.start(t)
    t = w.ended(t)
    expect_eq((t["state"], t["results"], t["fuel"], t["reason"]), (3, "42.5", 7, "done"))
    s = n.starts[0]
    expect_eq((s["inputs"], s["env"], s["function"], s["limits"], s["epoch"], s["file"]),
              (["10", "2.50", "30"], {"A": "b"}, "f", {"fuel": 1000}, 1, FILE))
    expect_eq((s["broadcast"], s["daemon"], s["cli_args"], s["proplet_id"]),
              (False, False, None, NODE))
    wait_until(lambda: not n.unacked, 5, "the result is acknowledged")
    w.start(t)  # a task can run again
    expect_eq(w.ended(t)["epoch"], 2)
    expect_eq(w.call("GET", "/tasks?metadata=" + "%7B%22owner%22%3A%22me%22%7D").json()["total"], 1)
    expect_eq(w.call("GET", "/tasks?metadata=" + "%7B%22owner%22%3A%22you%22%7D").json()["total"], 0)


def test_a_trap_and_a_refusal(l):
    w = World(l)
    w.worker()
    t = w.run("trap")
    expect_eq((t["state"], t["error"], t["reason"]), (4, "trap: unreachable", "trap"))
    t = w.run("refuse")
    expect_eq((t["state"], t["error"], t["reason"]), (4, "refused: no room", "refused"))
    t = w.run("trap", restart={"attempts": 2, "backoff_ms": 10})
    expect_eq((t["state"], t["epoch"]), (4, 3))


def test_stop(l):
    w = World(l)
    n = w.worker()
    t = w.create("hang")
    r = w.call("POST", f"/tasks/{t['id']}/stop")
    expect_eq(r.status, 409, "stop of a task that never started")
    w.start(t)
    wait_until(lambda: n.starts, 5, "the start")
    expect_eq(w.start(t, 409).json()["error"], "the task is running already")
    expect_eq(w.call("DELETE", f"/proplets/{NODE}").status, 409, "delete of a node with tasks")
    expect_eq(w.call("POST", f"/tasks/{t['id']}/stop").json(), {"stopped": True})
    t = w.ended(t)
    expect_eq((t["state"], t["error"]), (6, "stopped"))
    expect_eq(n.stops[0]["epoch"], 1)


def test_no_node(l):
    w = World(l)
    t = w.create()
    expect_eq(w.start(t, 500).json()["error"], "no active proplets available")
    r = w.start(t, 200, "?queue=true").json()
    expect_eq((r["started"], r["queued"]), (True, True))
    expect("no proplet" in w.task(t)["placement"]["reason"], "the reason is visible")
    w.worker()
    expect_eq(w.ended(t)["state"], 3)
    t = w.create(constraints={"arch": "xtensa", "labels": {"room": "1"}}, capabilities=["gpio"])
    error = w.start(t, 500).json()["error"]
    expect("1 node: lacks arch xtensa" in error, error)
    nodes = w.call("GET", f"/tasks/{t['id']}/placement").json()["nodes"]
    expect_eq((nodes[0]["verdict"], nodes[0]["reason"]), ("requirement", "lacks arch xtensa"))
    w.start(t, 200, "?queue=true")
    w.worker(NODE_2, metadata={"cpu_arch": "xtensa", "labels": {"room": "1"},
                               "capabilities": ["gpio", "kv"]})
    expect_eq(w.ended(t)["proplet_id"], NODE_2)


def test_propellers_rust_worker(l):
    w = World(l)
    n = w.worker(kind="rust")
    t = w.run(inputs=["1", "2"])
    expect_eq((t["state"], t["results"]), (3, "3"))
    expect("epoch" not in n.starts[0] and "module" not in n.starts[0], f"{n.starts[0]}")
    expect_eq(n.starts[0]["file"], FILE)
    d = w.create("hang", daemon=True)
    w.start(d)
    wait_until(lambda: len(n.starts) == 2, 5, "the start")
    n.say("results", {"task_id": d["id"], "proplet_id": NODE, "results": "", "error": None})
    w.run(inputs=["1"])
    expect_eq(w.task(d)["state"], 2, "a daemon that was reported as begun")
    w.call("POST", f"/tasks/{d['id']}/stop")
    w.ended(d)
    expect_eq({k: n.stops[0][k] for k in ("id", "name", "state")},
              {"id": d["id"], "name": "hang", "state": "2"})
    lost = w.create("hang")
    w.start(lost)
    wait_until(lambda: len(n.starts) == 4, 5, "the start")
    n.running.clear()
    n.create()  # it restarted
    t = w.ended(lost)
    expect_eq((t["state"], t["reason"]), (4, "lost"))


def test_propellers_embedded_worker(l):
    w = World(l)
    n = w.worker(kind="embedded")
    t = w.run(inputs=["1", "2.5", "x"])
    expect_eq(n.starts[0]["inputs"], [1, 2.5, 0])
    expect_eq((t["state"], t["results"]), (3, "3.5"))
    m = w.node(NODE)
    expect_eq(m["heartbeat_ms"], 30000)
    n.say("metrics", {"proplet_id": NODE, "timestamp": 12345, "cpu_metrics": {"percent": 0},
                      "memory_metrics": {"heap_free_bytes": 5}})
    wait_until(lambda: w.call("GET", f"/proplets/{NODE}/metrics").json()["total"] == 1, 5, "metrics")


def test_results_of_any_form(l):
    w = World(l)
    n = w.worker(kind="rust")
    for results, error, state in [({"w": [1, 2.5]}, None, 3), ("x", "", 3), (None, None, 3),
                                  ("", "boom", 4), ([1], None, 3), (7, None, 3)]:
        t = w.create("hang")
        w.start(t)
        wait_until(lambda: n.starts and n.starts[-1]["id"] == t["id"], 5, "the start")
        n.say("results", {"task_id": t["id"], "proplet_id": NODE, "results": results, "error": error})
        r = w.call("GET", f"/tasks/{t['id']}/results?wait_ms=5000")
        expect_eq(w.task(t)["state"], state)
        expect_eq(r.json()["results"] if r.body else None, results)


def test_timestamps(l):
    w = World(l)
    n = w.worker(kind="rust")
    n.say("metrics", {"proplet_id": NODE, "timestamp": "2026-01-02T03:04:05.678Z"})
    n.say("metrics", {"proplet_id": NODE,
                      "timestamp": {"secs_since_epoch": 1766448000, "nanos_since_epoch": 120000000}})
    n.say("task_metrics", {"task_id": NOBODY, "proplet_id": NODE, "aggregated": None,
                           "metrics": {"cpu_percent": 1.5}, "timestamp": "2026-01-02T03:04:05Z"})
    rows = wait_until(lambda: (lambda r: r["total"] == 2 and r["metrics"])(
        w.call("GET", f"/proplets/{NODE}/metrics").json()), 5, "metrics")
    expect_eq(sorted(r["timestamp"] for r in rows),
              ["2025-12-23T00:00:00.120Z", "2026-01-02T03:04:05.678Z"])
    rows = wait_until(lambda: w.call("GET", f"/tasks/{NOBODY}/metrics").json()["metrics"], 5, "metrics")
    expect("aggregated" not in rows[0], "null is absent")


def test_latent_and_invoke(l):
    w = World(l)
    w.worker()
    t = w.create("greet", latent=True)
    r = w.call("POST", f"/tasks/{t['id']}/invoke")
    expect_eq(r.status, 409, f"invoke before start: {r}")
    w.start(t)
    r = w.call("POST", f"/tasks/{t['id']}/invoke", {"inputs": ["a", 1.0], "env": {"G": "h"}})
    expect_eq(r.json(), {"invoked": True, "results": "hello a 1.0"})
    r = w.call("POST", f"/tasks/{t['id']}/invoke")
    expect_eq(r.json()["results"], "hello ")
    r = w.call("POST", f"/tasks/{t['id']}/invoke", {"inputs": ["fail"]})
    expect_eq((r.status, r.json()["error"]), (500, "trap: unreachable"))
    r = w.call("POST", f"/tasks/{t['id']}/invoke?wait_ms=100", {"inputs": ["silent"]})
    expect_eq(r.status, 500)
    r = w.call("POST", f"/tasks/{t['id']}/invoke", {"inputs": [{}]})
    expect_eq(r.status, 400)
    plain = w.create("hang")
    w.start(plain)
    expect_eq(w.call("POST", f"/tasks/{plain['id']}/invoke").status, 409)


def test_broadcast(l):
    w = World(l)
    w.worker()
    w.worker(NODE_2, kind="rust")
    t = w.run(inputs=["1"], broadcast=True)
    expect_eq((t["state"], t["results"]), (3, "1"))
    parts = w.call("GET", f"/tasks/{t['id']}/parts").json()["parts"]
    expect_eq(sorted(p["proplet_id"] for p in parts), sorted([NODE, NODE_2]))
    t = w.create("hang", broadcast=True)
    w.start(t)
    w.call("POST", f"/tasks/{t['id']}/stop")
    expect_eq(w.ended(t)["state"], 6)


def test_broadcast_loses_a_worker(l):
    """The one that is gone has a part, too, which says so."""
    w = World(l)
    a, b = w.worker(), w.worker(NODE_2)
    t = w.create("hang", broadcast=True)
    w.start(t)
    wait_until(lambda: a.starts and b.starts, 5, "the starts")
    a.result(a.starts[0], results="1")
    b.silent = True
    t = w.ended(t)
    expect_eq((t["state"], t["results"]), (4, "1"))
    parts = {p["proplet_id"]: p for p in w.call("GET", f"/tasks/{t['id']}/parts").json()["parts"]}
    expect_eq((parts[NODE]["results"], parts[NODE].get("error")), ("1", None))
    expect("lost" in parts[NODE_2]["error"], parts[NODE_2])


def test_two_of_one_entity(l):
    """They end each other's connections to the broker; both wait longer and longer."""
    w = World(l)
    other = l.process("other", [l.bin("proplet-manager"), "--mqtt", w.broker.url, "--http-port",
                                lab.free_port(), "--store", f"sqlite://{l.folder}/other.db"])
    other.wait_log("next_ms=2000", 30)
    expect("does another client use this --entity?" in other.log(), "the reason")
    other.stop()


def test_tls_unasked(l):
    """A port that speaks TLS, and an address that does not say so."""
    status = l.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                    "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"], cwd=l.folder)[0]
    expect_eq(status, 0, "openssl")
    port = lab.free_port()
    l.broker(extra=f"listener {port} 127.0.0.1\ncertfile {l.folder}/cert.pem\n"
                   f"keyfile {l.folder}/key.pem")
    m = l.process("manager", [l.bin("proplet-manager"), "--mqtt", f"tcp://localhost:{port}",
                              "--http-port", lab.free_port(), "--store", f"sqlite://{l.folder}/m.db"])
    m.wait_log("if this port speaks TLS, use mqtts://")


def test_modules_in_chunks(l):
    """A module larger than what travels in a message is fetched piece by piece."""
    w = World(l, "--inline-bytes", 16)
    n = w.worker()
    big = WASM + bytes(range(256)) * 40
    r = w.call("POST", "/modules?source=http://x/big.wasm", big, {"Content-Type": "application/wasm"})
    digest = r.json()["digest"]
    t = w.call("POST", "/tasks?wait_ms=5000", {"name": "add", "module": {"digest": digest}, "start": True})
    expect_eq(t.json()["state"], 3)
    expect_eq(n.starts[0]["module"], {"digest": digest, "size": len(big)})
    expect("file" not in n.starts[0], "not inline")
    c = l.client(w.broker)
    c.subscribe(f"{P}/registry/server/+", f"{P}/registry/server")
    for name in (digest, "http://x/big.wasm"):
        got, mark = b"", c.mark()
        while len(got) < len(big):
            c.publish(f"{P}/registry/proplet", {"app_name": name, "proplet_id": NODE,
                                                "offset": len(got), "chunk_bytes": 1000, "chunks": 4})
            for i in range(min(4, -(-(len(big) - len(got)) // 1000))):
                m = c.wait(f"{P}/registry/server/{NODE}", since=mark).json()
                mark = next(k for k in range(mark, c.mark())
                            if c.messages[k].topic.endswith(NODE)) + 1
                expect_eq((m["app_name"], m["offset"], m["size"], m["digest"], m["chunk_idx"],
                           m["total_chunks"]),
                          (name, len(got), len(big), digest, len(got) // 1000, 11))
                got += base64.b64decode(m["data"])
        expect(got == big, "the bytes")
    mark = c.mark()
    c.publish(f"{P}/registry/proplet", {"app_name": "sha256:" + "0" * 64, "proplet_id": NODE,
                                        "offset": 0, "chunk_bytes": 100, "chunks": 1})
    expect("no module" in c.wait(f"{P}/registry/server/{NODE}", since=mark).json()["error"])
    for odd in ({}, {"app_name": 5}, {"app_name": digest, "offset": -5, "chunk_bytes": -1, "chunks": -1},
                {"app_name": digest, "offset": 1 << 62, "chunk_bytes": 1 << 40, "chunks": 1 << 40},
                {"app_name": digest, "proplet_id": "a/b/#", "offset": 0}):
        c.publish(f"{P}/registry/proplet", odd)
    expect_eq(w.call("GET", "/health").status, 200)


def test_propellers_registry_requests(l):
    w = World(l, "--serve-registry")
    w.call("POST", "/modules?source=docker.io/acme/add:v1", WASM, {"Content-Type": "application/wasm"})
    c = l.client(w.broker)
    c.subscribe(f"{P}/registry/server")
    c.publish(f"{P}/registry/proplet", {"app_name": "docker.io/acme/add:v1"})
    m = c.wait(f"{P}/registry/server").json()
    expect_eq(m, {"app_name": "docker.io/acme/add:v1", "chunk_idx": 0, "total_chunks": 1, "data": FILE})


def test_upload(l):
    w = World(l)
    w.worker()
    t = w.call("POST", "/tasks", {"name": "add", "inputs": ["5"]}).json()

    def form(name, data, field="file"):
        return (f'--B\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
                f"Content-Type: application/octet-stream\r\n\r\n").encode() + data + b"\r\n--B--\r\n"
    H = {"Content-Type": "multipart/form-data; boundary=B"}
    path = f"/tasks/{t['id']}/upload"
    expect_eq(w.call("PUT", path, form("a.txt", WASM), H).status, 400)
    expect_eq(w.call("PUT", path, form("a.wasm", b"hello"), H).status, 400)
    expect_eq(w.call("PUT", path, form("a.wasm", WASM, "other"), H).status, 400)
    big = WASM + b"\0" * 300000
    r = w.call("PUT", path, form("a.wasm", big), H)
    expect_eq(r.status, 200, f"upload {r}")
    expect_eq(r.json()["module"]["size"], len(big))
    expect("<REDACTED>" in r.json()["file"], "the file is shown by its ends")
    w.start(t)
    expect_eq(w.ended(t)["results"], "5")


def test_download(l):
    """image_url with http: the manager fetches the module."""
    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path == "/add.wasm"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(WASM if found else b"")

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    w = World(l)
    n = w.worker()
    t = w.call("POST", "/tasks", {"name": "add", "inputs": ["5"], "image_url": url + "/add.wasm"}).json()
    w.start(t)
    expect_eq((w.ended(t)["results"], n.starts[0]["file"]), ("5", FILE))
    t = w.call("POST", "/tasks?wait_ms=5000",
               {"name": "add", "image_url": url + "/none.wasm", "start": True}).json()
    expect_eq((t["state"], t["reason"]), (4, "module"))
    expect("404" in t["error"], t["error"])
    server.shutdown()


def test_jobs(l):
    w = World(l)
    n = w.worker(delay=0.03)
    tasks = [{"name": "add", "file": FILE, "inputs": [str(i)]} for i in range(4)]
    for mode in ("sequential", "parallel", "configurable"):
        n.starts.clear()
        job = w.call("POST", "/jobs", {"name": mode, "tasks": tasks, "execution_mode": mode}).json()
        expect_eq(w.call("GET", f"/jobs/{job['job_id']}").json()["state"], "pending")
        expect_eq(w.call("POST", f"/jobs/{job['job_id']}/start").json()["message"], "job started")
        wait_until(lambda: w.call("GET", f"/jobs/{job['job_id']}").json()["state"] == "completed", 10,
                   f"the {mode} job is completed")
        order = [s["inputs"][0] for s in n.starts]
        expect_eq(sorted(order), ["0", "1", "2", "3"])
        if mode == "sequential":
            expect_eq(order, ["0", "1", "2", "3"])
            times = [(t["start_time"], t["finish_time"])
                     for t in w.call("GET", f"/jobs/{job['job_id']}").json()["tasks"]]
            expect(all(a[1] <= b[0] for a, b in zip(times, times[1:])), f"one after the other: {times}")
    tasks[1]["name"] = "trap"
    job = w.call("POST", "/jobs", {"tasks": tasks, "execution_mode": "sequential"}).json()
    w.call("POST", f"/jobs/{job['job_id']}/start")
    wait_until(lambda: [t["state"] for t in w.call("GET", f"/jobs/{job['job_id']}").json()["tasks"]] ==
               [3, 4, 5, 5], 10, "a failure ends the job")
    expect_eq(w.call("GET", "/jobs?status=failed").json()["total"], 1)
    expect_eq(w.call("GET", "/jobs?status=completed").json()["total"], 3)
    w.call("POST", f"/jobs/{job['job_id']}/start")  # again
    wait_until(lambda: w.call("GET", f"/jobs/{job['job_id']}").json()["tasks"][0]["epoch"] == 2, 10,
               "the job runs again")


def test_workflow(l):
    w = World(l)
    n = w.worker()
    ids = {k: str(uuid.uuid4()) for k in "abcdef"}

    def task(k, name="add", deps="", **more):
        return {"id": ids[k], "name": name, "file": FILE, "inputs": ["1"],
                "depends_on": [ids[d] for d in deps], **more}
    wf = w.call("POST", "/workflows", {"tasks": [
        task("a"), task("b", "trap"), task("c", deps="ab"), task("d", deps="b", run_if="failure"),
        task("e", deps="c"), task("f", deps="d")]}).json()
    expect_eq(len({t["workflow_id"] for t in wf["tasks"]}), 1)
    r = w.call("POST", f"/tasks/{ids['f']}/start")
    expect(r.status == 409 and "unmet dependencies" in r.json()["error"], f"{r}")
    path = f"/workflows/{wf['workflow_id']}"
    wait_until(lambda: [t["state"] for t in w.call("GET", path).json()["tasks"]] == [3, 4, 5, 3, 5, 3],
               10, "the workflow ends as its run_if say")
    f = next(s for s in n.starts if s["id"] == ids["f"])
    expect_eq(f["parent_results"], {ids["d"]: "1"})
    again = w.call("POST", "/workflows", {"tasks": [task("a")]})
    expect_eq(again.status, 409, f"an id that is taken: {again}")


def test_schedule(l):
    w = World(l)
    w.worker()
    t = w.create(schedule="* * * * *", is_recurring=True, timezone="Europe/Paris")
    expect(t["next_run"] > t["created_at"], f"next_run: {t['next_run']}")
    r = w.call("PUT", f"/tasks/{t['id']}", {"inputs": ["9"]})
    expect(r.json()["next_run"] > t["created_at"], "a change of something else keeps the schedule")
    r = w.call("PUT", f"/tasks/{t['id']}", {"schedule": ""})
    expect_eq(r.json()["next_run"], "0001-01-01T00:00:00Z")
    once = w.create(schedule="0 0 1 1 *", timezone="Asia/Tokyo")
    expect(once["next_run"].endswith("-12-31T15:00:00.000Z"), once["next_run"])
    w.manager.kill()
    w.manager.start()
    w.ready()
    expect_eq(w.task(once)["next_run"], once["next_run"])
    expect_eq(w.call("GET", "/metrics").body.count(b"proplet_manager_tasks_live 1"), 1)


def test_logs_outputs_events(l):
    w = World(l)
    n = w.worker()
    t = w.create("hang")
    w.start(t)
    conn = http.client.HTTPConnection("127.0.0.1", w.port, timeout=10)
    conn.request("GET", f"/events?task_id={t['id']}")
    stream = conn.getresponse()
    expect_eq(stream.getheader("Content-Type"), "text/event-stream")
    stream.fp.readline()
    for i in range(3):
        n.say("logs", {"proplet_id": NODE, "task_id": t["id"], "epoch": 1, "seq": i, "level": "info",
                       "text": f"line {i}"})
        n.say("output", {"proplet_id": NODE, "task_id": t["id"], "epoch": 1, "seq": i, "data": {"v": i}})
    n.say("event", {"proplet_id": NODE, "task_id": t["id"], "kind": "warning", "text": "hot"})
    path = f"/tasks/{t['id']}"
    wait_until(lambda: w.call("GET", path + "/events").json()["total"] == 1, 5, "events")
    logs = w.call("GET", path + "/logs").json()["logs"]
    expect_eq([(r["seq"], r["text"]) for r in logs], [(1, "line 0"), (2, "line 1"), (3, "line 2")])
    expect_eq(len(w.call("GET", path + "/logs?after=2").json()["logs"]), 1)
    expect_eq([r["data"]["v"] for r in w.call("GET", path + "/outputs?after=1").json()["outputs"]], [1, 2])
    seen = []
    while len(seen) < 7:
        line = stream.fp.readline()
        if line.startswith(b"data: "):
            seen.append(json.loads(line[6:])["kind"])
    expect_eq(seen, ["log", "output", "log", "output", "log", "output", "warning"])
    conn.close()


def test_bad_messages_harm_nothing(l):
    w = World(l)
    n = w.worker()
    t = w.create("hang")
    w.start(t)
    c = l.client(w.broker)
    deep = "[" * 100000
    payloads = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"proplet_id":5}', b'{"proplet_id":""}',
                b'{"proplet_id":"a/b"}', b'{"proplet_id":"' + b"x" * 5000 + b'"}', deep.encode(),
                b'{"task_id":null}', b'{"task_id":"x","epoch":"one","results":[[[]]]}',
                b'{"proplet_id":"x","metadata":[1]}', b'{"task_id":"x","epoch":1e308}',
                b'{"proplet_id":"ok","tasks":[1,{"id":5},{"id":"q","epoch":-3}],"free_bytes":-1}',
                b'{"proplet_id":"ok","load_percent":1e99,"battery_percent":-7}',
                b'{"task_id":"\\u0000","proplet_id":"\\ud800"}', bytes(range(256)) * 100]
    for what in ("create", "alive", "gone", "results", "invoke_results", "metrics", "task_metrics",
                 "logs", "output", "event", "nonsense"):
        for p in payloads:
            c.publish(f"{P}/control/proplet/{what}", p)
    for p in payloads:
        c.publish(f"{P}/registry/proplet", p)
    c.publish(f"{P}/control/proplet/results", {"task_id": t["id"], "proplet_id": "intruder", "epoch": 1,
                                               "results": "stolen"})
    c.publish(f"{P}/control/proplet/results", {"task_id": t["id"], "proplet_id": NODE, "epoch": 99,
                                               "results": "from the future"})
    expect_eq(w.run(inputs=["4"])["results"], "4")
    expect_eq(w.task(t)["state"], 2)
    bad = [line for line in w.call("GET", "/metrics").body.decode().splitlines()
           if line.startswith("proplet_manager_messages_bad_total")]
    l.note(bad[0])
    expect(float(bad[0].split()[1]) > 100, "they are counted")


def test_bad_http_harms_nothing(l):
    w = World(l)
    w.worker()
    for raw in (b"\0" * 1000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"POST /tasks HTTP/1.1\r\n\r\n",
                b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 20\r\n\r\n{\"name\":"):
        with socket.create_connection(("127.0.0.1", w.port), timeout=5) as s:
            s.sendall(raw)
            s.settimeout(0.2)
            try:
                s.recv(4096)
            except OSError:
                pass
    J = {"Content-Type": "application/json"}
    for body in (b"[" * 100000, b'{"name":"a","inputs":[' + b"1," * 10000 + b"1]}",
                 b'{"name":"a","inputs":[1e999999]}', b'{"name":"\xff"}', b'{"name":"a","name":"b"}',
                 b'{"name":"a","inputs":[', b'"' * 1001, b'{"tasks":[{"inputs":[{"inputs":[1]}]}]}'):
        expect(w.call("POST", "/tasks", body, J).status in (400, 201), f"{body[:40]}")
    expect_eq(w.call("GET", "/tasks/" + "a%ff%20..").status, 400)
    expect_eq(w.run(inputs=["4"])["results"], "4")


ODD = [None, True, -1, 0, 1.5, 1e300, 2**63, -2**63, "", "x", "\u0000", "x" * 100000, [], [[]],
       [None], {}, {"a": {"b": []}}, [{"id": -1}]]


def is_well(w, n):
    """The manager serves as before."""
    expect(w.manager.running(), f"the manager ended: {w.manager.log()[-300:]}")
    expect_eq(w.run(inputs=["4"])["results"], "4")


def test_odd_values_for_every_field(l):
    """Each field of a task, job and workflow with each odd value: refused by its name or taken."""
    w = World(l)
    n = w.worker()
    doc = w.call("GET", "/openapi.json").json()
    fields = list(doc["components"]["schemas"]["Task"]["properties"])
    nested = {"limits": ("fuel", "time_ms", "memory_bytes", "stack_bytes", "output_bytes"),
              "module": ("digest", "size"), "restart": ("attempts", "interval_ms"),
              "constraints": ("arch", "tags", "features", "labels", "min_memory_bytes", "power",
                              "min_battery_percent"),
              "monitoring_profile": ("enabled", "interval")}
    bodies = [{f: v} for f in fields for v in ODD]
    bodies += [{f: {k: v}} for f, keys in nested.items() for k in keys for v in ODD]
    bodies += [{"start": v} for v in ODD]
    known = w.create()
    taken = refused = 0
    for body in bodies:
        for method, path in (("POST", "/tasks"), ("PUT", f"/tasks/{known['id']}")):
            r = w.call(method, path, {"name": "odd", "file": FILE, **body})
            expect(r.status in (200, 201, 400, 404, 409), f"{method} {str(body)[:80]}: {r}")
            taken += r.status in (200, 201)
            refused += r.status == 400
            if r.status == 400:
                expect(any(why in r.json()["error"] for why in (next(iter(body)), "line 1, column")),
                       f"{str(body)[:80]} is refused without its name: {r}")
    for path in ("/jobs", "/workflows"):
        for key in ("tasks", "name", "execution_mode"):
            for v in ODD:
                r = w.call("POST", path, {"tasks": [{"name": "a", "file": FILE}], key: v})
                expect(r.status in (201, 400), f"{path} {key} {str(v)[:40]}: {r}")
    l.note(f"{taken} taken, {refused} refused")
    expect_eq(w.call("GET", "/tasks").status, 200)
    is_well(w, n)


def test_odd_requests_for_every_path(l):
    """Each path of the API with each method, odd ids, odd queries and odd bodies: never a 5xx."""
    w = World(l)
    n = w.worker()
    doc = w.call("GET", "/openapi.json").json()
    ids = ["00000000-0000-4000-8000-00000000dead", "x", "..", "%00", "%2e%2e%2f", "a" * 3000, "-1", "'"]
    count = 0
    for path in doc["paths"]:
        if path == "/events":
            continue  # does not end
        for i, method in itertools.product(ids, ("GET", "POST", "PUT", "DELETE", "PATCH")):
            at = re.sub(r"{\w+}", i, path)
            body = None if method == "GET" else ODD[count % len(ODD)]
            query = ("", "?limit=-1", "?offset=x&limit=99999999999999999999", "?wait_ms=-5",
                     "?state=%ff&find=%00'&status=")[count % 5]
            r = w.call(method, at + query, json.dumps(body), {"Content-Type": "application/json"})
            expect(r.status < 500 or r.status == 501, f"{method} {at[:60]}{query}: {r}")
            expect(r.status < 400 or r.json()["error"], f"{method} {at[:60]}: no reason")
            count += 1
            if "{" not in path and method == "PATCH":
                break
    l.note(f"{count} requests")
    is_well(w, n)


def test_odd_values_for_every_key_of_a_message(l):
    """What workers send, each key with each odd value, from one who is known and one who is not."""
    w = World(l)
    n = w.worker()
    t = w.create("hang")
    w.start(t)
    wait_until(lambda: n.starts, 5, "the start")
    messages = {
        "create": {"proplet_id": NODE_2, "connection": 1, "uptime_ms": 1, "metadata": {}},
        "alive": {"proplet_id": NODE_2, "status": "alive", "connection": 1, "uptime_ms": 1,
                  "free_bytes": 1, "load_percent": 1, "battery_percent": 1, "tasks": []},
        "results": {"task_id": NODE_2, "proplet_id": NODE_2, "epoch": 1, "results": "1", "error": "",
                    "reason": "done", "fuel": 1, "duration_ms": 1, "memory_bytes": 1,
                    "backtrace": [], "exit_code": 0},
        "invoke_results": {"task_id": t["id"], "invocation_id": "i", "proplet_id": NODE,
                           "results": "1", "error": ""},
        "metrics": {"proplet_id": NODE, "timestamp": "2026-01-01T00:00:00Z", "cpu_metrics": {},
                    "memory_metrics": {}},
        "task_metrics": {"task_id": t["id"], "proplet_id": NODE, "metrics": {}, "aggregated": {},
                         "timestamp": 5},
        "logs": {"proplet_id": NODE, "task_id": t["id"], "epoch": 1, "seq": 1, "level": "info",
                 "text": "x"},
        "output": {"proplet_id": NODE, "task_id": t["id"], "epoch": 1, "seq": 1, "data": "x"},
        "event": {"proplet_id": NODE, "kind": "x", "text": "y"}}
    metadata = ("name", "cpu_arch", "os", "engine", "features", "capabilities", "tags", "labels",
                "direct", "pool_bytes", "tasks_max", "heartbeat_ms", "rx_buffer_bytes", "modules")
    c = l.client(w.broker)
    count = 0
    for what, good in messages.items():
        for key, v in itertools.product(good, ODD):
            c.publish(f"{P}/control/proplet/{what}", {**good, key: v})
            count += 1
    for key, v in itertools.product(metadata, ODD):
        c.publish(f"{P}/control/proplet/create", {"proplet_id": NODE_2, "metadata": {key: v}})
    l.note(f"{count + len(metadata) * len(ODD)} messages")
    is_well(w, n)
    for path in ("/proplets", f"/proplets/{NODE_2}", f"/proplets/{NODE_2}/sdf", f"/tasks/{t['id']}",
                 f"/proplets/{NODE}/metrics", f"/tasks/{t['id']}/metrics", f"/tasks/{t['id']}/logs",
                 f"/tasks/{t['id']}/outputs", "/metrics"):
        expect_eq(w.call("GET", path).status, 200, path)


def test_a_worker_that_was_there_first_is_asked_who_it_is(l):
    w = World(l)
    c = l.client(w.broker)
    c.subscribe(f"{P}/control/manager/lease/{NODE}")
    c.publish(f"{P}/control/proplet/alive", {"proplet_id": NODE, "status": "alive", "uptime_ms": 5})
    expect_eq(c.wait(f"{P}/control/manager/lease/{NODE}").json(),
              {"tasks": [], "lease_ms": 0, "announce": True})


def test_a_repeated_request_creates_once(l):
    w = World(l)
    n = w.worker()
    body = json.dumps({"name": "add", "file": FILE, "inputs": ["1"], "start": True})
    headers = {"Content-Type": "application/json", "Idempotency-Key": "order 66"}
    first, again = (w.call("POST", "/tasks", body, headers) for _ in range(2))
    expect_eq((first.status, again.status), (201, 201))
    expect_eq(first.json()["id"], again.json()["id"])
    w.ended(first.json())
    headers["Idempotency-Key"] = "order 67"
    expect(w.call("POST", "/tasks", body, headers).json()["id"] != first.json()["id"], "another key")
    wait_until(lambda: len(n.executed) == 2, 5, "two runs")


def test_broadcast_over_a_restart(l):
    w = World(l)
    a, b = w.worker(), w.worker(NODE_2)
    t = w.create("hang", broadcast=True)
    w.start(t)
    wait_until(lambda: a.starts and b.starts, 5, "the starts")
    a.result(a.starts[0], results="1")
    wait_until(lambda: w.call("GET", f"/tasks/{t['id']}/parts").json()["total"] == 1, 5, "a part")
    w.manager.kill()
    w.manager.start()
    w.ready()
    expect_eq(w.task(t)["state"], 2)
    b.result(b.starts[0], results="2")
    expect_eq(w.ended(t)["state"], 3)


def test_workflow_over_a_restart(l):
    """What a step waits for is not forgotten, and a step is run once."""
    w = World(l)
    n = w.worker()
    first, second = (str(uuid.uuid4()) for _ in range(2))
    wf = w.call("POST", "/workflows", {"tasks": [
        {"id": second, "name": "add", "file": FILE, "inputs": ["1"], "depends_on": [first]},
        {"id": first, "name": "hang", "file": FILE}]}).json()
    expect_eq(w.call("POST", f"/workflows/{wf['workflow_id']}/start").status, 200)
    wait_until(lambda: n.starts, 5, "the first step")
    for _ in range(2):
        w.manager.kill()
        w.manager.start()
        w.ready()
        wait_until(lambda: w.node(NODE).get("alive"), 10, "the worker is alive")
    expect_eq({s["id"] for s in n.starts}, {first})
    n.result(n.starts[0], results="1")
    expect_eq(w.ended({"id": second})["state"], 3)
    expect_eq([s["id"] for s in n.starts].count(second), 1)


def test_drain(l):
    w = World(l)
    n = w.worker()
    d = w.create("hang", daemon=True)
    w.start(d)
    n2 = w.worker(NODE_2)
    r = w.call("POST", f"/proplets/{NODE}/drain", {})
    expect_eq(r.json()["draining"], True)
    wait_until(lambda: w.task(d)["proplet_id"] == NODE_2, 10, "the daemon moves")
    wait_until(lambda: n2.starts, 5, "the start")
    expect_eq((n.stops[0]["id"], n2.starts[0]["epoch"]), (d["id"], 2))
    expect_eq(w.run(inputs=["1"])["proplet_id"], NODE_2)


def test_preemption(l):
    w = World(l)
    n = w.worker(metadata={"tasks_max": 1})
    low = w.create("hang", priority=10)
    w.start(low)
    wait_until(lambda: n.starts, 5, "the start")
    high = w.run(inputs=["1"], priority=90)
    expect_eq(high["state"], 3)
    wait_until(lambda: w.task(low)["epoch"] == 2, 5, "the lower one runs again")


def test_settings(l):
    exe = l.bin("proplet-manager")
    status, out, err = l.run([exe, "--help"])
    expect(status == 0 and "--http-port" in out and "MANAGER_MQTT_ADDRESS" in out, "--help")
    expect_eq(l.run([exe, "--version"])[0], 0)
    torn = l.folder / "torn.db"
    torn.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 10)
    taken = l.own(socket.create_server(("127.0.0.1", 0)))
    for args, text in [(["--http-port", "x"], "--http-port"), (["--nonsense"], "there is no option"),
                       (["--http-port"], "needs a value"), (["extra"], "unexpected 'extra'"),
                       (["--http-port=70000"], "1..65535"), (["--store", "odd:/x"], "is no store"),
                       (["--store", "sqlite:///no/such/dir/x.db"], "/no/such/dir/x.db"),
                       (["--mqtt", "tcp://:x"], "--mqtt"), (["--tenant", "a/b"], "must not"),
                       (["--config", "absent.toml"], "absent.toml"), (["--config"], "needs a file"),
                       (["--config", l.folder], "Is a directory"),
                       (["--log-level", "loud"], "debug, info"),
                       (["--store", f"sqlite://{l.folder}"], "Is a directory"),
                       (["--store", f"sqlite://{torn}"], "move it away"),
                       (["--http-host", "203.0.113.9"], "Cannot assign requested address"),
                       (["--http-port", taken.getsockname()[1]], "Address already in use"),
                       (["--http-cert", torn, "--http-key", torn], "PEM files"),
                       (["--http-cert", torn], "--http-cert and --http-key: give both"),
                       (["--aot", "odd"], "--aot: 'odd' is none of auto, always, never"),
                       (["--mqtt", "ssl://localhost:1", "--tls-ca", "/absent.pem"], "/absent.pem")]:
        status, out, err = l.run([exe, *args])
        expect(status in (64, 78) and text in err, f"{args}: {status} {err!r}")
    conf = l.folder / "c.toml"
    conf.write_text('[proplet]\nodd = 1\n[manager]\ntenant_id = "t"  # mine\nhttp_port = 1234\nqueue = true\n')
    out = l.run([exe, "--config", conf, "--channel", "c", "--print-config"],
                env={"MANAGER_HTTP_PORT": "4321"})[1]
    expect('tenant_id = "t"' in out and "http_port = 4321" in out and 'channel_id = "c"' in out and
           "queue = true" in out, out)
    out = l.run([exe, "--store", "postgres://u:secret@h/d", "--print-config"])[1]
    expect("postgres://u:(hidden)@h/d" in out and "secret" not in out, out)
    conf.write_text("[manager]\nhttp_port = 70000\n")
    err = l.run([exe, "--config", conf, "--print-config"])[2]
    expect("c.toml:2: http_port: '70000' is no number within 1..65535" in err, err)
    conf.write_text("http_port = 7\n[manager]\n")
    err = l.run([exe, "--config", conf, "--print-config"])[2]
    expect("'http_port' stands before any section" in err, err)
    conf.write_text("[manager\nhttp_port = 7\n")
    expect_eq(l.run([exe, "--config", conf, "--print-config"])[0], 78)
    conf.write_text("[manager]\nhttp_prot = 1\n")
    status, out, err = l.run([exe, "--config", conf])
    expect(status == 78 and "c.toml:2: there is no setting 'http_prot'" in err, err)


if __name__ == "__main__":
    lab.main(globals())
