#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""propctl with a real broker, manager and workers, and the examples a user starts from."""
import concurrent.futures
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import expect, expect_eq, wait_until  # noqa: E402

MODULES = pathlib.Path(os.environ.get("PROPLET_EXAMPLES", lab.ROOT / "build" / "examples"))
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Fleet:
    """Broker, manager and workers; call it to run propctl. workers: name -> options."""

    def __init__(self, l, **workers):
        if not MODULES.is_dir():
            raise lab.Skip(f"no modules in {MODULES}; build them with examples/build")
        self.l, self.workers = l, {}
        self.broker = l.broker()
        port = lab.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.manager = l.process("manager", [
            l.bin("proplet-manager"), "--mqtt", f"tcp://127.0.0.1:{self.broker.port}",
            "--http-port", port, "--store", f"sqlite://{l.folder}/manager.db"])
        (l.folder / "temperature").write_text("21.5\n")
        wait_until(lambda: '"connected"' in self.try_("status", "-j")[1], 10, "the manager is up")
        for name, options in workers.items():
            self.workers[name] = l.process(f"worker-{name}", [
                l.bin("proplet"), "--mqtt-address", f"tcp://127.0.0.1:{self.broker.port}",
                "--state-dir", l.folder / name, "--labels", f"size={name}", "--heartbeat-ms", 500,
                "--capabilities", "kv,time,publish,sensor",
                "--sensors", f"temperature={l.folder}/temperature", *options])
        wait_until(lambda: self.alive() == len(workers), 15, "every worker is alive")

    def alive(self):
        status, out, _ = self.try_("node", "list", "--alive", "-q")
        return len(out.split()) if status == 0 else -1

    def try_(self, *args, seconds=30, stdin=None):
        return self.l.run([self.l.bin("propctl"), *args], seconds=seconds, stdin=stdin,
                          env={"PROPCTL_URL": self.url}, cwd=MODULES)

    def __call__(self, *args, status=0, **kw):
        got, out, err = self.try_(*args, **kw)
        expect(got == status, f"propctl {' '.join(map(str, args))}: status {got}, expected "
                              f"{status}; stdout {out[-300:]!r} stderr {err[-400:]!r}")
        return out, err


TINY = ["--pool", 40960, "--rx-buffer", 1024]


def has(text, *words):
    for w in words:
        expect(w in text, f"{w!r} is not in {text[-600:]!r}")


def test_examples_on_a_tiny_worker(l):
    f = Fleet(l, tiny=TINY)
    expect_eq(f("run", "add.wasm", "2", "-3")[0], "-1\n")
    expect_eq(f("run", "add.wasm", "--invoke", "mean", "2.5", "4")[0], "3.25\n")
    expect_eq(f("run", "fib.wasm", "20")[0], "6765\n")
    expect_eq(f("run", "sha256.wasm", "abc")[0], ABC + "\n")
    has(f("run", "hello.wasm")[1], "4  Mars", "686.98 days")
    expect(abs(float(f("run", "filter.wasm", "20", "20", "20", "90", "20", "20.5", "21")[0]) - 20.0337)
           < 0.001, "the filter's value")
    expect_eq(len(f("run", "filter.wasm", "--invoke", "trace", "1", "2", "3")[0].split()), 3)
    expect_eq(f("run", "greet.wasm", "Ada")[0], "hello, Ada\n")
    expect_eq(f("run", "bulky.wasm", "21")[0], "42\n")
    runs = [f("run", "counter.wasm", "--cap", "kv")[0] for _ in range(3)]
    expect_eq(runs, ["1\n", "2\n", "3\n"])
    out, _ = f("run", "readings.wasm", "--cap", "sensor,time", "temperature", "1", "2")
    has(out, '{"sensor":"temperature","n":1,"mean":21.50}', '"n":2')


def test_wasi(l):
    f = Fleet(l, big=[])
    out, _ = f("run", "wasi.wasm", "--env", "GREETING=bonjour", "pear", "apple")
    has(out, "bonjour from ", "1 apple\n2 pear\n")
    out, _ = f("run", "wasi.wasm", status=1)
    has(out, "give me words to sort")


