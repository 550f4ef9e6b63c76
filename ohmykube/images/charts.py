"""The images of a Helm chart: what `helm template` renders says which."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.helm import unpacked
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

from ohmykube.errors import OhmykubeError

_RENDER_TIMEOUT = 120  # seconds; a chart that is not on this computer is fetched first


def chart_images(helm: Path, chart: str, values: Sequence[Path], kubernetes: str) -> list[str]:
    """In order, each once. chart: whatever helm takes. kubernetes: the version that the chart is told it runs on.

    Raises OhmykubeError `chart.failed` with helm's own words.
    """
    argv = [str(helm), "template", "images", chart, "--skip-tests", "--kube-version", kubernetes]
    for file in values:
        argv += ["--values", str(file)]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_RENDER_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(chart, f"helm was not done within {_RENDER_TIMEOUT} s") from error
    if done.returncode:
        raise _failed(chart, done.stderr.strip() or "helm gave no reason")
    return workload_images(done.stdout, chart)


def refuse_remote(names: Sequence[str]) -> None:
    """For --offline: helm would go and fetch them. Raises OhmykubeError `chart.offline` with all of them."""
    remote = [name for name in names if not Path(name).exists()]
    if remote:
        raise OhmykubeError(
            "chart.offline",
            f"{', '.join(remote)}: no such file or folder, and nothing may be fetched.",
            hint="Leave out --offline, or bring the chart as a folder or .tgz.",
            context={"charts": " ".join(remote)},
        )


def find_helm(tools: Path, fetch: Callable[[], Path]) -> Path:
    """The person's own helm, which knows their repositories, else that of the catalogue, unpacked once below `tools`.

    fetch: gives the catalogue's package.
    """
    installed = shutil.which("helm")
    return Path(installed) if installed else unpacked(fetch(), tools)


def _failed(chart: str, words: str) -> OhmykubeError:
    hint = f"`helm template {chart}` shows the same; values that it needs: --values FILE"
    if "dependenc" in words:
        hint = f"`helm dependency build {chart}` brings the charts that it is made from"
    return OhmykubeError(
        "chart.failed", f"helm cannot render {chart}: {words}", hint=hint, context={"chart": chart, "output": words}
    )
