# SPDX-License-Identifier: Apache-2.0
"""A manager's side of the protocol, scripted: what the worker's tests send and look at.

    s = Side(lab)                       # a broker, a listener to everything, a running worker
    t = s.start(ADD, function="add", inputs=["1", "2"])
    s.result(t)["results"]              # "3"

Modules are written as text (wat) and assembled by wat2wasm, kept for the whole run.
"""
import base64
import hashlib
import shutil
import subprocess
import tempfile
import uuid

from lab import Failed, Skip, expect, expect_eq, wait_until

TENANT, CHANNEL = "acme", "lab"
P = f"m/{TENANT}/c/{CHANNEL}"
NODE = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"

_assembled = {}


def wat(text, *flags):
    """The module's bytes. flags: of wat2wasm."""
    if text not in _assembled:
        if not shutil.which("wat2wasm"):
            raise Skip("wat2wasm is not installed")
        with tempfile.NamedTemporaryFile("w", suffix=".wat") as f:
            f.write(text)
            f.flush()
            p = subprocess.run(["wat2wasm", *flags, "--output=-", f.name], capture_output=True,
                               timeout=30)
        if p.returncode:
            raise Failed(f"wat2wasm: {p.stderr.decode()}")
        _assembled[text] = p.stdout
    return _assembled[text]


def add_wasm():
    return wat("""(module (func (export "add") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1))))""")


def spin_wasm():
    return wat('(module (func (export "spin") (loop (br 0))))')


def trap_wasm():
    return wat("""(module (func $deep (result i32) (i32.div_s (i32.const 1) (i32.const 0)))
        (func (export "boom") (result i32) (call $deep)))""")