def test_room(l):
    """What does not fit a worker goes to another one; alone, it says what it lacks."""
    f = Fleet(l, tiny=TINY, big=[])
    for words in ("b a", "d c", "f e"):
        has(f("run", "wasi.wasm", *words.split())[0], "1 " + words[-1])
    has(f("run", "wasi.wasm", "--label", "size=tiny", "x", status=70)[1], "refused: no room")


def test_tasks_wait_for_room(l):
    """More tasks than a small worker has room for: each gets its turn."""
    f = Fleet(l, tiny=TINY)
    ids = [f("run", "readings.wasm", "-d", "--cap", "sensor,time", "temperature", "10", "1")[0].strip()
           for _ in range(8)]
    for task in ids:
        has(f("task", "wait", task, "-w", "20s")[0], '"mean":21.50')


def test_failures(l):
    f = Fleet(l, tiny=TINY)
    _, err = f("run", "crash.wasm", status=70)
    has(err, "integer divide by zero", "at ratio", "at flow_rate", "at pump_report", "at crash")
    has(f("run", "forever.wasm", "--time", "200ms", status=75)[1], "limit reached")
    has(f("run", "fib.wasm", "--fuel", "10k", "30", status=75)[1], "limit reached")
    has(f("run", "add.wasm", "1", status=70)[1], "refused")
    has(f("run", "add.wasm", "1", "x", status=70)[1], "refused")
    has(f("run", "add.wasm", "--invoke", "nothing", status=65)[1], "it exports add, mean")
    task = f("task", "create", "x", "-i", "nothing")[0].strip()
    f("task", "upload", task, "add.wasm")
    f("task", "start", task)
    has(f("task", "wait", task, status=70)[1], "refused", "nothing")
    has(f("run", "counter.wasm", status=0)[0], "-3")
    (l.folder / "bad.wasm").write_bytes(b"\0asm\1\0\0\0\x01\x04\x01\x60\x7f")
    has(f("run", l.folder / "bad.wasm", status=70)[1], "module")


def test_stopping(l):
    f = Fleet(l, tiny=TINY)
    task = f("run", "forever.wasm", "-d")[0].strip()
    wait_until(lambda: "running" in f("task", "list", "--state", "running")[0], 5, "it runs")
    has(f("top", "--once")[0], "forever")
    f("task", "stop", "forever")
    has(f("task", "wait", task, status=70)[1], "stopped")
    child = subprocess.Popen([l.bin("propctl"), "run", "forever.wasm"], cwd=MODULES,
                             env={**os.environ, "PROPCTL_URL": f.url}, stderr=subprocess.PIPE)
    wait_until(lambda: "running" in f("task", "list", "--state", "running")[0], 5, "it runs")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    expect_eq(child.returncode, 130, err)
    wait_until(lambda: not f("task", "list", "--state", "running", "-q")[0], 5, "it was stopped")


def test_placement(l):
    f = Fleet(l, tiny=TINY, big=[])
    nodes = {n["metadata"]["labels"]["size"]: n["id"] for n in json.loads(f("node", "list", "-j")[0])}
    for size, node in nodes.items():
        f("run", "add.wasm", "-n", f"on-{size}", "--label", f"size={size}", "1", "2")
        has(f("task", "show", f"on-{size}")[0], node)
        f("run", "add.wasm", "-n", f"pin-{size}", "--node", node[:8], "1", "2")
        has(f("task", "show", f"pin-{size}")[0], node)
    f("node", "drain", nodes["big"])
    has(f("run", "add.wasm", "--label", "size=big", "1", "2", status=69)[1], "")
    f("node", "drain", nodes["big"], "--off")
    f("run", "add.wasm", "--label", "size=big", "1", "2")
    _, err = f("run", "add.wasm", "--label", "size=huge", "1", "2", status=69)
    has(err, "no proplet")
    f("run", "add.wasm", "--name", "later", "--queue", "--detach", "--label", "size=huge", "1", "2")
    has(f("task", "show", "later")[0], "pending", "placement")


