#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs propctl against a scripted manager: every command, every way a task ends, every way an
answer can be wrong. Usage: cli/cli_test.py [--bin DIR] [NAME...]"""
import contextlib
import json
import os
import pathlib
import pty
import random
import select
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "e2e")]
import lab  # noqa: E402
from lab import expect, expect_eq  # noqa: E402
from fake_manager import NODE, NODE_2, Manager, Raw  # noqa: E402

ADD = bytes.fromhex("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b")


class Cli:
    def __init__(self, l, manager):
        self.l, self.url = l, getattr(manager, "url", manager)
        self.manager = l.own(manager) if not isinstance(manager, str) else None
        self.folder = l.folder
        (l.folder / "add.wasm").write_bytes(ADD)

    def __call__(self, *args, status=0, env=None, stdin=None, seconds=20):
        """Runs propctl; (stdout, stderr). The exit status has to be as given."""
        got, out, err = self.l.run([self.l.bin("propctl"), *args], seconds=seconds, stdin=stdin,
                                   env={"PROPCTL_URL": self.url, **(env or {})})
        expect(got == status, f"propctl {' '.join(map(str, args))}: status {got}, expected "
                              f"{status}; stdout {out[-300:]!r} stderr {err[-300:]!r}")
        return out, err

    def named(self, name, *args, **kw):
        return self("run", "add.wasm", "--name", name, *args, **kw)


def has(text, *words):
    for w in words:
        expect(w in text, f"{w!r} is not in {text[-500:]!r}")


# ---- running ----

def test_run(l):
    p = Cli(l, Manager())
    out, err = p("run", "add.wasm", "2", "-3", "40")
    expect_eq((out, err), ("39\n", ""))
    posts = [r for r in p.manager.requests if r[0] == "POST"]
    expect_eq([r[1] for r in posts], ["/modules?source=add.wasm", "/tasks?wait_ms=100"])
    expect_eq(len({r[2] for r in p.manager.requests}), 1, "connections of one run")
    p.manager.requests.clear()
    p("run", "add.wasm", "2", "3")
    expect_eq([r[1] for r in p.manager.requests if r[0] == "POST"], ["/tasks?wait_ms=100"])
    expect(len(p.manager.requests) <= 4, f"a run takes {len(p.manager.requests)} requests")


def test_run_time(l):
    p = Cli(l, Manager())
    p("run", "add.wasm", "1", "1")
    times = []
    for _ in range(10):
        start = time.monotonic()
        p("run", "add.wasm", "1", "1")
        times.append((time.monotonic() - start) * 1000)
    l.note(f"median {sorted(times)[5]:.0f} ms, least {min(times):.0f} ms with the process")


def test_run_ends(l):
    p = Cli(l, Manager())
    out, err = p.named("crash", status=70)
    expect_eq(out, "")
    has(err, "crash failed on node 5c4b7c38: trap: integer divide by zero", "at ratio, offset 0xad")
    has(p.named("fuel", status=75)[1], "limit reached: fuel")
    has(p.named("exit3", status=3)[1], "exit status 3")
    has(p.named("refused", status=70)[1], "refused: no room")
    expect_eq(json.loads(p.named("object")[0]), {"w": [1, 2.5]})
    expect_eq(p.named("nothing"), ("", ""))
    expect_eq(p.named("slow")[0], "late\n")
    out, err = p.named("talk")
    expect_eq(out, "one\ntwo\n")
    expect_eq(err, "begun\nerror: odd\n")
    expect_eq(p.named("talk", "-q")[0], "two\n")
    task = json.loads(p.named("crash", "--json", status=70)[0])
    expect_eq((task["state"], task["reason"]), (4, "trap"))


def test_run_broadcast(l):
    """What each node answers, by the name of the node; which of them failed."""
    p = Cli(l, Manager())
    expect_eq(p("run", "add.wasm", "--broadcast", "2", "3"), ("big: 5\nsmall: 5\n", ""))
    out, err = p.named("half", "--broadcast", "2", "3", status=70)
    expect_eq(out, "big: 5\n")
    expect_eq(err, "propctl: half failed on node small: trap: integer divide by zero\n"
                   "    at ratio, offset 0xad\n    at crash, offset 0x71\n"
                   "propctl: half failed on 1 of 2 nodes\n")
    expect_eq(p("task", "result", "half", status=70)[0], "big: 5\n")
    task = json.loads(p.named("half", "--broadcast", "1", "--json", status=70)[0])
    expect_eq([r["results"] for r in task["parts"]], ["1", None])
    expect_eq(p.named("nothing", "--broadcast")[0], "big:\nsmall:\n")
    expect_eq(p.named("talk", "--broadcast")[0], "big: two\nsmall: two\n")
    p("task", "start", task["id"])  # what an earlier run answered is not shown
    expect_eq(p("task", "wait", task["id"], status=70)[0], "big: 1\n")
    for node in p.manager.nodes:
        node["name"] = "same"
    expect_eq(p("run", "add.wasm", "--broadcast", "2")[0], f"{NODE[:8]}: 2\n{NODE_2[:8]}: 2\n")
    old = Cli(l, Manager(old=True))
    expect_eq(old("run", "add.wasm", "--broadcast", "2", "3"), ("5\n", ""))


def test_run_waits_and_detaches(l):
    p = Cli(l, Manager())
    has(p.named("forever", "--wait", "100ms", status=75)[1], "is still running")
    task = p.named("forever", "--detach")[0].strip()
    has(p("task", "wait", task, "-w", "50", status=75)[1], "propctl task wait")
    p("task", "stop", task)
    has(p("task", "wait", task[:8], status=70)[1], "stopped")
    has(p.named("waiting", "--wait", "50", status=75)[1], "is still pending")


def test_run_interrupted(l):
    p = Cli(l, Manager())
    child = subprocess.Popen([l.bin("propctl"), "run", "add.wasm", "--name", "forever"],
                             cwd=p.folder, env={**os.environ, "PROPCTL_URL": p.url},
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lab.wait_until(lambda: [t for t in p.manager.tasks.values() if t["state"] == 2])
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    expect_eq(child.returncode, 130)
    has(err.decode(), "stopping task")
    expect_eq(list(p.manager.tasks.values())[0]["reason"], "stopped")


def test_run_with_everything(l):
    p = Cli(l, Manager())
    p("run", "add.wasm", "--invoke=add", "-n", "all", "--node", "big", "-p", "70", "--fuel", "10k",
      "--time", "2s", "--memory", "64k", "--stack", "4k", "--heap", "1m", "--output", "512",
      "-e", "A=1", "-e", "B=x=y", "--cap", "gpio,kv", "-c", "time", "--daemon", "--label", "room=1",
      "--tag", "lab", "--idempotent", "--arch", "x86_64", "--power", "mains", "--restart", "3", "--policy", "park", "--metadata",
      "k=v", "--", "-1", "--fuel")
    task = [t for t in p.manager.tasks.values() if t["name"] == "all"][0]
    want = {"function": "add", "proplet_id": NODE, "priority": 70, "env": {"A": "1", "B": "x=y"},
            "limits": {"fuel": 10000, "time_ms": 2000, "memory_bytes": 65536, "stack_bytes": 4096,
                       "heap_bytes": 1048576, "output_bytes": 512},
            "capabilities": ["gpio", "kv", "time"], "daemon": True, "policy": "park",
            "idempotent": True,
            "constraints": {"labels": {"room": "1"}, "tags": ["lab"], "arch": "x86_64", "power": "mains"},
            "restart": {"attempts": 3}, "metadata": {"k": "v"}, "inputs": ["-1", "--fuel"]}
    for key, value in want.items():
        expect_eq(task.get(key), value, key)


def test_propeller_manager(l):
    p = Cli(l, Manager(old=True))
    expect_eq(p("run", "add.wasm", "4", "5"), ("9\n", ""))
    task = list(p.manager.tasks.values())[0]
    expect_eq(task["file"][:8], "AGFzbQEA")
    has(p("module", "upload", "add.wasm", status=69)[1], "keeps no modules")
    has(p.named("homeless", status=69)[1], "no active proplets available")
    expect_eq(p.named("slow")[0], "late\n")
    has(p("status")[0], "1 pending, 0 running, 3 completed")
    (p.folder / "w.json").write_text('[{"name":"a"},{"name":"b","depends_on":["a"]},{"name":"c"}]')
    p("workflow", "create", "w.json", "--start")
    states = {t["name"]: t["state"] for t in p.manager.tasks.values()}
    expect_eq((states["a"], states["b"], states["c"]), (3, 0, 3))
    expect(" b " not in p("top")[0], "a pending task among those that run")


def test_invoke(l):
    p = Cli(l, Manager())
    p.named("greet", "--latent")
    expect_eq(p("invoke", "greet", "Ada", "Lovelace")[0], "hello, Ada Lovelace\n")
    p.named("plain")
    has(p("invoke", "plain", status=70)[1], "not a latent task")


# ---- the other commands ----

def test_nodes(l):
    p = Cli(l, Manager())
    out, _ = p("node", "list")
    has(out, "5c4b7c38", "big", "alive", "dead", "64 KB", "1 MB")
    expect_eq(len({line.index("x86_64") for line in out.splitlines()[1:]}), 1, "columns")
    expect("small" not in p("node", "list", "--alive")[0], "a dead node is listed")
    expect_eq(p("node", "list", "-q")[0], f"{NODE}\n{NODE_2}\n")
    expect_eq(len(json.loads(p("node", "list", "-j")[0])), 2)
    has(p("node", "show", "5c4b")[0], "big", "labels         room=1", "capabilities   gpio")
    has(p("node", "metrics", "big")[0], "3.1", "30 MB", "-            2 KB      0 B   7\n")
    p("node", "drain", "big")
    has(p("node", "list")[0], "draining")
    p("node", "drain", "big", "--off")
    p.manager.nodes[0]["task_count"] = 1
    has(p("node", "delete", "big", "--force", status=70)[1], "has tasks")
    p.manager.nodes[0]["task_count"] = 0
    has(p("node", "delete", "big", status=70)[1], "node big is alive", "propctl node drain big")
    p("node", "show", "big")
    p("node", "delete", "small")
    has(p("node", "show", "small", status=66)[1], "there is no node 'small'")
    p("node", "delete", "big", "--force")
    has(p("node", "show", "big", status=66)[1], "there is no node 'big'")


def test_tasks(l):
    p = Cli(l, Manager())
    has(p("task", "list")[1], "no tasks yet")
    task = p("task", "create", "sum", "1", "2", "--file", "add.wasm")[0].strip()
    has(p("task", "list")[0], "sum", "pending")
    has(p("task", "result", "sum", status=1)[1], "no result yet")
    p("task", "start", "sum")
    expect_eq(p("task", "result", task)[0], "3\n")
    out, _ = p("task", "show", "sum")
    has(out, "state          completed", "results        3", "fuel           42")
    p.named("talk")
    has(p("task", "logs", "talk")[0], "begun\nerror: odd\n")
    expect_eq(p("task", "outputs", "talk", "--follow")[0], "one\ntwo\n")
    p.named("crash", status=70)
    has(p("task", "show", "crash")[0], "backtrace      ratio, offset 0xad")
    has(p("task", "list", "--state", "failed")[0], "crash")
    expect_eq(p("task", "list", "--state", "failed", "-q")[0].count("\n"), 1)
    p("task", "upload", "sum", "add.wasm")
    p("task", "delete", "sum", "crash", "--force")
    has(p("task", "show", "sum", status=66)[1], "there is no task 'sum'")
    has(p("task", "metrics", "talk")[1], "no metrics yet")
    p("task", "create", "sum", "--start", "--file", "add.wasm", "7")
    p("task", "create", "sum", "--start", "--file", "add.wasm", "8")
    has(p("task", "delete", "sum", status=66)[1], "2 tasks are named 'sum'")
    p("task", "create", "sum")
    has(p("task", "show", "sum")[0], "pending")
    err = p("task", "delete", "sum", "--force", status=66)[1]
    expect_eq(err.count("3 tasks are named 'sum'"), 1, err)
    has(p("task", "show", "sum")[0], "pending")


def test_many_tasks(l):
    p = Cli(l, Manager())
    for i in range(345):
        p.manager.add({"name": f"n{i}"}, id=f"00000000-0000-4000-8000-{i:012d}")
    expect_eq(p("task", "list", "-q")[0].count("\n"), 345)
    expect_eq(p("task", "list", "-q", "--limit", "120")[0].count("\n"), 120)
    expect_eq(p("task", "show", "n344")[0].count("n344"), 1)
    has(p("task", "show", "0000", status=66)[1], "the beginning of 345 tasks' ids")


def test_jobs_and_workflows(l):
    p = Cli(l, Manager())
    tasks = [{"name": "a", "wasm": "add.wasm", "inputs": ["1"]},
             {"name": "b", "wasm": "add.wasm", "depends_on": ["a"]}]
    (p.folder / "w.json").write_text(json.dumps({"tasks": tasks}))
    group = p("workflow", "create", "w.json", "--start")[0].strip()
    a, b = p.manager.tasks.values()
    expect_eq((b["depends_on"], a["state"], b["state"]), ([a["id"]], 3, 0))
    expect_eq(a["module"]["digest"][:7], "sha256:")
    expect_eq(a["workflow_id"], group)
    has(p("workflow", "wait", group[:8], "-w", "30", status=75)[0], "pending")
    p("task", "start", "b")
    has(p("workflow", "wait", group)[0], "completed")
    has(p("workflow", "list")[0], group[:8], "running")
    p("workflow", "start", group)
    p("workflow", "stop", group)
    (p.folder / "j.json").write_text(json.dumps(tasks[:1]))
    job = p("job", "create", "j.json", "--name", "nightly", "--start")[0].strip()
    has(p("job", "list")[0], "nightly", "completed")
    has(p("job", "show", job[:6])[0], "completed")
    has(p("job", "start", "nightly", "--wait", "5s")[0], "completed")
    (p.folder / "bad.json").write_text('{"tasks":[{"name":"a","depends_on":["z"]}]}')
    has(p("job", "create", "bad.json", status=65)[1], "'a' depends on 'z', which is no task of it")
    (p.folder / "bad.json").write_text('{"tasks":[{"name":"a"},\n{"nam":"b"}]}')
    has(p("job", "create", "bad.json", status=65)[1], 'task 2 has no "name"')
    (p.folder / "bad.json").write_text('{"tasks":[\n{"name":}]}')
    has(p("job", "create", "bad.json", status=65)[1], "bad.json:2:9: no JSON")
    for text, want in (
            ({"tasks": [{"name": "a", "limits": {"memory": 1, "time": 5}}]},
             "task 'a', limits: unknown key"),
            ({"tasks": [{"name": "a", "limits": {"time_sm": 5}}]}, 'did you mean "time_ms"?'),
            ({"tasks": [{"name": "a", "constraints": {"label": {}}}]}, 'did you mean "labels"?'),
            ({"tasks": [{"name": "a", "restart": {"atempts": 1}}]}, 'did you mean "attempts"?'),
            ({"tasks": [{"name": "a"}], "frobnicate": 1}, 'bad.json: unknown key "frobnicate"\n'),
            ({"task": [{"name": "a"}]}, 'did you mean "tasks"?')):
        (p.folder / "bad.json").write_text(json.dumps(text))
        for noun in ("job", "workflow"):
            has(p(noun, "create", "bad.json", status=65)[1], want)
    (p.folder / "bad.json").write_text("[]")
    has(p("workflow", "create", "bad.json", status=65)[1], 'no array "tasks"')


def test_modules_and_status(l):
    p = Cli(l, Manager())
    digest = p("module", "upload", "add.wasm")[0].strip()
    has(p("module", "list")[0], digest, "41 B")
    has(p("status")[0], "1 alive of 2", "0 running")
    expect_eq(json.loads(p("status", "-j")[0])["nodes"]["alive"], 1)
    has(p("top")[0], "big", "1/2")
    p.manager.nodes.clear()
    p("status", status=1)


def test_native_images(l):
    p = Cli(l, Manager())
    out = p("module", "compile", "add.wasm")[0]  # uploads it, waits for both targets
    has(out, "x86_64", "thumbv7m", "ready", "1.2 KB", "185 ms")
    has(p("module", "list")[0], "x86_64, thumbv7m")
    digest = json.loads(p("module", "list", "-j")[0])[0]["digest"]
    has(p("module", "compile", digest[7:15], "--target", "pdp11", status=70)[1], "pdp11: unknown target")
    has(p("module", "list")[0], "x86_64, thumbv7m, pdp11 (failed)")
    expect_eq(len(json.loads(p("module", "compile", digest, "-j")[0])["images"]), 3)
    has(p("module", "compile", "nosuch", status=66)[1], "no module 'nosuch'")
    has(p("module", "keys")[0], "5a" * 8, "5a" * 32)
    expect_eq(p("module", "keys", "-q")[0], "5a" * 32 + "\n")
    p("run", "add.wasm", "1", "2", "--aot", "always")
    expect_eq([t["aot"] for t in p.manager.tasks.values()], ["always"])
    old = Cli(l, Manager(old=True))
    has(old("module", "compile", "add.wasm", status=69)[1], "keeps no modules")
    old("module", "keys", status=66)


def test_events(l):
    p = Cli(l, Manager())
    out, err = p("events", status=69)
    expect_eq(out.splitlines(), ["03:04:05  task              task 77777777 running  node 5c4b7c38"] * 3)
    has(err, "has ended")
    expect_eq(len(p("events", "--json", "--node", "big", status=69)[0].splitlines()), 3)
    p = Cli(l, Raw(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"))
    has(p("events", status=66)[1], "does not know this")


# ---- what a user can do wrong ----

def test_usage(l):
    p = Cli(l, Manager())
    rows = [
        ([], "Commands:"), (["runn"], "did you mean 'run'?"), (["task"], "task create"),
        (["task", "lst"], "did you mean 'task list'?"), (["frobnicate"], "unknown command"),
        (["run"], "something is missing: propctl run FILE"),
        (["run", "add.wasm", "--fule", "3"], "did you mean '--fuel'?"),
        (["run", "add.wasm", "--nonsense"], "has no option '--nonsense'"),
        (["run", "add.wasm", "--fuel"], "--fuel needs a value: --fuel COUNT"),
        (["run", "add.wasm", "--fuel", "many"], "--fuel 'many': give a number"),
        (["run", "add.wasm", "--time", "3 days"], "a time, such as 500ms"),
        (["run", "add.wasm", "--memory", "99999999999g"], "bytes"),
        (["run", "add.wasm", "--priority", "101"], "from 1 to 100"),
        (["run", "add.wasm", "--priority", "0"], "from 1 to 100"),
        (["run", "add.wasm", "--policy", "stay"], "--policy 'stay': give one of keep|stop|park"),
        (["run", "add.wasm", "--power", "main"], "--power 'main': give one of mains|any"),
        (["run", "add.wasm", "--fuel", "9" * 25], "it is too large"),
        (["task", "create", "x", "--file", "add.wasm", "--image", "y"], "exclude each other"),
        (["task", "create", "x", "--file", "add.wasm", "--once"], "belong to a --schedule"),
        (["help", "task", "x"], "no command 'task x'"), (["help", "run", "x"], "'x' is too much"),
        (["run", "add.wasm", "--env", "A"], "--env 'A': give KEY=VALUE"),
        (["run", "add.wasm", "--cap", "wings"], "there are gpio, sensor"),
        (["run", "add.wasm", "--daemon=1"], "takes no value"),
        (["run", "add.wasm", "--node", "big", "--broadcast"], "exclude each other"),
        (["status", "much"], "'much' is too much"),
        (["node", "list", "--fuel", "3"], "has no option '--fuel'"),
        (["completion", "tcsh"], "bash, zsh and fish"), (["help", "x"], "no command 'x'"),
        (["--manager", "ftp://x", "status"], "http:// or https://"),
        (["--manager", "http://a b", "status"], "no address of a manager"),
    ]
    for args, words in rows:
        out, err = p(*args, status=64)
        has(err, words)
        expect_eq(out, "", f"stdout of {args}")


def test_files(l):
    p = Cli(l, Manager())
    for name, data, status, words in [
            ("no.wasm", None, 66, "cannot be opened: No such file"),
            ("empty.wasm", b"", 65, "is empty"), ("text.wat", b"(module)", 65, "wat2wasm"),
            ("x.c", b"int main(){}", 65, "compile it first"),
            ("short.wasm", b"\0asm", 65, "no WebAssembly module"),
            ("component.wasm", b"\0asm\x0d\0\1\0", 65, "a component")]:
        if data is not None:
            (p.folder / name).write_bytes(data)
        has(p("run", name, status=status)[1], name, words)
    has(p("run", ".", status=66)[1], "is a folder")
    has(p("workflow", "create", "none.json", status=66)[1], "No such file")
    expect_eq(p("run", "-", "1", "2", stdin=ADD)[0], "3\n")
    has(p("run", "add.wasm", "\udcff\udcfe", status=65)[1], "argument 1 is not valid UTF-8")


def exporting(*names, cut=0):
    """A module that only has an export section."""
    body = bytes([len(names)]) + b"".join(bytes([len(n)]) + n.encode() + b"\0\0" for n in names)
    return b"\0asm\1\0\0\0" + bytes([7, len(body)]) + body[:len(body) - cut]


def test_functions(l):
    p = Cli(l, Manager())
    tasks = p.manager.tasks
    for names, args, function in [
            (["m"], [], None), (["other"], [], "other"), (["a", "main"], [], None),
            (["main", "_start"], [], "_start"), (["m", "_start"], [], None),
            (["m", "x"], ["--name", "t"], "m"), (["t", "x"], ["--name", "t"], None),
            (["a", "b"], ["-i", "b"], "b"), ([], [], None)]:
        (p.folder / "m.wasm").write_bytes(exporting(*names))
        tasks.clear()
        p("run", "m.wasm", *args)
        expect_eq(list(tasks.values())[0].get("function"), function, f"of {names} {args}")
    (p.folder / "m.wasm").write_bytes(exporting("a", "b"))
    has(p("run", "m.wasm", status=65)[1], "which function of m.wasm? It exports a, b")
    has(p("run", "m.wasm", "-i", "c", status=65)[1], "exports no function 'c'; it exports a, b")
    tasks.clear()
    p("task", "create", "nightly", "--file", "m.wasm", "-i", "b")
    has(p("task", "create", "nightly", "--file", "m.wasm", status=65)[1], "which function of m.wasm?")
    has(p("task", "create", "empty")[1], "has no module yet")
    expect_eq([t.get("function") for t in tasks.values()], ["b", None], "of created tasks")
    (p.folder / "typo.json").write_text('{"tasks": [{"name": "t", "wasm": "m.wasm", "functon": "a"}]}')
    has(p("job", "create", "typo.json", status=65)[1],
        "task 't': unknown key \"functon\"; did you mean \"function\"?")
    has(p("job", "create", "/", status=66)[1], "/ is a folder")
    for cut in range(8):
        (p.folder / "m.wasm").write_bytes(exporting("a", "b", cut=cut))
        p("run", "m.wasm", "-i", "a")


def test_full_disk(l):
    p = Cli(l, Manager())
    with open("/dev/full", "w") as full:
        child = subprocess.run([l.bin("propctl"), "help"], stdout=full, stderr=subprocess.PIPE,
                               timeout=10)
    expect_eq(child.returncode, 70)
    has(child.stderr.decode(), "standard output cannot be written")


# ---- what a manager can answer ----

def test_unreachable(l):
    port = lab.free_port()
    p = Cli(l, f"http://127.0.0.1:{port}")
    for args in (["status"], ["run", "add.wasm"], ["node", "list"], ["top"], ["task", "show", "x"]):
        err = p(*args, status=69)[1]
        has(err, f"no manager at http://127.0.0.1:{port}", "proplet-manager", "--manager URL")
    expect_eq(p("complete", "task", status=69), ("", ""))
    has(p("status", "-m", f"https://127.0.0.1:{port}", "--cacert", "absent.pem", status=66)[1], "absent.pem cannot be opened")
    p2 = Cli(l, "http://no-such-host.invalid")
    has(p2("status", status=69)[1], "no-such-host.invalid")
    has(p2("status", "-m", f"127.0.0.1:{port}", status=69)[1], f"no manager at http://127.0.0.1:{port}")


def answer(body, status="200 OK", length=None):
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length if length is not None else len(body)}\r\n\r\n".encode() + body


def test_bad_answers(l):
    rows = [
        (b"", 69, "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 76, "is it a manager?"),
        (answer(b'{"offset":0,"prop', length=5000), 69, "closed the connection within its answer"),
        (answer(b'{"offset":0,"prop'), 76, "no JSON; is it a manager?"),
        (answer(b"<html>hello</html>"), 76, "no JSON"), (answer(b"[1,2]"), 76, "no array 'proplets'"),
        (answer(b'{"proplets":7}'), 76, "no array"),
        (answer(b"[" * 100000), 76, "no JSON"),
        (answer(b"", "502 Bad Gateway"), 69, "HTTP 502"),
        (answer(b'{"error":"out of disk"}', "500 No"), 70, "list proplets: out of disk"),
        (answer(b"", "401 Who"), 70, "PROPCTL_TOKEN"), (answer(b"nope", "404 No"), 66, "does not know"),
        (b"\x00\x01\x02garbage\xff\r\n\r\n", 69, ""),
    ]
    for raw, status, words in rows:
        p = Cli(l, Raw(raw))
        out, err = p("node", "list", status=status)
        has(err, words)
        expect(err.startswith("propctl: "), f"stderr {err!r}")
        for args in (["run", "add.wasm"], ["status"], ["top"], ["task", "show", "x"], ["job", "list"]):
            got, _, err = l.run([l.bin("propctl"), *args], env={"PROPCTL_URL": p.url})
            expect(got in (65, 66, 69, 70, 76), f"{args} with {raw[:40]!r}: status {got} {err!r}")


def test_strange_members(l):
    """Members of other types than expected are no reason to crash."""
    odd = {"id": 7, "name": ["x"], "state": "flying", "metadata": 3, "alive": "yes",
           "backtrace": {"a": 1}, "placement": "none", "proplet_id": {}, "last_alive_at": "soon",
           "tasks": 1, "inputs": "x", "job_id": None}
    for key in ("proplets", "tasks", "jobs", "modules", "metrics"):
        body = json.dumps({"offset": "x", "total": -1, key: [odd, 1, None, "s", []]}).encode()
        p = Cli(l, Raw(answer(body)))
        for args in (["node", "list"], ["task", "list"], ["job", "list"], ["module", "list"], ["top"],
                     ["task", "show", "x"], ["node", "list", "-q"], ["task", "list", "-q"],
                     ["job", "list", "-q"], ["module", "list", "-q"], ["run", "add.wasm"],
                     ["complete", "task"], ["workflow", "show", "x"]):
            got, _, err = l.run([l.bin("propctl"), *args], env={"PROPCTL_URL": p.url}, seconds=20)
            expect(got in (0, 1, 66, 69, 76), f"{args} of {key}: status {got} {err[-300:]!r}")


def test_damaged_answers(l):
    """Real answers with bytes changed, cut or doubled: an error or a strange table, never a crash."""
    p = Cli(l, Manager())
    for name in ("add", "crash", "talk"):
        p.named(name, status=70 if name == "crash" else 0)
    commands = [["node", "list"], ["node", "show", "big"], ["task", "list"], ["task", "show", "crash"],
                ["task", "logs", "talk"], ["status"], ["top"], ["module", "list"]]
    paths = ["/proplets", f"/proplets/{NODE}", "/tasks", f"/tasks/{list(p.manager.tasks)[1]}",
             f"/tasks/{list(p.manager.tasks)[2]}/logs", "/health", "/modules"]
    bodies = [p.l.http(p.url).get(path).body for path in paths]
    rng = random.Random(7)
    for _ in range(60):
        body = bytearray(rng.choice(bodies))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(body))
            if rng.random() < 0.5:
                body[at] = rng.choice(b'{}[]",:0-nulltruefalse\\x\x00\xff')
            elif rng.random() < 0.5:
                del body[at:at + rng.randrange(1, 20)]
            else:
                body[at:at] = body[at:at + rng.randrange(1, 40)]
            body = body or bytearray(b"x")
        with contextlib.closing(Raw(answer(bytes(body)))) as raw:
            args = rng.choice(commands)
            got, _, err = l.run([l.bin("propctl"), *args], env={"PROPCTL_URL": raw.url})
            expect(0 <= got < 128, f"{args} with {bytes(body)!r}: status {got} {err[-400:]!r}")


def test_huge_answer(l):
    piece = b" " * (1 << 20)
    p = Cli(l, Raw([answer(b"", length=100 << 20)] + [piece] * 100))
    has(p("node", "list", status=76)[1], "longer than 64 MB")


def test_escape_sequences(l):
    """On a terminal nothing that came from elsewhere steers it."""
    p = Cli(l, Manager())
    has(p.named("steer", status=70)[1], "?[2Jbad ? text")
    p.manager.add({"name": "\x1b]0;title\x07", "results": "x"})
    expect("\x1b" not in p("task", "list")[0], "an escape sequence in a table")


# ---- terminals ----

def on_terminal(l, p, args, columns=None, keys=b"", seconds=10):
    """Runs propctl on a pseudo terminal; (status, what it showed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(p.folder)
        os.environ.update(PROPCTL_URL=p.url, TERM="xterm")
        os.execv(l.bin("propctl"), ["propctl", *args])
    if columns is not None:
        import fcntl
        import struct
        import termios
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
    shown, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.05)[0]:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            shown += piece
            if keys and b"\n" in shown:
                os.write(fd, keys)
                keys = b""
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")


