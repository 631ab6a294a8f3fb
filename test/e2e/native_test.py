#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Native images end to end: compiled by the manager, signed, delivered, run, refused."""
import ctypes
import hashlib
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import expect, expect_eq, wait_until  # noqa: E402
from side import P, Side, wat  # noqa: E402

WORK = """(module (memory 1)
  (func $inner (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "work") (param i32) (result i32) (local i32)
    (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br_if 0 (i32.lt_u (local.get 1) (i32.const 200000))))
    (local.get 0))
  (func $deep (export "deep") (result i32) (i32.add (call $deep) (i32.const 1)))
  (func $far (export "far") (result i32) (call $inner (i32.const 70000000)))
  (func (export "forever") (loop (br 0))))"""


def named(text):
    """The module with its name section."""
    return wat(text + ";; names", "--debug-names")


class Fleet:
    """Broker, manager and workers; call it to run propctl."""

    def __init__(self, l, *manager):
        l.bin("rotorc")
        self.l, self.broker = l, l.broker()
        self.url = None
        self.port = lab.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.manager = l.process("manager", [
            l.bin("proplet-manager"), "--mqtt", self.broker.url, "--http-port", self.port,
            "--store", f"sqlite://{l.folder}/manager.db", "--start-wait-ms", 500, *manager])
        self.aot = l.folder / "manager.db.aot"
        self.wasm = l.folder / "work.wasm"
        self.wasm.write_bytes(named(WORK))
        wait_until(lambda: self.try_("module", "keys", "-q")[0] == 0, 10, "the manager is up")
        self.key = self("module", "keys", "-q").strip()
        self.workers = 0

    def worker(self, *options, trust=True, name=None, before=()):
        self.workers += 1
        name = name or f"worker{self.workers}"
        p = self.l.process(name, [
            *before, self.l.bin("proplet"), "--mqtt-address", self.broker.url, "--state-dir",
            self.l.folder / name, "--heartbeat-ms", 300, "--log-level", "debug",
            *(["--trust", self.key] if trust else []), *options])
        wait_until(lambda: len(self("node", "list", "--alive", "-q").split()) >= self.workers, 15,
                   "the worker is alive")
        return p

    def restart_manager(self):
        self.manager.stop()
        self.manager.start()
        wait_until(lambda: self.try_("module", "keys", "-q")[0] == 0, 10, "the manager is up again")
        wait_until(lambda: len(self("node", "list", "--alive", "-q").split()) >= self.workers, 15,
                   "the workers are alive again")

    def try_(self, *args, seconds=60):
        return self.l.run([self.l.bin("propctl"), *args], seconds=seconds,
                          env={"PROPCTL_URL": self.url}, cwd=self.l.folder)

    def __call__(self, *args, status=0, **kw):
        got, out, err = self.try_(*args, **kw)
        expect(got == status, f"propctl {' '.join(map(str, args))}: status {got}, expected "
                              f"{status}; stdout {out[-300:]!r} stderr {err[-400:]!r}")
        return out

    def run(self, function, *inputs, aot="always", status=0, options=(), wasm=None):
        """The ended task."""
        out = self("run", wasm or self.wasm, *inputs, "-i", function, "--aot", aot, "-j", *options,
                   status=status)
        return json.loads(out)

    def start(self, function, *inputs, aot="always", options=()):
        return self("run", self.wasm, *inputs, "-i", function, "--aot", aot, "-d",
                    *options).strip()

    def show(self, task):
        return self("task", "show", task)

    def events(self, task):
        http = self.l.http(self.url)
        return http.get(f"/tasks/{task}/events").json()["events"]

    def kinds(self, task):
        return [e["kind"] for e in reversed(self.events(task))]

    def counters(self):
        text = self.l.http(self.url).get("/metrics").body.decode()
        return {k.split("proplet_manager_aot_")[1]: float(v) for k, v in
                (line.split() for line in text.splitlines() if "_aot_" in line and line[0] != "#")}

    def expect_module_instead(self, task, why):
        """The task ended well without native code, and propctl shows why."""
        expect_eq(task["results"], "7", "results")
        expect(task.get("engine") is None, "it ran natively")
        shown = self.show(task["id"])
        expect(why in shown, f"{why!r} is not in {shown[-900:]!r}")


