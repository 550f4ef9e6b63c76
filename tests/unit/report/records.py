"""Records as verbs leave them, for the tests of what is made of them."""

import json
import math

from hypothesis import strategies as st

from ohmykube.report.run import Run, read

BEGAN = 1_790_000_000.0
NAME = "20261126T081502.332981-up"
PLANE, WORKER = "dev-control-plane-1", "dev-worker-1"


def line(at, kind, **words):
    return json.dumps({"time": BEGAN + at, "kind": kind, **words}) + "\n"


def up(slow=1.0):
    """An `up` of two nodes, 20 seconds and more; slow: what kubeadm takes, times this."""
    init = 6.0 * slow
    end = 14.0 + init
    return [
        line(0, "run", verb="up", cluster="dev", version="0.1.0"),
        line(0, "about", kubernetes="v1.36.4", provider="nspawn", network="flannel", nodes=[PLANE, WORKER]),
        line(0, "start", phase="machines", expected=5.0),
        line(0, "start", phase="packages"),
        *(line(0, "step", phase="machines", node=node, text="start") for node in (PLANE, WORKER)),
        line(0.5, "step", phase="packages", text="kubeadm v1.36.4: 0 % of 71.0 MiB"),
        line(2.5, "step", phase="packages", text="kubeadm v1.36.4: 100 % of 71.0 MiB"),
        line(3, "done", phase="packages", seconds=3),
        line(4, "task", phase="machines", node=PLANE, text="start", seconds=4, status="ok"),
        line(5, "task", phase="machines", node=WORKER, text="start", seconds=5, status="ok"),
        line(5, "done", phase="machines", seconds=5),
        line(5, "start", phase="Kubernetes"),
        *(line(6, "step", phase="Kubernetes", node=node, text="Push the images") for node in (PLANE, WORKER)),
        line(9, "task", phase="Kubernetes", node=WORKER, text="Push the images", seconds=3, status="changed"),
        line(10, "task", phase="Kubernetes", node=PLANE, text="Push the images", seconds=4, status="changed"),
        line(10, "step", phase="Kubernetes", node=PLANE, text="Make the cluster"),
        line(
            10 + init, "task", phase="Kubernetes", node=PLANE, text="Make the cluster", seconds=init, status="changed"
        ),
        line(10 + init, "step", phase="Kubernetes", node=WORKER, text="Join the cluster"),
        line(end - 1, "task", phase="Kubernetes", node=WORKER, text="Join the cluster", seconds=3, status="changed"),
        line(end - 1, "done", phase="Kubernetes", seconds=end - 6),
        line(end - 1, "skip", phase="remove nodes"),
        line(end - 1, "note", phase="images", text="reg.test/app:1 is left to the nodes"),
        line(end, "part", name="kubeadm", version="v1.36.4", bytes=21_000_000),
        line(end, "end", status="ok"),
    ]


def run_of(lines) -> Run:
    return read(NAME, lines)


_WORDS = st.one_of(
    st.sampled_from(["machines", "Kubernetes", PLANE, WORKER, "start", "a: 10 % of 2.0 MiB", "a", "</script>"]),
    st.text(max_size=12),
)
_VALUES = st.one_of(_WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(_WORDS, max_size=2))
_KINDS = st.sampled_from(
    ["run", "about", "start", "done", "fail", "skip", "step", "task", "note", "error", "part", "end", "new"]
)


@st.composite
def records(draw):
    """Lines of JSON in the form of events, whose values may be anything; the last one may be cut."""
    at, lines = 0.0, []
    for kind in draw(st.lists(_KINDS, max_size=30)):
        at += draw(st.floats(-1, 20))
        keys = draw(st.lists(st.sampled_from(["verb", "phase", "node", "text", "status", "nodes", "name", "message"])))
        words = {key: draw(_WORDS) for key in keys} | {"seconds": draw(st.floats(0, 30))}
        if draw(st.integers(0, 9)) == 0:
            words |= {key: draw(_VALUES) for key in ("phase", "seconds", "bytes", "status")}
        lines.append(json.dumps({"time": BEGAN + at, "kind": kind, **words}) + "\n")
    if lines:
        lines[-1] = lines[-1][: draw(st.integers(0, len(lines[-1])))]
    return lines


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, abs_tol=1e-6)
