# SPDX-License-Identifier: Apache-2.0
"""A manager for the tests of propctl: it keeps tasks and modules in memory and plays out how a task
goes by its name, so that every end of a task can be seen without a worker.

`Manager()` serves on a free loopback port; `Raw(bytes)` answers every connection with these bytes.
"""
import hashlib
import http.server
import json
import socket
import threading
import time
import urllib.parse
import uuid

NODE = "5c4b7c38-5b0c-4f7e-8b7f-1d2a1f7f4e21"
NODE_2 = "77777777-5b0c-4f7e-8b7f-1d2a1f7f4e22"
PENDING, RUNNING, COMPLETED, FAILED = 0, 2, 3, 4


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def play(task):
    """What becomes of a task when it starts: (seconds until its end, its last members)."""
    inputs = task.get("inputs") or []
    name = task["name"]
    ends = {
        "crash": {"state": FAILED, "reason": "trap", "error": "trap: integer divide by zero",
                  "backtrace": [{"func": 3, "name": "ratio", "offset": 173},
                                {"func": 0, "name": "crash", "offset": 113}]},
        "fuel": {"state": FAILED, "reason": "fuel", "error": "limit reached: fuel 1000"},
        "exit3": {"state": FAILED, "reason": "exit", "exit_code": 3, "error": "exit status 3"},
        "refused": {"state": FAILED, "reason": "refused", "error": "refused: no room"},
        "steer": {"state": FAILED, "error": "\x1b[2Jbad \u202e text"},
        "object": {"state": COMPLETED, "results": {"w": [1, 2.5]}},
        "nothing": {"state": COMPLETED},
        "talk": {"state": COMPLETED, "results": "two",
                 "outputs": ["one", "two"], "logs": [("info", "begun\n"), ("error", "odd")]},
    }
    if name in ("forever", "waiting"):
        return None, {}
    if name == "slow":
        return 0.4, {"state": COMPLETED, "results": "late"}
    if name in ends:
        return 0, ends[name]
    total = sum(int(i) for i in inputs if i.lstrip("-").isdigit())
    return 0, {"state": COMPLETED, "results": str(total), "reason": "done", "fuel": 42,
               "duration_ms": 1}