def wait_running(f, task):
    """A worker lists the task, from now on."""
    alive = "m/default/c/default/control/proplet/alive"
    ear = f.l.client(f.broker, f"ear-{task}")
    ear.subscribe(alive)
    ear.wait(alive, lambda m: any(h["id"] == task for h in m.json().get("tasks") or []),
             seconds=15, what=f"{task} runs")


def test_always_is_native_and_compiled_once(l):
    f = Fleet(l)
    f.worker()
    t = f.run("work", 7)
    expect_eq((t["results"], t["engine"]), ("7", "native"), "results and engine")
    shown = f.show(t["id"])
    for words in ("engine         native", "aot_waiting", "aot_ready", "native_start"):
        expect(words in shown, f"{words} is not in {shown!r}")
    expect_eq(f.kinds(t["id"])[-2:], ["aot_ready", "native_start"], "events")
    again = f.run("work", 8)
    expect_eq((again["results"], again["engine"]), ("8", "native"), "results and engine")
    expect_eq(f.kinds(again["id"]), ["native_start"], "events")
    expect_eq(f.counters(), {"compiles_total": 1, "failures_total": 0, "starts_total": 2,
                             "refusals_total": 0}, "counters")
    plain = f.run("work", 7, aot="never")
    expect(plain.get("engine") is None, "never ran natively")
    expect_eq(plain["fuel"], t["fuel"], "fuel of both")
    expect((f.aot / "key").stat().st_mode & 0o777 == 0o600, "the key's mode")
    f.restart_manager()
    t = f.run("work", 9)
    expect_eq((t["results"], t["engine"]), ("9", "native"), "results and engine")
    expect_eq(f.counters()["compiles_total"], 0, "compilations after a restart")
    images = json.loads(f("module", "list", "-j"))[0]["images"]
    l.note(f"compiled in {images[0]['compile_ms']} ms, {images[0]['size']} bytes")


def test_auto_when_it_pays(l):
    f = Fleet(l, "--aot-starts", 3)
    f.worker()
    engines = []
    for _ in range(3):
        engines.append(f.run("work", 7, aot="auto").get("engine"))
    expect_eq(engines, [None] * 3, "engines of the first runs")
    wait_until(lambda: "x86_64\n" in f("module", "list").replace("  ", "\n") or
               "ready" in f("module", "list", "-j"), 20, "the image is ready")
    expect_eq(f.run("work", 7, aot="auto").get("engine"), "native", "engine")
    expect_eq(f.counters()["compiles_total"], 1, "compilations")


def test_auto_when_it_runs_long(l):
    f = Fleet(l, "--aot-run-ms", 200, "--aot-starts", 1000)
    f.worker()
    f.wasm.write_bytes(named(WORK.replace("200000", "200000000")))
    t = f.run("work", 7, aot="auto")
    expect(t["duration_ms"] >= 200, f"it took {t['duration_ms']} ms")
    wait_until(lambda: "ready" in f("module", "list", "-j"), 20, "the image is ready")
    fast = f.run("work", 7, aot="auto")
    expect_eq((fast["engine"], fast["fuel"]), ("native", t["fuel"]), "engine and fuel")
    l.note(f"interpreted {t['duration_ms']} ms, native {fast['duration_ms']} ms")


