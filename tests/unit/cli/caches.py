"""A cache that is looked at, and spoiled, from outside."""

import json
import os
import time

from ohmykube.artifacts import architecture

ARCH = architecture()
IMAGE, ABSENT = "example.test/kubeadm:v1", "127.0.0.1:1/flannel:v1"


def data(answer):
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)["data"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def packages(home):
    return home / "cache" / "packages"


def grow_old(home):
    then = time.time() - 2 * 24 * 3600
    for path in (home / "cache").rglob("*"):
        os.utime(path, (then, then))