def padded(wasm, size):
    """The module with a custom section that makes it size bytes long."""
    pad = size - len(wasm) - 8
    n = pad + 4
    leb = bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127])
    out = wasm + b"\0" + leb + b"\3pad" + bytes((i * 31 + i // 256) & 255 for i in range(pad))
    return out


def b64(data):
    return base64.b64encode(data).decode()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Side:
    def __init__(self, lab, *flags, worker=True, through=None, node=NODE, heartbeat="500", **kw):
        """through: a Link factory, called with the broker; the worker then connects through it."""
        self.lab, self.node = lab, node
        self.broker = kw.pop("broker", None) or lab.broker()
        self.link = through(self.broker) if through else None
        self.ear = lab.client(self.broker, "manager-side")
        self.ear.subscribe("#")
        self.modules = {}
        self.served = []
        self.worker = None
        if worker:
            self.worker = self.launch(*flags, heartbeat=heartbeat, node=node)
            self.wait_online()

    def launch(self, *flags, name="proplet", heartbeat="500", node=NODE, state=None):
        return self.lab.process(name, [
            self.lab.bin("proplet"), "--mqtt-address", (self.link or self.broker).url,
            "--tenant-id", TENANT, "--channel-id", CHANNEL, "--entity-id", node, "--state-dir",
            state or self.lab.folder / f"state-{name}", "--heartbeat-ms", heartbeat, "--log-level",
            "debug", *flags])

    def wait_online(self, since=0, node=None, seconds=15):
        node = node or self.node
        return self.ear.wait(f"{P}/control/proplet/alive",
                             lambda m: m.json() and m.json().get("proplet_id") == node and
                             m.json().get("status") != "offline", since=since, seconds=seconds)

    def relisten(self, name="manager-side-2"):
        """A new listener, after the broker was restarted."""
        self.ear = self.lab.client(self.broker, name)
        self.ear.subscribe("#")

    # ---- commands

    def start(self, wasm=None, task=None, direct=False, to=None, qos=1, **keys):
        """Sends start; the task's id. Keys with value None are left out."""
        task = task or str(uuid.uuid4())
        message = {"id": task, "name": "main", "state": 0, "cli_args": None, "broadcast": False,
                   "daemon": False, "latent": False, "encrypted": False, "proplet_id": self.node}
        message.update(keys)
        if wasm is not None:  # last, as our manager sends it: the worker knows then what to keep
            message["file"] = b64(wasm)
        message = {k: v for k, v in message.items() if v is not None or k == "cli_args"}
        topic = f"{P}/control/manager/start" + (f"/{to or self.node}" if direct else "")
        self.ear.publish(topic, message, qos=qos)
        return task

    def stop(self, task, **keys):
        self.ear.publish(f"{P}/control/manager/stop", {"id": task, "broadcast": False,
                                                       "proplet_id": self.node, **keys})

    def send(self, kind, payload, qos=1):
        self.ear.publish(f"{P}/control/manager/{kind}", payload, qos=qos)

    def ack(self, task, epoch):
        self.ear.publish(f"{P}/control/manager/ack/{self.node}", {"task_id": task, "epoch": epoch})

    # ---- what came back

    def result(self, task, seconds=15, since=0):
        def mine(m):
            return (m.json() or {}).get("task_id") == task
        return self.ear.wait(f"{P}/control/proplet/results", mine, seconds=seconds, since=since,
                             what=f"result of {task}").json()

    def results(self, task):
        return [m.json() for m in self.ear.all(f"{P}/control/proplet/results",
                                               lambda m: (m.json() or {}).get("task_id") == task)]

    def run(self, wasm=None, seconds=15, **keys):
        """Starts a task and returns its result message."""
        return self.result(self.start(wasm, **keys), seconds)

    def expect_ok(self, wasm, want, **keys):
        got = self.run(wasm, **keys)
        expect(not got.get("error"), f"error: {got.get('error')}")
        expect_eq(got["results"], want, "results")
        return got

    def expect_error(self, reason, text, wasm=None, **keys):
        got = self.run(wasm, **keys)
        expect(got.get("error"), f"no error but results {got.get('results')!r}")
        expect(text in got["error"], f"error is {got['error']!r}, expected {text!r} in it")
        if reason:
            expect_eq(got.get("reason"), reason, "reason")
        return got

    def works(self):
        """The worker still runs tasks."""
        expect(self.worker.running(), "the worker ended")
        self.expect_ok(add_wasm(), "3", function="add", inputs=["1", "2"])

    # ---- modules by digest

    def offer(self, wasm):
        """A module that serve() sends when asked for; the start message's key for it."""
        self.modules[digest(wasm)] = wasm
        return {"digest": digest(wasm), "size": len(wasm)}

    def serve(self, mangle=None):
        """Answers requests for chunks as our manager does, from now on. mangle(replies, request)
        may change the list of messages, each (topic, payload)."""
        client = self.lab.client(self.broker, f"registry-{len(self.served)}-{uuid.uuid4()}",
                                 on_message=lambda c, m: self._serve_one(c, m, mangle))
        client.subscribe(f"{P}/registry/proplet")
        return client

    def _serve_one(self, client, message, mangle):
        ask = message.json() or {}
        self.served.append(ask)
        for topic, payload in chunk_replies(self.modules, ask, mangle):
            client.publish(topic, payload, qos=1, wait=False)


def chunk_replies(modules, ask, mangle=None):
    name, node = ask.get("app_name"), ask.get("proplet_id")
    topic = f"{P}/registry/server/{node}"
    wasm = modules.get(name)
    if wasm is None:
        return [(topic, {"app_name": name, "error": "no such module"})]
    size, offset, replies = ask.get("chunk_bytes", 4096), ask.get("offset", 0), []
    total = (len(wasm) + size - 1) // size
    for _ in range(ask.get("chunks", 1)):
        if offset >= len(wasm):
            break
        replies.append((topic, {
            "app_name": name, "chunk_idx": offset // size, "total_chunks": total, "offset": offset,
            "size": len(wasm), "digest": digest(wasm), "data": b64(wasm[offset:offset + size])}))
        offset += size
    return mangle(replies, ask) if mangle else replies


__all__ = ["Side", "P", "NODE", "TENANT", "CHANNEL", "wat", "add_wasm", "spin_wasm", "trap_wasm",
           "padded", "b64", "digest", "chunk_replies", "expect", "expect_eq", "wait_until"]