def test_terminal(l):
    p = Cli(l, Manager())
    status, shown = on_terminal(l, p, ["run", "add.wasm", "--name", "slow"])
    expect_eq(status, 0)
    has(shown, "running on 5c4b7c38", "late")
    for columns in (None, 0, 1, 20, 80, 500):
        status, shown = on_terminal(l, p, ["top"], columns, b"q")
        expect_eq(status, 0, f"status of top at {columns} columns")
    status, shown = on_terminal(l, p, ["node", "list"], 500)
    has(shown, "\x1b[32malive\x1b[0m")
    status, shown = on_terminal(l, p, ["node", "list"], 30)
    expect_eq(status, 0)


# ---- completion and manual ----

def test_completion(l):
    p = Cli(l, Manager())
    p.manager.add({"name": "sum"}, id="0b7c1f2e-6a0d-4f0e-9c1b-5f6d3f0c9a11")
    has(p("complete", "task")[0], "0b7c1f2e\nsum\n")
    for shell in ("bash", "zsh", "fish"):
        (p.folder / shell).write_text(p("completion", shell)[0])
        if lab.shutil.which(shell):
            expect_eq(l.run([shell, "-n", shell])[0], 0, f"{shell} -n")
    path = f"{os.path.dirname(l.bin('propctl'))}:{os.environ['PATH']}"

    def complete(line):
        words = line.split(" ")
        script = (f"source ./bash; COMP_WORDS=({' '.join(repr(w) for w in words)}); "
                  f"COMP_CWORD={len(words) - 1}; _propctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        status, out, err = l.run(["bash", "-c", script], env={"PATH": path, "PROPCTL_URL": p.url})
        expect_eq((status, err), (0, ""), line)
        return out.split()

    expect_eq(complete("propctl wor"), ["workflow"])
    expect_eq(complete("propctl task sto"), ["stop"])
    expect_eq(complete("propctl run --fu"), ["--fuel"])
    for line, want in (("propctl task show s", "sum"), ("propctl run --node bi", "big")):
        lab.wait_until(lambda: complete(line) == [want], 10, line)  # a slow manager is not waited for
    expect_eq(complete("propctl node drain --o"), ["--off"])
    expect_eq(complete("propctl run add"), ["add.wasm"])


def test_help_and_man(l):
    p = Cli(l, Manager())
    general = p("--help")[0]
    listed = [line.split("  ")[1].split(" ") for line in general.splitlines()
              if line.startswith("  ") and line[2].islower()]
    has(general, "propctl run FILE.wasm")
    for words in listed:
        command = [w for w in words if w.islower() and "|" not in w and w.isalpha()]
        if command and command[0] != "propctl":
            has(p(*command, "--help")[0], "Usage: propctl " + " ".join(command))
    page = p("man")[0]
    has(page, ".SH EXIT STATUS", "\\fBnode drain\\fR", "PROPCTL_URL")
    has(p("version")[0], "propctl 0.")
    has(p("--version")[0], "propctl 0.")
    if lab.shutil.which("man"):
        (p.folder / "propctl.1").write_text(page)
        status, _, err = l.run(["man", "--warnings", "-l", "./propctl.1"], env={"MANROFFOPT": ""})
        expect_eq((status, err), (0, ""), "man")


lab.main(globals())
