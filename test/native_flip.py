# SPDX-License-Identifier: Apache-2.0
"""Flips a bit of native images, byte by byte: each must be refused. Usage: native_flip.py ROTOR SIGNED KEY UNSIGNED"""
import subprocess
import sys

rotor, signed, key, unsigned = sys.argv[1:]
wrong = 0


def refused(data, trust):
    with open("flipped.raot", "wb") as f:
        f.write(data)
    r = subprocess.run([rotor, "run", *trust, "--invoke", "sum", "flipped.raot", "4"], capture_output=True, text=True,
                       timeout=10)
    return r.returncode == 65


for path, trust in ((signed, ["--trust", key]), (unsigned, ["--unsigned"])):
    image = open(path, "rb").read()
    # Every byte of header and signature, every fifth of the rest; then truncations.
    places = [i for i in range(len(image)) if i < 136 or i >= len(image) - 64 or i % 5 == 0]
    for i in places:
        changed = bytearray(image)
        changed[i] ^= 1 << i % 8
        if not refused(bytes(changed), trust):
            print(f"{path}: byte {i} altered, and it ran")
            wrong += 1
    for n in range(0, len(image), 97):
        if not refused(image[:n], trust):
            print(f"{path}: cut to {n} bytes, and it ran")
            wrong += 1
sys.exit(wrong != 0)