def forge(f, consistently):
    """Changes a byte of the cached image; consistently: its name and the index, too."""
    index = f.aot / "index"
    entry = json.loads(index.read_text())
    path = f.aot / (entry["image"][7:] + ".raot")
    image = bytearray(path.read_bytes())
    image[len(image) // 2] ^= 1
    if consistently:
        path.unlink()
        entry["image"] = "sha256:" + hashlib.sha256(image).hexdigest()
        path = f.aot / (entry["image"][7:] + ".raot")
        index.write_text(json.dumps(entry) + "\n")
    path.write_bytes(image)


def test_a_forged_image_is_refused_by_the_worker(l):
    f = Fleet(l)
    f.worker()
    f("module", "compile", f.wasm)
    f.manager.stop()
    forge(f, True)
    f.manager.start()
    wait_until(lambda: f.try_("module", "keys", "-q")[0] == 0, 10, "the manager is up again")
    wait_until(lambda: f("node", "list", "--alive", "-q"), 15, "the worker is alive again")
    t = f.run("work", 7)
    f.expect_module_instead(t, "native_refused: the image's signature is wrong: it was altered")
    expect_eq(f.counters()["refusals_total"], 1, "refusals")
    wait_until(lambda: f.run("work", 7).get("engine") == "native", 20, "it is compiled again")
    expect_eq(f.counters()["compiles_total"], 1, "compilations")


def test_a_damaged_image_is_not_delivered(l):
    f = Fleet(l)
    f.worker()
    f("module", "compile", f.wasm)
    forge(f, False)
    t = f.run("work", 7)
    f.expect_module_instead(t, "native_refused")
    expect_eq(f.run("work", 7)["engine"], "native", "engine")
    expect_eq(f.counters()["compiles_total"], 2, "compilations")


def test_no_trust_no_native_code(l):
    f = Fleet(l)
    f.worker(trust=False)
    f.expect_module_instead(f.run("work", 7), "does not trust this manager's key")
    expect_eq(f.counters()["compiles_total"], 0, "compilations")


def test_where_nothing_becomes_executable(l):
    """As under systemd's MemoryDenyWriteExecute: what was mapped for reading stays so."""
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) != 0:  # PR_GET_MDWE
        raise lab.Unsupported("this kernel has no such rule")
    f = Fleet(l)
    f.worker(before=[sys.executable, "-c", "import ctypes, os, sys; "
                     "ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) and sys.exit('PR_SET_MDWE failed'); "
                     "os.execv(sys.argv[1], sys.argv[1:])"])
    expect_eq(f.run("work", 7)["engine"], "native", "engine")


def test_native_off(l):
    f = Fleet(l)
    f.worker("--native=false")
    f.expect_module_instead(f.run("work", 7), "runs no native code")


def test_unsigned_where_that_is_allowed(l):
    f = Fleet(l)
    f.worker("--allow-unsigned", trust=False)
    expect_eq(f.run("work", 7)["engine"], "native", "engine")


def test_what_may_be_saved_is_interpreted(l):
    f = Fleet(l)
    f.worker()
    f.expect_module_instead(f.run("work", 7, options=["--policy", "park"]), "cannot be saved")


def test_traps_have_names_and_harm_nobody(l):
    f = Fleet(l)
    w = f.worker()
    other = f.start("forever")
    wait_running(f, other)
    t = f.run("deep", status=75)
    expect_eq((t["reason"], t["engine"], t["backtrace"][0]["name"]), ("stack", "native", "deep"),
              "how it ended")
    expect("call stack exhausted" in t["error"], t["error"])
    t = f.run("far", status=70)
    expect_eq((t["reason"], t["engine"], [b["name"] for b in t["backtrace"]]),
              ("trap", "native", ["inner", "far"]), "how it ended")
    expect("out of bounds memory access" in t["error"], t["error"])
    expect(w.running(), "the worker ended")
    wait_running(f, other)
    expect_eq(f.run("work", 7)["engine"], "native", "engine")
    f("task", "stop", other)
    f.try_("task", "wait", other)
    t = json.loads(f("task", "show", other, "-j"))
    expect_eq((t["reason"], t["engine"]), ("stopped", "native"), "the other task's end")


def test_limits_hold(l):
    f = Fleet(l)
    f.worker()
    t = f.run("forever", options=["--fuel", 1000000], status=75)
    expect_eq((t["reason"], t["engine"]), ("fuel", "native"), "how it ended")
    plain = f.run("forever", options=["--fuel", 1000000], status=75, aot="never")
    l.note(f"fuel native {t['fuel']}, interpreted {plain['fuel']}")
    t = f.run("forever", options=["--time", "200ms"], status=75)
    expect_eq((t["reason"], t["engine"]), ("time", "native"), "how it ended")


