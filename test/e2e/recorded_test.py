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


if __name__ == "__main__":
    lab.main(globals())
