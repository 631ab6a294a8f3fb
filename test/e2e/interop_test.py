#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Against Propeller's own programs: its manager and proxy drive our worker, its CLI our manager.

The folder of its programs (propeller-manager, propeller-proxy, propeller-cli; also without the
prefix) is named by PROPELLER_BIN. Without it nothing here can run, and one line says so.
With --record, what the programs say is written to recorded/*.json.
"""
import base64
import json
import os
import pathlib
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import hashlib

import lab
from lab import Skip, expect, expect_eq, free_port, wait_until

BIN = os.environ.get("PROPELLER_BIN", "")
TENANT, CHANNEL = "7a1d0f8e-0000-4000-8000-000000000001", "7a1d0f8e-0000-4000-8000-000000000002"
P = f"m/{TENANT}/c/{CHANNEL}"
NODE = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"
RECORDED = pathlib.Path(__file__).parent / "recorded"

# (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
ADD = bytes.fromhex("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b")
# (module (func (export "spin") (loop br 0)))
SPIN = bytes.fromhex("0061736d01000000010401600000030201000708010473" "70696e00000a0901070003400c000b0b")
# (module (func (export "trap") (result i32) i32.const 1 i32.const 0 i32.div_s))
TRAP = bytes.fromhex("0061736d010000000105016000017f030201000708010474" "72617000000a09010700410141006d0b")


def program(name):
    for candidate in (f"propeller-{name}", name):
        path = pathlib.Path(BIN) / candidate
        if BIN and path.exists():
            return path
    raise Skip("PROPELLER_BIN names no folder with Propeller's programs")


class Propeller:
    """Its manager on a broker, and a listener that hears all."""

    def __init__(self, l):
        exe = program("manager")
        self.lab = l
        self.broker = l.broker()
        self.ear = l.client(self.broker, "ear")
        self.ear.subscribe("#")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.manager = l.process("propeller-manager", [exe], env={
            **self.settings("MANAGER"), "MANAGER_HTTP_HOST": "127.0.0.1", "MANAGER_HTTP_PORT": port})
        self.http = l.http(self.url)
        wait_until(lambda: lab.can_connect(port), 20, "Propeller's manager listens")

    def settings(self, name):
        return {f"{name}_MQTT_ADDRESS": self.broker.url, f"{name}_TENANT_ID": TENANT,
                f"{name}_CHANNEL_ID": CHANNEL, f"{name}_ENTITY_ID": f"{name.lower()}-entity",
                f"{name}_API_KEY": "key", f"{name}_LOG_LEVEL": "debug"}

    def worker(self, *flags, node=NODE, name="proplet"):
        return self.lab.process(name, [
            self.lab.bin("proplet"), "--mqtt-address", self.broker.url, "--tenant-id", TENANT,
            "--channel-id", CHANNEL, "--entity-id", node, "--api-key", "key", "--state-dir",
            self.lab.folder / f"state-{name}", "--log-level", "debug", *flags])

    def wait_node(self, node=NODE, alive=True, seconds=15):
        wait_until(lambda: self.node(node).get("alive") is alive, seconds,
                   f"node {node} alive={alive}")

    def node(self, node=NODE):
        reply = self.http.get(f"/proplets/{node}")
        return reply.json() if reply.status == 200 else {}

    def create(self, name, wasm=None, **fields):
        if wasm is not None:
            fields["file"] = base64.b64encode(wasm).decode()
        reply = self.http.post("/tasks", {"name": name, **fields})
        expect_eq(reply.status, 201, f"create {name}: {reply}")
        return reply.json()["id"]

    def start(self, task):
        reply = self.http.post(f"/tasks/{task}/start")
        expect_eq(reply.status, 200, f"start: {reply}")

    def task(self, task):
        return self.http.get(f"/tasks/{task}").json()

    def wait_state(self, task, state, seconds=20):
        wait_until(lambda: self.task(task)["state"] == state, seconds, f"task {task} state {state}")
        return self.task(task)

    def run(self, name, wasm=None, state=3, **fields):
        task = self.create(name, wasm, **fields)
        self.start(task)
        return self.wait_state(task, state)


PENDING, SCHEDULED, RUNNING, COMPLETED, FAILED = range(5)


def test_worker_lives_and_serves(l):
    p = Propeller(l)
    worker = p.worker()
    p.wait_node()
    node = p.node()
    expect_eq(node["metadata"]["os"], "linux")
    done = p.run("add", ADD, inputs=["10", "20"])
    expect_eq(done["results"], "30")
    expect(not done.get("error"), f"error: {done.get('error')}")
    failed = p.run("trap", TRAP, state=FAILED)
    expect("divide by zero" in failed["error"], failed["error"])
    failed = p.run("add", ADD, state=FAILED, inputs=["1"])
    l.note(failed["error"][:80])
    for i in range(20):
        expect_eq(p.run("add", ADD, inputs=[str(i), "1"])["results"], str(i + 1))
    expect(worker.running(), "the worker ended")


def test_node_stays_alive(l):
    p = Propeller(l)
    p.worker()
    p.wait_node()
    end = time.monotonic() + 21
    looks = 0
    while time.monotonic() < end:
        expect(p.node()["alive"], f"dead at look {looks}")
        looks += 1
        time.sleep(0.1)
    l.note(f"{looks} looks in 21 s, always alive")
    history = p.http.get(f"/proplets/{NODE}/alive-history").json()
    expect(history, "no alive history")
    metrics = p.http.get(f"/proplets/{NODE}/metrics").json()
    expect(metrics.get("metrics"), "no node metrics")


def test_stop(l):
    p = Propeller(l)
    worker = p.worker()
    p.wait_node()
    task = p.create("spin", SPIN)
    p.start(task)
    p.wait_state(task, RUNNING)
    wait_until(lambda: worker.cpu_seconds() > 0.3, 10, "the task runs")
    mark = p.ear.mark()
    reply = p.http.post(f"/tasks/{task}/stop")
    expect_eq(reply.status, 200, f"{reply}")
    end = p.ear.wait(f"{P}/control/proplet/results", lambda m: m.json()["task_id"] == task,
                     since=mark).json()
    expect(end["error"].startswith("stopped"), end["error"])
    l.note(f"state {p.task(task)['state']}, error {end['error'][:60]!r}")
    expect_eq(p.run("add", ADD, inputs=["1", "2"])["results"], "3")


def test_two_workers_and_broadcast(l):
    p = Propeller(l)
    other = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e22"
    p.worker()
    p.worker(node=other, name="proplet2")
    p.wait_node()
    p.wait_node(other)
    for node in (NODE, other):
        task = p.create("add", ADD, inputs=["4", "5"], proplet_id=node)
        mark = p.ear.mark()
        p.start(task)
        p.wait_state(task, COMPLETED)
        results = p.ear.wait_count(f"{P}/control/proplet/results", 1, since=mark)
        expect_eq([m.json()["proplet_id"] for m in results], [node], "who answered")
    task = p.create("add", ADD, inputs=["4", "5"], broadcast=True)
    mark = p.ear.mark()
    p.start(task)
    results = p.ear.wait_count(f"{P}/control/proplet/results", 2, since=mark)
    expect_eq({m.json()["proplet_id"] for m in results}, {NODE, other}, "who answered")
    p.wait_state(task, COMPLETED)


def test_job_and_workflow(l):
    p = Propeller(l)
    p.worker()
    p.wait_node()
    file = base64.b64encode(ADD).decode()
    tasks = [{"name": "add", "file": file, "inputs": [str(i), "1"]} for i in range(3)]
    job = p.http.post("/jobs", {"name": "j", "tasks": tasks, "execution_mode": "sequential"})
    expect_eq(job.status, 201, f"{job}")
    job = job.json()
    expect_eq(p.http.post(f"/jobs/{job['job_id']}/start").status, 200)
    for i, task in enumerate(job["tasks"]):
        expect_eq(p.wait_state(task["id"], COMPLETED)["results"], str(i + 1))


def test_manager_and_broker_restart(l):
    p = Propeller(l)
    p.worker("--heartbeat-ms", "500")
    p.wait_node()
    mark = p.ear.mark()
    p.broker.restart(kill=True)
    ear = l.client(p.broker, "ear2")
    ear.subscribe("#")
    ear.wait(f"{P}/control/proplet/create", seconds=20)
    ear.wait(f"{P}/control/proplet/alive", seconds=20)
    p.manager.kill()  # its own program goes deaf when the broker restarts
    p.manager.start()
    wait_until(lambda: lab.can_connect(p.http.port), 20, "manager")
    p.http.close()
    p.wait_node()
    expect_eq(p.run("add", ADD, inputs=["1", "2"])["results"], "3")
    expect(mark >= 0)


# ---- the proxy, with an OCI registry of our own over HTTPS


class Registry:
    """Serves images acme/NAME:latest, one layer each, as an OCI registry does."""

    def __init__(self, l, modules):
        self.blobs, self.manifests = {}, {}
        for name, wasm in modules.items():
            config, layer = self.put(b"{}"), self.put(wasm)
            manifest = json.dumps({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                           "digest": config, "size": 2},
                "layers": [{"mediaType": "application/wasm", "digest": layer,
                            "size": len(wasm)}]}).encode()
            self.manifests[f"acme/{name}"] = manifest
            self.put(manifest)
        key, cert = l.folder / "key.pem", l.folder / "cert.pem"
        status, _, err = l.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                                "2", "-subj", "/CN=localhost", "-addext",
                                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
                                cert])
        expect_eq(status, 0, err)
        self.cert = cert
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self, body=True):
                registry.answer(self, body)

            def do_HEAD(self):
                registry.answer(self, False)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        l.own(self)

    def put(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def answer(self, h, body):
        parts = h.path.split("/")
        data, kind = None, "application/octet-stream"
        if h.path == "/v2/":
            data = b"{}"
        elif len(parts) == 6 and parts[4] == "manifests":
            name = f"{parts[2]}/{parts[3]}"
            data = self.manifests.get(name)
            kind = "application/vnd.oci.image.manifest.v1+json"
        elif len(parts) == 6:
            data = self.blobs.get(parts[5])
        h.send_response(200 if data is not None else 404)
        data = data or b"{}"
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(data)))
        h.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(data).hexdigest())
        h.end_headers()
        if body:
            h.wfile.write(data)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def with_proxy(p, l, modules, **settings):
    registry = Registry(l, modules)
    proxy = l.process("propeller-proxy", [program("proxy")], env={
        **p.settings("PROXY"), "PROXY_REGISTRY_URL": registry.host, "PROXY_HTTP_PORT": free_port(),
        "SSL_CERT_FILE": registry.cert, **settings})
    proxy.wait_log("ubscri", 20)
    return registry


def padded(wasm, bytes_):
    """The module with a custom section that makes it that long."""
    pad = bytes_ - len(wasm) - 8
    size = pad + 4
    leb = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127])
    return wasm + b"\0" + leb + b"\3pad" + bytes(i * 31 & 255 for i in range(pad))


def test_proxy_chunks(l):
    p = Propeller(l)
    registry = with_proxy(p, l, {"add": ADD, "big": padded(ADD, 1 << 20)})
    worker = p.worker()
    p.wait_node()
    done = p.run("add", image_url=f"{registry.host}/acme/add:latest", inputs=["1", "2"])
    expect_eq(done["results"], "3")
    done = p.run("add", image_url=f"{registry.host}/acme/big:latest", inputs=["3", "4"])
    expect_eq(done["results"], "7")
    chunks = p.ear.all(f"{P}/registry/server")
    l.note(f"{len(chunks)} chunks of at most {max(len(m.payload) for m in chunks)} bytes")
    expect(worker.running(), "the worker ended")


def test_proxy_to_small_worker(l):
    p = Propeller(l)
    registry = with_proxy(p, l, {"big": padded(ADD, 1 << 20)}, PROXY_CHUNK_SIZE="65536")
    p.worker("--pool", "40k", "--rx-buffer", "1k", "--slots", "4")
    p.wait_node()
    done = p.run("add", image_url=f"{registry.host}/acme/big:latest", inputs=["3", "4"])
    expect_eq(done["results"], "7")
    l.note(f"1 MB in {len(p.ear.all(f'{P}/registry/server'))} chunks into a pool of 40 KB")


# ---- what its programs say, kept as data


def test_record(l):
    """Its manager, CLI and proxy speak to a scripted node; --record keeps what they said."""
    p = Propeller(l)
    registry = with_proxy(p, l, {"add": ADD})
    node = l.client(p.broker, NODE, on_message=lambda c, m: scripted_node(c, m))
    node.subscribe(f"{P}/control/manager/+", f"{P}/registry/server")
    node.publish(f"{P}/control/proplet/create", {
        "proplet_id": NODE, "namespace": "default", "metadata": {
            "tags": ["edge"], "ip": "192.0.2.10", "environment": "binary", "os": "linux",
            "hostname": "n1", "cpu_arch": "x86_64", "total_memory_bytes": 16777216000,
            "proplet_version": "0.5.0", "wasm_runtime": "wasmtime-internal"}})
    node.publish(f"{P}/control/proplet/alive", {"proplet_id": NODE, "status": "alive",
                                                "namespace": "default"})
    p.wait_node()
    exchanges = [drive_manager(p, node, registry), drive_cli(p, l, node)]
    messages = [{"topic": m.topic.replace(TENANT, "<tenant>").replace(CHANNEL, "<channel>"),
                 "payload": m.payload.decode().replace(registry.host, "registry.example")}
                for m in p.ear.all("#")
                if "/control/manager/" in m.topic or "/registry/server" in m.topic]
    kinds = {m["topic"].rsplit("/", 1)[1] for m in messages}
    expect(kinds >= {"start", "stop", "invoke", "server"}, f"heard only {kinds}")
    l.note(f"{len(messages)} messages, {sum(map(len, exchanges))} HTTP exchanges")
    if l.options.record:
        RECORDED.mkdir(exist_ok=True)
        (RECORDED / "propeller_mqtt.json").write_text(json.dumps(messages, indent=1) + "\n")
        text = json.dumps(exchanges[0], indent=1).replace(registry.host, "registry.example")
        (RECORDED / "propeller_http.json").write_text(text + "\n")
        text = json.dumps(exchanges[1], indent=1).replace(registry.host, "registry.example")
        (RECORDED / "propeller_cli.json").write_text(text + "\n")


def scripted_node(client, m):
    said = m.json() or {}
    if m.topic.endswith("/start") and not said.get("latent") and said.get("name") != "spin":
        client.publish(f"{P}/control/proplet/results", {
            "task_id": said["id"], "proplet_id": NODE, "results": "30", "error": None}, wait=False)
    if m.topic.endswith("/invoke"):
        client.publish(f"{P}/control/proplet/invoke_results", {
            "task_id": said["id"], "invocation_id": said["invocation_id"], "proplet_id": NODE,
            "results": "hola", "error": None}, wait=False)


def drive_manager(p, node, registry):
    """Every kind of command over HTTP; the exchanges."""
    log = []

    def ask(method, path, body=None):
        reply = p.http.request(method, path, body)
        log.append({"method": method, "path": path, "body": body, "status": reply.status,
                    "reply": reply.body.decode()})
        return reply

    def create(**fields):
        return ask("POST", "/tasks", fields).json()["id"]

    file = base64.b64encode(ADD).decode()
    profile = {"enabled": True, "interval": 10, "collect_cpu": True, "collect_memory": True,
               "collect_disk_io": True, "collect_threads": True, "collect_file_descriptors": True,
               "export_to_mqtt": True, "retain_history": True, "history_size": 10}
    everything = create(name="add", file=file, inputs=[10, "20"], cli_args=["--x", "<&>"],
                        env={"LEVEL": "3", "QUOTE": "\"\u00e9\u20ac"}, daemon=False,
                        monitoring_profile=profile, priority=70, metadata={"a": 1})
    plain = create(name="add", file=file, inputs=["1", "2"])
    spin = create(name="spin", file=base64.b64encode(SPIN).decode())
    latent = create(name="add", file=file, latent=True)
    broadcast = create(name="add", file=file, inputs=["1", "2"], broadcast=True)
    image = create(name="add", image_url=f"{registry.host}/acme/add:latest", inputs=["1", "2"])
    for task in (everything, plain, spin, latent, broadcast, image):
        expect_eq(ask("POST", f"/tasks/{task}/start").status, 200, "start")
    ask("POST", f"/tasks/{spin}/stop")
    ask("POST", f"/tasks/{broadcast}/stop")
    reply = ask("POST", f"/tasks/{latent}/invoke", {"inputs": ["\"world\""],
                                                    "env": {"GREETING": "hola"}})
    expect_eq(reply.status, 200, f"invoke: {reply}")
    ask("GET", f"/tasks/{plain}")
    ask("GET", f"/tasks/{plain}/results")
    ask("GET", "/proplets")
    ask("GET", "/tasks")
    mark = p.ear.mark()
    node.publish(f"{P}/registry/proplet", {"app_name": f"{registry.host}/acme/add:latest"})
    p.ear.wait(f"{P}/registry/server", since=mark)
    return log


def drive_cli(p, l, node):
    """Its CLI's commands: what each printed."""
    wasm = l.folder / "add.wasm"
    wasm.write_bytes(ADD)
    log = []

    def cli(*args):
        status, out, err = l.run([program("cli"), "-m", p.url, *args], seconds=30,
                                 cwd=l.folder)
        log.append({"args": [str(a) for a in args], "status": status, "out": out, "err": err})
        return out

    out = cli("tasks", "create", "add", "--inputs", "10,20", "--env", "A=B")
    task = json.loads(plain_text(out))["id"]
    cli("tasks", "upload", task, "add.wasm")
    cli("tasks", "start", task)
    p.wait_state(task, COMPLETED)
    for args in (("tasks", "view", task), ("tasks", "results", task), ("tasks", "list"),
                 ("tasks", "stop", task), ("tasks", "metrics", task), ("proplets", "list"),
                 ("proplets", "view", NODE), ("proplets", "metrics", NODE),
                 ("proplets", "alive-history", NODE), ("jobs", "list"), ("health",),
                 ("tasks", "delete", task), ("tasks", "view", task)):
        cli(*args)
    return log


def plain_text(text):
    """Without the terminal's colours."""
    out, skip = [], False
    for c in text:
        if c == "\x1b":
            skip = True
        elif skip:
            skip = c != "m"
        else:
            out.append(c)
    return "".join(out)


# ---- its CLI against our manager


def our_manager(l):
    broker = l.broker()
    port = free_port()
    manager = l.process("proplet-manager", [
        l.bin("proplet-manager"), "--http-port", port, "--store",
        f"sqlite://{l.folder}/manager.db"], env={"MANAGER_MQTT_ADDRESS": broker.url})
    wait_until(lambda: lab.can_connect(port), 20, "our manager listens")
    worker = l.process("proplet", [l.bin("proplet"), "--mqtt-address", broker.url, "--state-dir",
                                   l.folder / "state", "--entity-id", NODE])
    http = l.http(f"http://127.0.0.1:{port}")
    wait_until(lambda: NODE in http.get("/proplets").body.decode(), 20, "our worker is known")
    return manager, worker, http, f"http://127.0.0.1:{port}"


def test_cli_drives_our_manager(l):
    exe = program("cli")
    _, _, http, url = our_manager(l)
    wasm = l.folder / "add.wasm"
    wasm.write_bytes(ADD)

    def cli(*args):
        status, out, err = l.run([exe, "-m", url, *args], seconds=30)
        text = plain_text(out + err)
        expect(status == 0 and "error" not in text.lower().replace('"error"', ""),
               f"{' '.join(map(str, args))}: {text}")
        return text

    task = json.loads(cli("tasks", "create", "add", "--inputs", "10,20"))["id"]
    cli("tasks", "upload", task, str(wasm))
    cli("tasks", "start", task)
    wait_until(lambda: http.get(f"/tasks/{task}").json()["state"] == COMPLETED, 10, "completed")
    expect("30" in cli("tasks", "results", task), "no result")
    for args in (("tasks", "view", task), ("tasks", "list"), ("tasks", "metrics", task),
                 ("proplets", "list"), ("proplets", "view", NODE), ("proplets", "metrics", NODE),
                 ("proplets", "alive-history", NODE), ("jobs", "list"), ("health",)):
        cli(*args)
    tasks = json.dumps([{"name": "add", "file": base64.b64encode(ADD).decode(),
                         "inputs": ["1", "2"]}])
    job = json.loads(cli("jobs", "create", "--name", "j", "--tasks", tasks))["job_id"]
    cli("jobs", "start", job)
    cli("jobs", "view", job)
    cli("tasks", "delete", task)


def options(parser):
    parser.add_argument("--record", action="store_true", help="write recorded/*.json")


if __name__ == "__main__":
    if not BIN:
        print("PROPELLER_BIN names no folder with Propeller's programs: not run")
        print("0 passed, 0 failed")
    else:
        lab.main(globals(), options)