def test_broadcast(l):
    """Every node answers, under its name; one that cannot is told, and makes the status."""
    f = Fleet(l, big=[], tiny=TINY)
    nodes = json.loads(f("node", "list", "-j")[0])
    big, tiny = (next(n["name"] for n in nodes if n["metadata"]["labels"]["size"] == size)
                 for size in ("big", "tiny"))
    out, _ = f("run", "add.wasm", "--broadcast", "2", "3")
    expect_eq(out.splitlines(), sorted([f"{big}: 5", f"{tiny}: 5"]))
    out, err = f("run", "crash.wasm", "--broadcast", status=70)
    expect_eq(out, "")
    has(err, f"crash failed on node {big}: trap: integer divide by zero", "at flow_rate, offset 0x",
        f"crash failed on node {tiny}: trap", "crash failed on 2 of 2 nodes")
    out, err = f("run", "wasi.wasm", "--broadcast", "x", status=70)
    has(out, f"{big}: 1 x\n")
    expect(tiny not in out, out)
    has(err, f"wasi failed on node {tiny}: refused: no room", "wasi failed on 1 of 2 nodes")
    out, _ = f("run", "readings.wasm", "--broadcast", "--cap", "sensor,time", "temperature", "2", "3")
    expect_eq((out.count(f"{big}: "), out.count(f"{tiny}: ")), (3, 3), out)


def test_invoke_daemon_outputs(l):
    f = Fleet(l, tiny=TINY)
    f("run", "greet.wasm", "--latent")
    wait_until(lambda: f.try_("invoke", "greet", "Ada")[1] == "hello, Ada\n", 5, "the invocation")
    expect_eq(f("invoke", "greet", "Grace")[0], "hello, Grace\n")
    f("run", "readings.wasm", "--daemon", "-d", "--cap", "sensor,time", "temperature", "5", "3")
    out, _ = f("task", "outputs", "readings", "--follow")
    expect_eq(out.count('"mean":21.50'), 3)


def test_workflow_and_job(l):
    f = Fleet(l, big=[])
    examples = lab.ROOT / "examples"
    group = f("workflow", "create", examples / "workflow.json", "--start")[0].strip()
    out, _ = f("workflow", "wait", group[:8], "--wait", "20s")
    has(out, "both sides were measured", "skipped")
    idle = f("workflow", "create", examples / "workflow.json")[0].strip()
    has(f("workflow", "wait", idle, "--wait", "1s", status=75)[1], "none of its tasks is started")
    idle = f("task", "create", "idle", "-f", "add.wasm")[0].strip()
    has(f("task", "wait", idle, "--wait", "1ms", status=75)[1], "is not started; see: propctl task start")
    job = f("job", "create", examples / "job.json", "--start")[0].strip()
    wait_until(lambda: f("job", "show", job[:8])[0].count("completed") == 4, 20, "the job")
    has(f("job", "list")[0], "sums", "completed")


def test_run_time(l):
    f = Fleet(l, big=[])
    f("run", "add.wasm", "1", "1")
    times = []
    for _ in range(20):
        start = time.monotonic()
        f("run", "add.wasm", "1", "1")
        times.append((time.monotonic() - start) * 1000)
    l.note(f"median {statistics.median(times):.0f} ms, least {min(times):.0f} ms")


def test_ten_thousand_tasks(l):
    """Names and beginnings of ids are found, and a run is quick, however many tasks there are."""
    f = Fleet(l, big=[])
    http = l.http(f.url)

    def create(name, **fields):
        r = http.post("/tasks", {"name": name, "file": "AGFzbQEAAAA=", **fields})
        expect_eq(r.status, 201)
        return r.json()["id"]
    other = create("other")
    for _ in range(50):  # a job's tasks are made in one request
        expect_eq(http.post("/jobs", {"name": "many", "tasks": [
            {"name": "same", "file": "AGFzbQEAAAA="}] * 200}).status, 201)
    last = create("same")
    f("run", "add.wasm", "1", "1")
    took = {}
    for words, want in {("run", "add.wasm", "1", "1"): "2\n", ("task", "show", "other"): other,
                        ("task", "show", other[:8]): other, ("task", "show", "same"): last}.items():
        times = []
        for _ in range(5):
            start = time.monotonic()
            has(f(*words)[0], want)
            times.append((time.monotonic() - start) * 1000)
        took[" ".join(words)] = f"{min(times):.0f} ms"
    l.note(str(took))
    has(f("task", "delete", "same", status=66)[1], "10001 tasks are named 'same'")


