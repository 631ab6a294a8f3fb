# SPDX-License-Identifier: Apache-2.0
"""The end-to-end lab: a broker, real programs, links that can be cut, and bounded waits.

A test program is a Python file with functions test_*(lab) and, at its end, `lab.main(globals())`.
Each test gets a Lab of its own; whatever it started is ended by process id when it returns. The
last line printed is "N passed, N failed".

    import lab
    def test_something(l):
        broker = l.broker()
        worker = l.process("worker", [l.bin("proplet"), "--mqtt", broker.url])
        c = l.client(broker)
        ...
    lab.main(globals())

Options: --repeat N, --seed N, --bin DIR, --list, NAME... (parts of test names).
Logs: build/e2e/<test>/<process>.log below the working tree, or below $PROPLET_E2E_DIR. Nothing here sleeps to let time pass:
it waits for conditions, with a bound.
"""
import argparse
import ctypes
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mqtt_client import Message, Mqtt, MqttError, matches  # noqa: E402,F401 (offered to tests)

ROOT = pathlib.Path(__file__).resolve().parents[2]
_libc = ctypes.CDLL(None)


def _end_with_parent():
    """In a new child: it ends when the test program does, however that ends."""
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Failed(Exception):
    """A test's expectation did not hold."""


class Skip(Exception):
    """The test cannot run here; its text says why. Counted neither as passed nor as failed; as
    failed where PROPLET_ALL=1 says that everything it needs was built and installed."""


class Unsupported(Skip):
    """The system itself has not got what the test is about; never counted as failed."""


def expect(cond, text="expectation failed"):
    if not cond:
        raise Failed(text)


def expect_eq(got, want, what="value"):
    if got != want:
        raise Failed(f"{what} is {got!r}, expected {want!r}")


def wait_until(cond, seconds=10, what="condition", every=0.01):
    """Polls cond until it is true and returns its value; Failed when the time is up."""
    end = time.monotonic() + seconds
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(every)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A program with its output in a log file. Restartable with start()."""

    def __init__(self, name, argv, folder, env=None, cwd=None, stdin=None):
        self.name, self.argv = name, [str(a) for a in argv]
        self.log_path = folder / f"{name}.log"
        self.env = {**os.environ, **{k: str(v) for k, v in (env or {}).items()}}
        self.cwd, self.stdin = cwd or folder, stdin
        self.child = None
        self.start()

    def start(self):
        expect(self.child is None or self.child.poll() is not None, f"{self.name} runs already")
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdout=log, stderr=log, env=self.env,
                                          cwd=self.cwd, stdin=self.stdin or subprocess.DEVNULL,
                                          preexec_fn=_end_with_parent)

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def wait(self, seconds=10):
        """The exit status; Failed if it still runs after that time."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs after {seconds} s") from None

    def stop(self, seconds=10):
        """SIGTERM; the exit status. SIGKILL and Failed when it does not end in time."""
        if self.running():
            self.child.send_signal(signal.SIGTERM)
            try:
                return self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed(f"{self.name} did not end within {seconds} s of SIGTERM") from None
        return self.child.returncode

    def kill(self):
        """SIGKILL, and waits until it is gone."""
        if self.running():
            self.child.kill()
        return self.child.wait(10)

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.child.send_signal(signal.SIGCONT)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text, seconds=10, count=1):
        def look():
            if not self.running() and self.log().count(text) < count:
                raise Failed(f"{self.name} ended with {self.child.returncode} before it logged "
                             f"{text!r}; see {self.log_path}")
            return self.log().count(text) >= count
        wait_until(look, seconds, f"{self.name} logs {text!r}")

    def rss_kb(self):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def cpu_seconds(self):
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Broker(Process):
    """mosquitto on a free loopback port, with persistence in the test's folder."""

    def __init__(self, folder, name="broker", extra="", persistence=True, port=None):
        self.port = port or free_port()
        state = folder / f"{name}-state"
        state.mkdir(exist_ok=True)
        conf = folder / f"{name}.conf"
        conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"persistence {'true' if persistence else 'false'}\npersistence_location {state}/\n"
            "autosave_on_changes true\nautosave_interval 50\nmax_queued_messages 100000\n"
            "max_inflight_messages 100\nset_tcp_nodelay true\n"
            f"log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n"
            f"{'user root' if os.getuid() == 0 else ''}\n{extra}\n")
        exe = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        super().__init__(name, [exe, "-c", conf], folder)
        self.wait_ready()

    @property
    def url(self):
        return f"tcp://127.0.0.1:{self.port}"

    def wait_ready(self, seconds=10):
        wait_until(lambda: can_connect(self.port), seconds, f"{self.name} on port {self.port}")

    def start(self):
        super().start()
        if hasattr(self, "port") and self.log_path.exists():
            self.wait_ready()

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        self.start()