def test_a_small_worker_takes_a_large_image(l):
    f = Fleet(l)
    w = f.worker("--pool", 65536, "--rx-buffer", 1024)
    step = "(local.set 0 (i32.xor (i32.mul (local.get 0) (i32.const {})) (i32.const {})))"
    body = "".join(f'(func (export "f{i}") (param i32) (result i32)' +
                   "".join(step.format(i * 31 + k, i * 77 + k * 1000) for k in range(12)) +
                   "(local.get 0))" for i in range(150))
    f.wasm.write_bytes(wat(f'(module {body})'))
    t = f.run("f3", 4)
    expect_eq((t["results"], t["engine"]), (f.run("f3", 4, aot="never")["results"], "native"),
              "results and engine")
    size = json.loads(f("module", "list", "-j"))[0]["images"][0]["size"]
    expect(size > 20000, f"the image has {size} bytes")
    l.note(f"{size} bytes in {w.log().count('registry/proplet')} requests")


def test_a_restarted_worker_has_the_image(l):
    f = Fleet(l)
    w = f.worker()
    task = f.start("forever", options=["--daemon"])
    wait_running(f, task)
    before = w.log().count("registry/proplet")
    expect(before > 0, "it asked for the image")
    w.kill()
    f.manager.stop()  # nobody tells it what to run
    w.start()
    w.wait_log("started", count=2)
    f.manager.start()
    wait_until(lambda: f.try_("module", "keys", "-q")[0] == 0, 10, "the manager is up again")
    wait_running(f, task)
    expect_eq(w.log().count("registry/proplet"), before, "requests of the worker")
    f("task", "stop", task)
    f.try_("task", "wait", task)
    t = json.loads(f("task", "show", task, "-j"))
    expect_eq((t["reason"], t["engine"]), ("stopped", "native"), "how it ended")


def script(l, text):
    path = l.folder / "compiler"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def fails(l, text, why, *more):
    f = Fleet(l, "--rotorc", script(l, text) if text else "/nonexistent/rotorc", *more)
    f.worker()
    t = f.run("work", 7)
    f.expect_module_instead(t, why)
    expect("aot_failed" in f.kinds(t["id"]), "the event")
    shown = f("module", "list")
    expect("x86_64 (failed)" in shown, shown)
    expect_eq(f.counters()["failures_total"], 1, "failures")
    f.expect_module_instead(f.run("work", 7), why)  # not tried again at once
    expect_eq(f.counters()["compiles_total"], 1, "compilations")


def test_no_compiler(l):
    fails(l, None, "rotorc is not found")


def test_a_compiler_that_is_killed(l):
    fails(l, "kill -9 $$\n", "ended by signal 9")


def test_a_compiler_that_fails(l):
    fails(l, "echo 'rotorc: job.wasm: too strange' >&2; exit 70\n", "too strange")


def test_a_compiler_that_hangs(l):
    fails(l, "sleep 1000\n", "did not end within 300 ms", "--aot-time-ms", 300)


def test_a_compiler_that_hides(l):
    fails(l, "exec 2>&-; sleep 1000\n", "did not end within 300 ms", "--aot-time-ms", 300)


def test_a_compiler_that_makes_nothing(l):
    fails(l, "exit 0\n", "made no image")


def test_a_compiler_without_memory(l):
    f = Fleet(l, "--aot-memory-mb", 8)
    f.worker()
    f.expect_module_instead(f.run("work", 7), "aot_failed")


def test_stopped_while_it_waits(l):
    f = Fleet(l, "--rotorc", script(l, "sleep 1000\n"), "--aot-time-ms", 3000)
    w = f.worker()
    task = f.start("work", 7)
    wait_until(lambda: "aot_waiting" in f.kinds(task), 10, "it waits")
    f("task", "stop", task)
    f.try_("task", "wait", task)
    expect_eq(json.loads(f("task", "show", task, "-j"))["state"], 6, "interrupted")
    wait_until(lambda: "aot_failed" in f.kinds(task), 15, "the compiler's end")
    expect(f.run("work", 7, aot="never")["results"] == "7", "the worker works")
    expect("native_start" not in f.kinds(task), "it was started after all")
    expect(w.running(), "the worker ended")