def test_manager_comes_last(l):
    """A manager with an empty store learns what the workers are that were there before it."""
    f = Fleet(l, tiny=TINY)
    f.manager.stop()
    for file in l.folder.glob("manager.db*"):
        if file.is_file():  # the folder beside it holds images and their key
            file.unlink()
    f.manager.start()
    wait_until(lambda: "tiny" in f.try_("node", "list")[1], 10, "the worker's labels are known")
    nodes = json.loads(f("node", "list", "-j")[0])
    expect(all("-" in n["name"] for n in nodes), f"nodes have names: {nodes}")
    f("run", "add.wasm", "--label", "size=tiny", "2", "3")


def test_manager_knows_its_workers_again(l):
    """It asks those it knew, and does not wait for a heartbeat that comes once in ten minutes."""
    f = Fleet(l, big=["--heartbeat-ms", 600000])
    f.manager.kill()
    f.manager.start()
    wait_until(lambda: f.alive() == 1, 10, "the worker is alive")
    expect_eq(f("run", "add.wasm", "2", "3")[0], "5\n")


def test_manager_restarts_meanwhile(l):
    """The task goes on, propctl waits for the manager, and no published value is lost."""
    f = Fleet(l, big=[])
    child = subprocess.Popen([l.bin("propctl"), "run", "readings.wasm", "--cap", "sensor,time",
                              "temperature", "20", "20"], cwd=MODULES, bufsize=0,
                             env={**os.environ, "PROPCTL_URL": f.url}, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    first = child.stdout.readline()
    f.manager.kill()
    wait_until(lambda: f.alive() == -1, 5, "the manager is gone")
    f.manager.start()
    out, err = child.communicate(timeout=30)
    expect_eq(child.returncode, 0, err)
    has(err.decode(), "trying again")
    numbers = [json.loads(line)["n"] for line in (first + out).splitlines()]
    kept = [json.loads(line)["n"] for line in f("task", "outputs", "readings")[0].splitlines()]
    expect_eq(numbers, kept, "what was shown, beside what the manager keeps,")
    expect_eq(numbers, list(range(1, 21)), "the published values")


def test_tls(l):
    if not lab.shutil.which("openssl"):
        raise lab.Skip("no openssl")
    status, _, err = l.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                            "-keyout", "key.pem", "-out", "cert.pem"])
    expect_eq(status, 0, err)
    broker, port = l.broker(), lab.free_port()
    l.process("manager", [l.bin("proplet-manager"), "--mqtt", f"tcp://127.0.0.1:{broker.port}",
                          "--http-port", port, "--store", f"sqlite://{l.folder}/manager.db",
                          "--http-cert", l.folder / "cert.pem", "--http-key", l.folder / "key.pem"])
    url, cert = f"https://localhost:{port}", str(l.folder / "cert.pem")

    def status_of(*args, **env):
        return l.run([l.bin("propctl"), "-m", url, "task", "list", *args], env=env)

    wait_until(lambda: status_of("--insecure")[0] == 0, 10, "the manager answers")
    status, _, err = status_of()
    expect_eq(status, 69, err)
    has(err, "not trusted", "--cacert")
    expect_eq(status_of("--cacert", cert)[0], 0)
    expect_eq(status_of(PROPCTL_CACERT=cert)[0], 0)
    status, _, err = status_of("--cacert", "/nothing")
    expect_eq(status, 66, err)
    has(err, "/nothing", "No such file")


def test_many_at_once(l):
    f = Fleet(l, big=[], tiny=TINY)
    f("module", "upload", "add.wasm")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outs = list(pool.map(lambda i: f("run", "add.wasm", str(i), "1")[0], range(40)))
    expect_eq(outs, [f"{i + 1}\n" for i in range(40)])


lab.main(globals())
