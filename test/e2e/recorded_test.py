#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Propeller's programs said once, said again to our worker (recorded/*.json)."""
import json
import pathlib

import lab
from side import CHANNEL, NODE, P, TENANT, Side, expect, expect_eq

RECORDED = pathlib.Path(__file__).parent / "recorded"


def messages():
    text = (RECORDED / "propeller_mqtt.json").read_text()
    for m in json.loads(text.replace("<tenant>", TENANT).replace("<channel>", CHANNEL)):
        yield m["topic"], m["payload"]


def play(s, wanted):
    """Sends the recorded messages of one kind; they are returned."""
    played = []
    for topic, payload in messages():
        if topic.endswith(wanted):
            s.ear.publish(topic, payload, qos=2)
            played.append(json.loads(payload))
    expect(played, f"nothing recorded on {wanted}")
    return played


def test_manager_drives_worker(l):
    s = Side(l, "--mqtt-qos", "2")
    starts = play(s, "manager/start")
    for start in starts:
        if start["name"] == "add" and not start["latent"] and "file" in start:
            want = str(sum(map(int, start["inputs"])))
            expect_eq(s.result(start["id"])["results"], want, f"results of {start}")
    image = next(m for m in starts if "image_url" in m)
    s.ear.wait(f"{P}/registry/proplet", lambda m: m.json()["app_name"] == image["image_url"])
    play(s, "registry/server")
    expect_eq(s.result(image["id"])["results"], "3")
    invoke = play(s, "manager/invoke")[0]
    got = s.ear.wait(f"{P}/control/proplet/invoke_results").json()
    expect_eq((got["invocation_id"], got["proplet_id"]), (invoke["invocation_id"], NODE))
    expect(got["error"], "\"world\" is no number: an error was expected")
    spin = next(m for m in starts if m["name"] == "spin")
    expect_eq(s.results(spin["id"]), [], "the endless task")
    play(s, "manager/stop")
    expect(s.result(spin["id"])["error"].startswith("stopped"), "stopped")
    s.works()


def test_reports_have_propellers_form(l):
    """What its manager reads of our messages has the types that it reads."""
    s = Side(l, "--metrics-interval", "500ms")
    s.works()
    create = s.ear.wait(f"{P}/control/proplet/create").json()
    expect(isinstance(create["proplet_id"], str) and isinstance(create["metadata"], dict), "create")
    for key in ("description", "location", "ip", "environment", "os", "hostname", "cpu_arch",
                "proplet_version", "wasm_runtime"):
        expect(isinstance(create["metadata"].get(key, ""), str), f"metadata.{key}")
    result = s.ear.wait(f"{P}/control/proplet/results").json()
    expect(isinstance(result["task_id"], str) and isinstance(result["results"], str), "results")
    expect(result.get("error") is None or isinstance(result["error"], str), "error")
    metrics = s.ear.wait(f"{P}/control/proplet/metrics").json()
    for part, keys in (("cpu_metrics", ("user_seconds", "system_seconds", "percent")),
                       ("memory_metrics", ("rss_bytes", "heap_alloc_bytes", "heap_sys_bytes",
                                           "heap_inuse_bytes"))):
        for key in keys:
            expect(isinstance(metrics[part][key], (int, float)), f"{part}.{key}")


# ---- our manager asked as Propeller's was


def scripted_node(client, m):
    """Does what the node did when the exchanges were recorded."""
    said = m.json() or {}
    if "/start" in m.topic and not said.get("latent") and said.get("name") != "spin":
        client.publish(f"{P}/control/proplet/results", {
            "task_id": said["id"], "proplet_id": NODE, "results": "30", "error": None}, wait=False)
    if "/invoke" in m.topic:
        client.publish(f"{P}/control/proplet/invoke_results", {
            "task_id": said["id"], "invocation_id": said["invocation_id"], "proplet_id": NODE,
            "results": "hola", "error": None}, wait=False)


def same_shape(ours, theirs, where, ids):
    if isinstance(theirs, dict):
        for key, value in theirs.items():
            if key in ("results", "error", "metadata"):
                continue
            if key not in ours and not value:
                continue  # left out where Propeller says false: the same to its clients
            expect(key in ours, f"{where}: key {key!r} is missing in {str(ours)[:300]}")
            if value is not None and ours[key] is not None:
                expect_eq(type(ours[key]).__name__, type(value).__name__, f"{where}: {key}")
            if isinstance(value, list) and value and isinstance(value[0], dict):
                wanted = ids.get(value[0].get("id"), value[0].get("id"))
                twin = [o for o in ours[key] if o.get("id") == wanted]
                expect(twin, f"{where}: {key} lacks {wanted}")
                same_shape(twin[0], value[0], f"{where}: {key}[0]", ids)


def test_our_manager_answers_alike(l):
    """The recorded HTTP exchanges again, with our manager: status and shape of each reply."""
    broker, port = l.broker(), lab.free_port()
    l.process("manager", [l.bin("proplet-manager"), "--http-port", port, "--store",
                          f"sqlite://{l.folder}/manager.db"],
              env={"MANAGER_MQTT_ADDRESS": broker.url, "MANAGER_TENANT_ID": TENANT,
                   "MANAGER_CHANNEL_ID": CHANNEL})
    lab.wait_until(lambda: lab.can_connect(port), 20, "our manager listens")
    http = l.http(f"http://127.0.0.1:{port}")
    node = l.client(broker, NODE, on_message=scripted_node)
    node.subscribe(f"{P}/control/manager/#")
    node.publish(f"{P}/control/proplet/create", {"proplet_id": NODE, "namespace": "default",
                                                 "metadata": {"os": "linux", "tags": ["edge"]}})
    node.publish(f"{P}/control/proplet/alive", {"proplet_id": NODE, "status": "alive"})
    lab.wait_until(lambda: NODE in http.get("/proplets").body.decode(), 10, "the node is known")
    ids, count = {}, 0
    for e in json.loads((RECORDED / "propeller_http.json").read_text()):
        path = e["path"]
        for theirs, ours in ids.items():
            path = path.replace(theirs, ours)
        reply = http.request(e["method"], path, e["body"])
        where = f"{e['method']} {e['path']}"
        if e["method"] == "POST" and path.endswith("/start") and reply.status != e["status"]:
            expect(reply.status in (200, 409, 503), f"{where}: {reply}")
            continue  # an image that is nowhere: we say so at once
        expect_eq(reply.status, e["status"], f"{where}: {reply}; status")
        if e["reply"]:
            same_shape(reply.json(), json.loads(e["reply"]), where, ids)
        if path == "/tasks" and e["method"] == "POST":
            ids[json.loads(e["reply"])["id"]] = reply.json()["id"]
        count += 1
    l.note(f"{count} exchanges alike")


if __name__ == "__main__":
    lab.main(globals())
