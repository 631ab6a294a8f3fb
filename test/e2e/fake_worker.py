# SPDX-License-Identifier: Apache-2.0
"""Workers for tests of the manager: each speaks MQTT as one of the real ones does.

kind "ours": epochs, leases, acknowledgements, heartbeats that list tasks, own topics.
kind "rust", "embedded": as Propeller's.

What a task does is told by its name: "add" adds its inputs, "hang" never ends, "trap" fails, "refuse"
is refused, "echo" answers with its inputs; a latent one waits for invocations.
"""
import json
import threading

from mqtt_client import Mqtt, MqttError

P = "m/default/c/default"


class Worker:
    def __init__(self, port, worker_id, kind="ours", heartbeat=0.3, announce=True, metadata=None,
                 clean=False, delay=0.0):
        self.id, self.kind, self.delay = worker_id, kind, delay
        self.metadata = {"cpu_arch": "x86_64", "os": "linux", "tags": ["lab"]}
        if kind == "ours":
            self.metadata.update(engine="rotor", direct=True, tasks_max=1000,
                                 heartbeat_ms=int(heartbeat * 1000), features=["libc"])
        elif kind == "embedded":
            self.metadata.update(wasm_runtime="wamr", environment="embedded", cpu_arch="xtensa")
        else:
            self.metadata.update(wasm_runtime="wasmtime-internal")
        self.metadata.update(metadata or {})
        self.running = {}  # task id -> epoch
        self.starts, self.stops, self.executed = [], [], []
        self.unacked = {}  # (task, epoch) -> message
        self.lock = threading.RLock()
        self.port, self.clean, self.heartbeat = port, clean, heartbeat
        self.stopped = threading.Event()
        self.silent = False
        self.connect()
        if announce:
            self.create()
            self.alive()
        threading.Thread(target=self._beat, daemon=True).start()

    def connect(self):
        self.c = Mqtt(self.port, self.id, clean=self.clean, on_message=self._on)
        self.c.subscribe(f"{P}/control/manager/start", f"{P}/control/manager/stop",
                         f"{P}/control/manager/invoke", f"{P}/control/manager/+/{self.id}",
                         f"{P}/registry/server", f"{P}/registry/server/{self.id}", qos=1)

    def close(self):
        self.stopped.set()
        self.c.drop()

    def say(self, what, message, **kw):
        self.c.publish(f"{P}/control/proplet/{what}", message, wait=False, **kw)

    def create(self):
        self.say("create", {"proplet_id": self.id, "namespace": "default",
                            "metadata": self.metadata})

    def alive(self):
        m = {"proplet_id": self.id, "status": "alive", "namespace": "default"}
        if self.kind == "ours":
            with self.lock:
                held = dict(self.running)
                held.update({task: epoch for task, epoch in self.unacked})
                m["tasks"] = [{"id": t, "epoch": e} for t, e in held.items()]
        self.say("alive", m)

    def _beat(self):
        while not self.stopped.wait(self.heartbeat):
            if not self.silent:
                try:
                    self.alive()
                    with self.lock:
                        again = list(self.unacked.values())
                    for m in again[:200]:
                        self.say("results", m)
                except (OSError, MqttError):
                    self._again()

    def _again(self):
        for _ in range(100):
            if self.stopped.wait(0.1):
                return
            try:
                self.connect()
                if self.kind == "ours":
                    self.create()
                return
            except Exception:
                continue

    # ---- commands

    def _on(self, client, m):
        if self.silent:
            return
        verb = m.topic.split("/control/manager/")[-1].split("/")[0]
        handler = {"start": self._start, "stop": self._stop, "invoke": self._invoke,
                   "ack": self._ack}.get(verb)
        if handler:
            handler(m.json())

    def _start(self, t):
        if self.kind != "embedded" and t.get("proplet_id", self.id) != self.id:
            return
        with self.lock:
            self.starts.append(t)
            epoch = t.get("epoch", 0)
            key = (t["id"], epoch)
            if self.running.get(t["id"]) == epoch or key in self.unacked:
                return
            self.running[t["id"]] = epoch
            self.executed.append(key)
        name = t["name"]
        if name == "hang" or t.get("latent"):
            return
        if self.delay:
            threading.Timer(self.delay, self._end, (t,)).start()
        else:
            self._end(t)

    def _end(self, t):
        name, inputs = t["name"], t.get("inputs") or []
        if name == "trap":
            self.result(t, error="trap: unreachable", reason="trap")
        elif name == "refuse":
            self.result(t, error="refused: no room", reason="refused")
        elif name == "echo":
            self.result(t, results=json.dumps(inputs))
        else:
            self.result(t, results=str(sum(float(i) if "." in str(i) else int(i) for i in inputs)))

    def result(self, t, results=None, error=None, reason="done"):
        m = {"task_id": t["id"]}
        if self.kind != "embedded":
            m["proplet_id"] = self.id
        if self.kind == "ours":
            m.update(epoch=t.get("epoch", 0), reason=reason, fuel=7, duration_ms=1)
        if results is not None:
            m["results"] = results
        if error is not None or self.kind == "rust":
            m["error"] = error
        with self.lock:
            self.running.pop(t["id"], None)
            if self.kind == "ours" and m["epoch"]:
                self.unacked[(t["id"], m["epoch"])] = m
        try:
            self.say("results", m)
        except (OSError, MqttError):
            pass  # it is repeated with the next heartbeat

    def _stop(self, t):
        with self.lock:
            self.stops.append(t)
            epoch = self.running.get(t["id"])
        if epoch is not None:
            self.result({"id": t["id"], "epoch": epoch}, error="stopped", reason="stopped")

    def _invoke(self, t):
        if t.get("proplet_id") != self.id:
            return
        text = " ".join(t.get("inputs") or [])
        m = {"task_id": t["id"], "invocation_id": t["invocation_id"], "proplet_id": self.id,
             "results": "hello " + text, "error": None}
        if text == "fail":
            m.update(results="", error="trap: unreachable")
        if text != "silent":
            self.say("invoke_results", m)

    def _ack(self, m):
        with self.lock:
            self.unacked.pop((m["task_id"], m["epoch"]), None)