class Manager:
    """old=True: as Propeller's, without modules, long poll, logs and start at creation."""

    def __init__(self, old=False):
        self.old, self.lock = old, threading.Condition()
        self.tasks, self.modules, self.requests = {}, {}, []
        self.images_of = {}
        self.jobs = {}
        self.nodes = [node(NODE, "big", True), node(NODE_2, "small", False)]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                outer.serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            disable_nagle_algorithm = True

        Handler.disable_nagle_algorithm = True
        Handler.wbufsize = -1
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # ---- one request ----

    def serve(self, h):
        length = int(h.headers.get("Content-Length") or 0)
        body = h.rfile.read(length)
        url = urllib.parse.urlsplit(h.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = [urllib.parse.unquote(p) for p in url.path.strip("/").split("/")]
        self.requests.append((h.command, h.path, h.client_address[1]))
        if parts == ["events"]:
            return self.events(h)
        status, answer = self.route(h.command, parts, query, body, h.headers)
        payload = b"" if answer is None else json.dumps(answer).encode()
        h.send_response(status)
        h.send_header("Content-Type", "application/json")
        h.send_header("Content-Length", str(len(payload)))
        h.end_headers()
        if h.command != "HEAD":
            h.wfile.write(payload)

    def route(self, method, parts, query, body, headers):
        noun = parts[0]
        if noun == "modules" and not self.old:
            return self.module(method, parts, body, query)
        if noun == "aot" and not self.old:
            return 200, {"keys": [{"id": "5a" * 8, "public": "5a" * 32}], "targets": ["x86_64"]}
        if noun in ("tasks", "jobs", "workflows") and body and method == "POST":
            try:
                body = json.loads(body)
            except ValueError:
                return 400, {"error": "no JSON"}
        return {"tasks": self.task, "proplets": self.proplet, "jobs": self.job,
                "workflows": self.workflow, "health": self.health}.get(
                    noun, lambda *_: (404, None))(method, parts, query, body)

    def health(self, *_):
        return 200, {"status": "pass", "version": "0.1.0", "description": "manager service"}

    def events(self, h):
        h.send_response(200)
        h.send_header("Content-Type", "text/event-stream")
        h.end_headers()
        for n in range(3):
            event = {"kind": "task", "task_id": NODE_2, "phase": "running", "proplet_id": NODE,
                     "time": "2026-01-02T03:04:05Z", "seq": n}
            h.wfile.write(f": a remark\n\nid: {n}\ndata: {json.dumps(event)}\n\n".encode())
            h.wfile.flush()
        h.close_connection = True

    # ---- modules ----

    def images(self, digest):
        """One more of a module's images is ready each time that somebody looks."""
        rows = self.images_of.setdefault(digest, [])
        for row in rows:
            if row["state"] == "compiling":
                bad = row["target"] == "pdp11"
                row.update({"state": "failed", "error": "unknown target"} if bad else
                           {"state": "ready", "size": 1200, "compile_ms": 185,
                            "digest": "sha256:" + "77" * 32})
                break
        return rows

    def module(self, method, parts, body, query):
        if len(parts) == 3 and method == "POST":
            if parts[1] not in self.modules:
                return 404, {"error": "module not found"}
            targets = [query["target"]] if "target" in query else ["x86_64", "thumbv7m"]
            rows = self.images_of.setdefault(parts[1], [])
            rows += [{"target": t, "state": "compiling"} for t in targets
                     if t not in [r["target"] for r in rows]]
            return 202, {"digest": parts[1], "targets": targets, "images": rows}
        if len(parts) == 2:
            known = self.modules.get(parts[1])
            return (200, {"digest": parts[1], "size": known,
                          "images": self.images(parts[1])}) if known else (404, None)
        if method == "POST":
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            self.modules[digest] = len(body)
            return 201, {"digest": digest, "size": len(body)}
        rows = [{"digest": d, "size": s, "images": self.images_of.get(d, [])}
                for d, s in self.modules.items()]
        return 200, {"offset": 0, "limit": 100, "total": len(rows), "modules": rows}

    # ---- nodes ----

    def proplet(self, method, parts, query, body):
        if len(parts) == 1:
            rows = [n for n in self.nodes
                    if query.get("status") != "active" or n["alive"]]
            return 200, page(rows, query, "proplets")
        found = next((n for n in self.nodes if n["id"] == parts[1]), None)
        if not found:
            return 404, {"error": "entity not found"}
        if parts[2:] == ["drain"]:
            found["draining"] = json.loads(body)["drain"]
            return 200, found
        if parts[2:] == ["metrics"]:
            rows = [{"proplet_id": found["id"], "timestamp": stamp(),
                     "cpu_metrics": {"percent": 3.1}, "memory_metrics": {"rss_bytes": 31457280},
                     "network_metrics": {"rx_bytes": 2048, "tx_bytes": 0, "dropped_packets": 7}}]
            return 200, page(rows, query, "metrics")
        if method == "DELETE":
            if found["task_count"]:
                return 409, {"error": "the proplet has tasks; stop or drain them first"}
            self.nodes.remove(found)
            return 204, None
        return 200, found

    # ---- tasks ----

    def add(self, spec, **more):
        task = {**spec, **more, "created_at": stamp(), "cli_args": None}
        task.setdefault("id", str(uuid.uuid4()))
        task.setdefault("state", PENDING)
        self.tasks[task["id"]] = task
        return task

    def task(self, method, parts, query, body):
        if len(parts) == 1 and method == "POST":
            if not body.get("name"):
                return 400, {"error": "name: is missing"}
            task = self.add(body)
            if body.get("start") and not self.old:
                self.start(task)
                self.wait(task, query)
            return 201, shown(task)
        if len(parts) == 1:
            rows = [shown(t) for t in self.tasks.values()
                    if self.old or query.get("state") in (None, word(t["state"]))]
            return 200, page(rows, query, "tasks")
        task = self.tasks.get(parts[1])
        if not task:
            return 404, {"error": "task not found"}
        below = parts[2] if len(parts) > 2 else ""
        if method == "DELETE":
            del self.tasks[task["id"]]
            return 204, None
        handle = getattr(self, "task_" + (below or "show"), None)
        return handle(task, query, body) if handle else (404, {"error": "no such path"})

    def task_show(self, task, *_):
        return 200, shown(task)

    def start(self, task):
        if task["name"] == "waiting":
            task["placement"] = {"reason": "no node has the capability gpio"}
            return
        task.update(state=RUNNING, start_time=stamp())
        if task.get("broadcast"):
            return self.broadcast(task)
        task["proplet_id"] = NODE
        seconds, last = play(task)
        if seconds is None:
            return
        if seconds:
            threading.Timer(seconds, self.end, (task, last)).start()
        else:
            self.end(task, last)

    def broadcast(self, task):
        """Two nodes; where the task is named half, one of them fails."""
        task["epoch"] = task.get("epoch", 0) + 1
        ends = [play(task)[1], play(task)[1]]
        if task["name"] == "half":
            ends[1] = play({"name": "crash"})[1]
        rows = [{"proplet_id": n["id"], "epoch": task["epoch"], "error": e.get("error"),
                 "results": e.get("results"), "backtrace": e.get("backtrace", [])}
                for n, e in zip(self.nodes, ends)]
        task.setdefault("parts", []).extend(rows)
        bad = any(r["error"] for r in rows)
        self.end(task, {"state": FAILED, "reason": "other", "error": "it failed on some proplets"}
                 if bad else {"state": COMPLETED, "results": rows[-1]["results"]})

    def task_parts(self, task, query, _):
        return (404, None) if self.old else (200, page(task.get("parts", []), query, "parts"))

    def end(self, task, last):
        with self.lock:
            task.update(last, finish_time=stamp())
            self.lock.notify_all()

    def task_start(self, task, *_):
        if task["name"] == "homeless":
            return 500, {"error": "no active proplets available"}
        self.start(task)
        return 200, {"started": True}

    def task_stop(self, task, *_):
        self.end(task, {"state": FAILED, "reason": "stopped", "error": "stopped"})
        return 200, {"stopped": True}

    def task_invoke(self, task, query, body):
        body = body or {}
        if not task.get("latent"):
            return 500, {"error": "the task is not a latent task that runs"}
        return 200, {"invoked": True, "results": "hello, " + " ".join(body.get("inputs") or [])}

    def wait(self, task, query):
        with self.lock:
            self.lock.wait_for(lambda: task["state"] >= COMPLETED,
                               int(query.get("wait_ms", 0)) / 1000)

    def task_results(self, task, query, _):
        if not self.old:
            self.wait(task, query)
        if task["state"] < COMPLETED or "results" not in task:
            return 200, None
        return 200, {"results": task["results"]}

    def task_logs(self, task, query, _):
        if self.old:
            return 404, None
        rows = [{"seq": i + 1, "level": level, "text": text}
                for i, (level, text) in enumerate(task.get("logs", []))]
        return 200, {"logs": [r for r in rows if r["seq"] > int(query.get("after", 0))]}

    def task_outputs(self, task, query, _):
        if self.old:
            return 404, None
        rows = [{"seq": i + 1, "data": data} for i, data in enumerate(task.get("outputs", []))]
        return 200, {"outputs": [r for r in rows if r["seq"] > int(query.get("after", 0))]}

    def task_metrics(self, task, query, _):
        return 200, page([], query, "metrics")

    def task_upload(self, task, query, body):
        if b"\0asm" not in body:
            return 400, {"error": "file: is no WebAssembly module"}
        return 200, shown(task)

    # ---- groups ----

    def workflow(self, method, parts, query, body):
        if self.old and (len(parts) > 1 or method == "GET"):
            return 404, None
        if method == "GET":
            groups = {t["workflow_id"]: t for t in self.tasks.values() if "workflow_id" in t}
            if len(parts) == 2:
                mine = [shown(t) for t in self.tasks.values() if t.get("workflow_id") == parts[1]]
                return 200, {"workflow_id": parts[1], "state": "running", "tasks": mine}
            rows = [{"id": g, "created_at": stamp()} for g in groups]
            return 200, page(rows, query, "workflows")
        if len(parts) == 3:
            mine = [t for t in self.tasks.values() if t.get("workflow_id") == parts[1]]
            for t in mine:
                if parts[2] == "start" and not t.get("depends_on"):
                    self.start(t)
                elif parts[2] == "stop" and t["state"] < COMPLETED:
                    self.end(t, {"state": FAILED, "error": "stopped"})
            return 200, {"workflow_id": parts[1]}
        group = str(uuid.uuid4())
        tasks = [self.add(t, workflow_id=group) for t in body["tasks"]]
        return 201, {"tasks": [shown(t) for t in tasks]}

    def job(self, method, parts, query, body):
        if len(parts) == 1 and method == "POST":
            job = str(uuid.uuid4())
            tasks = [self.add(t, job_id=job) for t in body["tasks"]]
            self.jobs[job] = {"job_id": job, "name": body.get("name"), "tasks": tasks,
                              "created_at": stamp()}
            return 201, {"job_id": job, "tasks": [shown(t) for t in tasks]}
        if len(parts) == 1:
            rows = [{**j, "state": "completed"} for j in self.jobs.values()]
            return 200, page(rows, query, "jobs")
        job = self.jobs.get(parts[1])
        if not job:
            return 404, {"error": "job not found"}
        if parts[2:] == ["start"]:
            for t in job["tasks"]:
                self.start(t)
            return 200, {"message": "job started", "job_id": parts[1]}
        return 200, {"job_id": parts[1], "tasks": [shown(t) for t in job["tasks"]]}


class Raw:
    """Answers every connection with the same bytes and closes it; pause: seconds before."""

    def __init__(self, answer, pause=0):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.answer, self.pause = answer, pause
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                connection.recv(65536)
                time.sleep(self.pause)
                for piece in self.answer if isinstance(self.answer, list) else [self.answer]:
                    connection.sendall(piece)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def node(id_, name, alive):
    return {"id": id_, "name": name, "alive": alive, "task_count": 0, "last_alive_at": stamp(),
            "metadata": {"cpu_arch": "x86_64", "os": "linux", "free_bytes": 65536,
                         "pool_bytes": 1048576, "tags": ["lab"], "labels": {"room": "1"},
                         "capabilities": ["gpio"]}}


def word(state):
    return ["pending", "scheduled", "running", "completed", "failed", "skipped",
            "interrupted"][state]


def shown(task):
    return {k: v for k, v in task.items() if k not in ("logs", "outputs", "parts", "start")}


def page(rows, query, key):
    offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
    return {"offset": offset, "limit": limit, "total": len(rows), key: rows[offset:offset + limit]}