class Link:
    """A TCP proxy to a port: cut() resets and refuses, mend() lets through again; delay in seconds
    and bytes_per_second slow each direction; stall() keeps connections open and moves nothing."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.delay = 0.0
        self.bytes_per_second = 0
        self.bytes_moved = 0
        self.connections = 0
        self._go = threading.Event()
        self._go.set()
        self._cut = False
        self._closed = False
        self._socks = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept_loop, daemon=True).start()

    @property
    def url(self):
        return f"tcp://127.0.0.1:{self.port}"

    def cut(self):
        self._cut = True
        self.reset()

    def reset(self):
        """Breaks the connections there are; new ones pass."""
        with self._lock:
            socks, self._socks = self._socks, set()
        for s in socks:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def mend(self):
        self._cut = False
        self._go.set()

    def stall(self):
        self._go.clear()

    def close(self):
        self._closed = True
        self._listener.close()
        self._go.set()
        self.reset()

    def _accept_loop(self):
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
                far.settimeout(None)
                for s in (near, far):  # before reset() can know and close them
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                near.close()
                continue
            self.connections += 1
            with self._lock:
                self._socks |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, a, b):
        try:
            while True:
                data = a.recv(2048 if self.bytes_per_second else 65536)
                if not data:
                    break
                if self.delay:
                    time.sleep(self.delay)
                if self.bytes_per_second:
                    time.sleep(len(data) / self.bytes_per_second)
                self._go.wait()
                b.sendall(data)
                self.bytes_moved += len(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
            with self._lock:
                self._socks.discard(s)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"HTTP {self.status} {self.body[:300]!r}"


class Http:
    """Requests to one address over a connection that is kept; body: bytes, str, or JSON."""

    def __init__(self, url, seconds=20):
        u = urllib.parse.urlsplit(url)
        self.host, self.port, self.seconds = u.hostname, u.port, seconds
        self.conn = None

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        for again in (True, False):
            fresh = self.conn is None
            if fresh:
                self.conn = http.client.HTTPConnection(self.host, self.port, timeout=self.seconds)
            try:
                self.conn.request(method, path, body=body, headers=headers)
                r = self.conn.getresponse()
                return Reply(r.status, r.headers, r.read())
            except (ConnectionError, http.client.BadStatusLine, http.client.CannotSendRequest):
                self.conn.close()
                self.conn = None
                if fresh or not again or method not in ("GET", "HEAD"):
                    raise

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def put(self, path, body=None, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def close(self):
        if self.conn:
            self.conn.close()
            self.conn = None


class Lab:
    """The world of one test."""

    def __init__(self, name, bin_dir, options=None):
        self.name, self.bin_dir, self.options = name, pathlib.Path(bin_dir), options
        self.folder = self.folder_of(name)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.notes = []
        self._things = []

    @staticmethod
    def folder_of(name):
        return pathlib.Path(os.environ.get("PROPLET_E2E_DIR", ROOT / "build/e2e")) / name

    def bin(self, program):
        path = self.bin_dir / program
        if not path.exists():
            raise Skip(f"{path} is not built")
        return path

    def note(self, text):
        """A line printed beside the test's name, for figures."""
        self.notes.append(text)

    def dice(self):
        """Random numbers from --seed, or from a seed that is printed beside the test's name."""
        seed = getattr(self.options, "seed", None)
        seed = random.randrange(1 << 30) if seed is None else seed
        self.note(f"seed {seed}")
        return random.Random(seed)

    def own(self, thing):
        """Ends thing (close or kill) after the test."""
        self._things.append(thing)
        return thing

    def process(self, name, argv, **kw):
        return self.own(Process(name, argv, self.folder, **kw))

    def run(self, argv, seconds=60, stdin=None, env=None, cwd=None):
        """Runs a program to its end; (status, stdout, stderr) as text."""
        p = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.PIPE, env={**os.environ, **(env or {})},
                             cwd=cwd or self.folder)
        try:
            out, err = p.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise Failed(f"{argv[0]} still ran after {seconds} s; stderr: {err[-500:]!r}") from None
        return p.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def broker(self, name="broker", **kw):
        return self.own(Broker(self.folder, name, **kw))

    def link(self, target):
        """A Link to a Broker or a port."""
        return self.own(Link(getattr(target, "port", target)))

    def client(self, broker, client_id="tester", **kw):
        return self.own(Mqtt(getattr(broker, "port", broker), client_id, **kw))

    def http(self, url, **kw):
        return self.own(Http(url, **kw))

    def close(self):
        for thing in reversed(self._things):
            try:
                if isinstance(thing, Process):
                    if thing.child:
                        thing.go_on() if thing.running() else None
                        thing.kill()
                else:
                    thing.close()
            except (OSError, subprocess.SubprocessError) as e:
                print(f"    ending {thing}: {e}")

    def log_tails(self, lines=8):
        for path in sorted(self.folder.glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            for line in tail:
                print(f"    {path.name}: {line[:300]}")


def default_bin():
    return os.environ.get("PROPLET_BIN", str(ROOT / "build" / "release" / "bin"))


def _run_one(name, function, bin_dir, options):
    lab = Lab(name, bin_dir, options)
    start = time.monotonic()
    verdict = "ok"
    try:
        function(lab)
    except Skip as e:
        needed = os.environ.get("PROPLET_ALL") == "1" and not isinstance(e, Unsupported)
        verdict = "FAIL" if needed else "skip"
        lab.note(str(e))
    except (Failed, MqttError) as e:
        verdict = "FAIL"
        at = traceback.extract_tb(e.__traceback__)
        mine = [f for f in at if not f.filename.endswith(("lab.py", "mqtt_client.py"))]
        lab.note(f"{e} (line {(mine or at)[-1].lineno})")
    except Exception:  # a test that breaks is a failed test, and the others go on
        verdict = "FAIL"
        lab.note("\n" + traceback.format_exc())
    finally:
        lab.close()
    notes = "; ".join(lab.notes)
    print(f"{verdict:4} {name} {time.monotonic() - start:.1f} s{': ' if notes else ''}{notes}",
          flush=True)
    if verdict == "FAIL":
        lab.log_tails()
    return verdict


def _keep(name, number):
    """Sets the folder of a failed run aside, so that the next run does not replace its logs."""
    folder = Lab.folder_of(name)
    kept = folder.with_name(f"{name}.failed-{number}")
    shutil.rmtree(kept, ignore_errors=True)
    folder.rename(kept)
    print(f"    kept: {kept}", flush=True)


def main(scope, extra_options=None):
    """Runs the test_* functions of a module's globals() and exits. extra_options(parser) may add
    options; a test finds them in lab.options."""
    parser = argparse.ArgumentParser(description=scope.get("__doc__"))
    parser.add_argument("names", nargs="*", help="parts of the names of the tests to run")
    parser.add_argument("--repeat", type=int, default=1, help="run everything N times")
    parser.add_argument("--bin", default=default_bin(), help="folder of the programs")
    parser.add_argument("--seed", type=int, help="of the moments at which things break")
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    if extra_options:
        extra_options(parser)
    options = parser.parse_args()
    program = pathlib.Path(sys.argv[0]).stem
    tests = [(n[5:], f) for n, f in scope.items() if n.startswith("test_") and callable(f)]
    tests = [(n, f) for n, f in tests if not options.names or any(p in n for p in options.names)]
    if options.list:
        print("\n".join(n for n, _ in tests))
        sys.exit(0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    try:
        for number in range(options.repeat):
            for name, function in tests:
                verdict = _run_one(f"{program}.{name}", function, options.bin, options)
                counts[verdict] += 1
                if verdict == "FAIL" and options.repeat > 1:
                    _keep(f"{program}.{name}", number + 1)
    except KeyboardInterrupt:
        print("interrupted")
        counts["FAIL"] += 1
    if counts["skip"]:
        print(f"{counts['skip']} skipped")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed")
    sys.exit(1 if counts["FAIL"] else 0)
