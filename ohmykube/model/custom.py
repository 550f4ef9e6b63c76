"""What users add to nodes: files, and scripts (hooks) that run there once."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.places import refusal
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import script_sum
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from ohmykube.model.base import STRICT

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_MODE = re.compile(r"0?[0-7]{3,4}")
_OWNER = re.compile(r"[a-zA-Z_][-a-zA-Z0-9_.]*|[0-9]+")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a hook: use lower-case letters, digits and '-', at most 40 in all")
    return name


def _check_path(path: str) -> str:
    if words := refusal(path):
        raise ValueError(f"{path} {words}")
    return path


def _check_mode(mode: object) -> str:
    """YAML takes 0644 for the number 420, so that only a text says what was meant."""
    if not isinstance(mode, str):
        raise ValueError('a mode without quotes is another number to YAML: write it like mode: "0644"')  # noqa: TRY004
    if mode and not _MODE.fullmatch(mode):
        raise ValueError(f'{mode!r} is no mode in octal digits, like "0644"')
    return mode


def _check_owner(owner: object) -> str:
    text = str(owner) if isinstance(owner, int) and not isinstance(owner, bool) else owner
    if not isinstance(text, str) or (text and not _OWNER.fullmatch(text)):
        raise ValueError(f"{owner!r} is neither the name nor the number of a user or group")
    return text


Mode = Annotated[str, BeforeValidator(_check_mode)]
Owner = Annotated[str, BeforeValidator(_check_owner)]


class _Model(BaseModel):
    model_config = STRICT


class Hook(_Model):
    """A script: its text, or a file of this computer. timeout: seconds. sum: of what `file` holds, filled in."""

    name: Annotated[str, AfterValidator(_check_name)] = Field(description="A node knows it by moment and name.")
    script: str = Field("", description="Its text, or")
    file: str = Field("", description="a file of this computer.")
    timeout: int = Field(600, ge=1, le=86400, description="Seconds that it may take.")
    sum: str = ""

    @model_validator(mode="after")
    def _one_text(self) -> "Hook":
        if bool(self.script) == bool(self.file):
            raise ValueError("a hook has either a script, which is its text, or a file")
        return self

    @property
    def identity(self) -> str:
        """A node runs it once more when this has changed."""
        return self.sum or script_sum(self.script)


class Hooks(_Model):
    """By when they run: before and after the system is prepared, before kubeadm runs, and when the node has joined."""

    pre_system: tuple[Hook, ...] = Field((), description="Before anything is done; files are there.")
    post_system: tuple[Hook, ...] = Field((), description="When kernel, names and clock are prepared.")
    pre_kubernetes: tuple[Hook, ...] = Field((), description="When containerd runs, before kubeadm does.")
    post_kubernetes: tuple[Hook, ...] = Field((), description="When the node is in the cluster.")

    def moments(self) -> Iterator[tuple[str, tuple[Hook, ...]]]:
        """As the file calls them, in the order of time."""
        for name, field in type(self).model_fields.items():
            yield str(field.alias), getattr(self, name)

    @property
    def seconds(self) -> int:
        """That all of them may take, one after the other."""
        return sum(hook.timeout for _, hooks in self.moments() for hook in hooks)


class NodeFile(_Model):
    """A file with this content, a file or folder of this computer, or a folder. sum: of the source, filled in."""

    path: Annotated[str, AfterValidator(_check_path)] = Field(description="On the node, absolute.")
    content: str | None = Field(None, description="Its text, or")
    source: str = Field("", description="a file or folder of this computer, or")
    directory: bool = Field(False, description="just a folder, whatever is in it.")
    mode: Mode = Field("", description='In quotes, like "0600".')
    owner: Owner = Field("", description="Name or number of a user; root by default.")
    group: Owner = Field("", description="Name or number of a group; root by default.")
    sum: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> "NodeFile":
        if [self.content is not None, bool(self.source), self.directory].count(True) != 1:
            raise ValueError("a file has either content or a source, and a folder directory: true")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """A node places it anew when this has changed."""
        return self.model_dump(exclude={"source"})
