#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the lab itself: without a worker or a manager."""
import sys

import lab
from lab import Mqtt, MqttError, expect, expect_eq, wait_until


def test_qos_each_way(l):
    broker = l.broker()
    c, d = l.client(broker, "c"), l.client(broker, "d")
    c.subscribe("a/#")
    for qos in (0, 1, 2):
        d.publish(f"a/{qos}", {"qos": qos}, qos=qos)
        m = c.wait(f"a/{qos}")
        expect_eq((m.qos, m.json()), (qos, {"qos": qos}))
    big = bytes(range(256)) * 8192
    d.publish("a/big", big, qos=2)
    expect_eq(c.wait("a/big").payload, big)
    expect_eq(len(c.messages), 4)


def test_will_and_session(l):
    broker = l.broker()
    c = l.client(broker, "c", clean=False)
    c.subscribe("w/#", qos=1)
    d = l.client(broker, "d", will=("w/d", "gone", 1))
    d.drop()
    expect_eq(c.wait("w/d").payload, b"gone")
    c.close()
    l.client(broker, "e").publish("w/later", "kept", qos=1)
    c = l.client(broker, "c", clean=False)
    expect(c.session_present, "the session was lost")
    expect_eq(c.wait("w/later").payload, b"kept")


def test_broker_restart_keeps_session(l):
    broker = l.broker()
    c = l.client(broker, "c", clean=False)
    c.subscribe("s", qos=1)
    c.close()
    l.client(broker, "d").publish("s", "x", qos=1)
    broker.restart()
    expect_eq(l.client(broker, "c", clean=False).wait("s").payload, b"x")


def test_link(l):
    broker = l.broker()
    link = l.link(broker)
    c = l.client(link, "c")
    c.subscribe("t")
    link.delay = 0.02
    c.publish("t", "1")
    c.wait("t")
    link.cut()
    wait_until(lambda: c.closed, 5, "the cut is noticed")
    try:
        Mqtt(link.port, "x", seconds=2)
        expect(False, "a cut link let a connection through")
    except (OSError, MqttError):
        pass
    link.mend()
    c = l.client(link, "c")
    c.publish("t", "2")


def test_process(l):
    p = l.process("sleeper", [sys.executable, "-u", "-c",
                              "import time; print('ready'); time.sleep(60)"])
    p.wait_log("ready")
    expect(p.rss_kb() > 1000)
    expect_eq(p.stop(), -15)
    expect_eq(l.run([sys.executable, "-c", "print(input())"], stdin=b"hi\n")[:2], (0, "hi\n"))


if __name__ == "__main__":
    lab.main(globals())
