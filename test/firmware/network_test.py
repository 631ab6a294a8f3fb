#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ways to the broker: by name, by IPv6. PROPLET_BOARD and PROPLET_FIRMWARE as in firmware_test.py."""
import sys

import board  # noqa: F401 (sets the path)
import lab
import side_firmware
from lab import expect, wait_until
from names import Names
from side import add_wasm
from side_firmware import BOARD, Side


def goes_to(s, broker):
    """The next connections go there."""
    s.board.set("broker", broker)
    s.broker.restart()
    s.relisten()


def test_broker_by_name(l):
    """The name is looked up at each connection, at the server that DHCP named."""
    if BOARD != "native_sim":
        raise lab.Unsupported("QEMU's network asks the host's name server")
    s = Side(l)
    s.works()
    goes_to(s, "broker.test")  # nobody answers yet
    s.board.wait_log("the broker's name is not known", 60)
    names = l.own(Names("10.0.2.2", {"broker.test": "10.0.2.2"}))
    s.wait_online(seconds=90)
    expect("broker.test" in names.asked, f"asked {names.asked}")
    s.works()
    goes_to(s, "nobody.test")
    wait_until(lambda: s.board.log().count("the broker's name is not known") >= 2, 60, "no such name")
    s.board.set("broker", "broker.test")
    s.wait_online(seconds=90)
    s.works()


def test_broker_by_ipv6(l):
    """The image with IPv6 beside IPv4."""
    if BOARD != "mps2_an385":
        raise lab.Unsupported("the image is for mps2_an385")

    class Six(Side):
        variant = "ipv6"
    port = lab.free_port()
    s = Six(l, broker=l.broker(extra=f"listener {port} ::1\n"))
    s.works()
    s.board.set("port", str(port))
    goes_to(s, "fec0::2")  # the host, in QEMU's network
    s.wait_online(seconds=60)
    s.expect_ok(add_wasm(), "9", function="add", inputs=["4", "5"])


if __name__ == "__main__":
    if BOARD == "native_sim" and "--list" not in sys.argv:
        side_firmware.network_of_our_own()
        side_firmware._network.append(True)
    lab.main(globals())