def test_manager_killed_while_it_compiles(l):
    f = Fleet(l, "--rotorc", script(l, f'sleep 1; exec {l.bin("rotorc")} "$@"\n'))
    f.worker()
    task = f.start("work", 7)
    wait_until(lambda: "aot_waiting" in f.kinds(task), 10, "it waits")
    f.manager.kill()
    f.manager.start()
    wait_until(lambda: f.try_("module", "keys", "-q")[0] == 0, 10, "the manager is up again")
    f("task", "wait", task, "--wait", "30s")
    t = json.loads(f("task", "show", task, "-j"))
    expect_eq((t["results"], t["engine"]), ("7", "native"), "results and engine")


def test_a_broadcast_runs_its_module(l):
    f = Fleet(l)
    f.worker()
    f.worker()
    out = f("run", f.wasm, "7", "-i", "work", "--aot", "always", "--broadcast", "-d").strip()
    f.try_("task", "wait", out)
    expect("a broadcast runs its module everywhere" in f.show(out), "the event")


def test_examples_are_the_same_in_native_code(l):
    folder = pathlib.Path(os.environ.get("PROPLET_EXAMPLES", lab.ROOT / "build" / "examples"))
    if not folder.is_dir():
        raise lab.Skip(f"no modules in {folder}; build them with examples/build")
    f = Fleet(l)
    f.worker()
    cases = [["add.wasm", "2", "-3"], ["fib.wasm", "20"], ["sha256.wasm", "abc"], ["hello.wasm"],
             ["filter.wasm", "20", "20", "90", "21"], ["greet.wasm", "Ada"], ["bulky.wasm", "21"],
             ["crash.wasm"]]
    for case in cases:
        ends = []
        for aot in ("always", "never"):
            _, out, err = f.try_("run", folder / case[0], *case[1:], "--aot", aot, "-j")
            expect(out, f"{case}: {err}")
            t = json.loads(out)
            expect_eq(t.get("engine"), "native" if aot == "always" else None, f"{case}'s engine")
            ends.append([t.get(k) for k in ("state", "results", "error", "reason", "fuel")] +
                        [[b.get("name") for b in t.get("backtrace", [])]])
        expect_eq(ends[0], ends[1], f"{case} in native code")
    l.note(f"{len(cases)} modules: the same results, errors, backtraces and fuel")


def test_compile_for_any_target(l):
    f = Fleet(l)
    f("module", "compile", f.wasm, status=70)  # no worker tells a target
    out = f("module", "compile", f.wasm, "--target", "thumbv7m")
    expect("thumbv7m" in out and "ready" in out, out)
    digest = json.loads(f("module", "list", "-j"))[0]["digest"]
    made = json.loads(f("module", "compile", digest[7:17], "--target", "rv32imac", "-j"))
    expect_eq(sorted(i["target"] for i in made["images"]), ["rv32imac", "thumbv7m"], "targets")
    f("module", "compile", f.wasm, "--target", "pdp11", status=70)
    expect("pdp11 (failed)" in f("module", "list"), "the list tells")
    f("module", "compile", "nosuch", status=66)
    keys = json.loads(f("module", "keys", "-j"))
    expect_eq((keys[0]["public"][:16], len(keys[0]["public"])), (keys[0]["id"], 64), "keys")


def test_an_endless_loop_ends_at_once(l):
    """The way of a stop through the broker, the worker and back, with native code at work."""
    f = Fleet(l)
    f("module", "compile", f.wasm, "--target", "x86_64")
    entry = json.loads((f.aot / "index").read_text())
    image = (f.aot / (entry["image"][7:] + ".raot")).read_bytes()
    s = Side(l, "--trust", f.key, broker=f.broker)
    s.serve()
    native, module = s.offer(image), s.offer(f.wasm.read_bytes())
    took = []
    for _ in range(6):
        task = s.start(direct=True, function="forever", module=module, native=native, epoch=1)
        s.ear.wait(f"{P}/control/proplet/alive", lambda m: any(
            h["id"] == task for h in m.json().get("tasks") or []), what="the task runs")
        begin = time.perf_counter()
        s.stop(task, epoch=1)
        got = s.result(task)
        took.append((time.perf_counter() - begin) * 1000)
        expect_eq((got["reason"], got["engine"]), ("stopped", "native"), "how it ended")
        s.ack(task, 1)
    took.sort()
    l.note(f"stop to result: least {took[0]:.2f} ms, median {took[len(took) // 2]:.2f} ms")


if __name__ == "__main__":
    lab.main(globals())
