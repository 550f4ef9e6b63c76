"""status for a person: what is wrong stands out, all else is calm, and 80 columns are enough."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from ohmykube.cli.output import table

_LABEL = 14  # columns of what stands before a line
_SOON = 30  # days
_COLUMNS = ("name", "role", "machine", "address", "node", "version")
_Data = Mapping[str, Any]


def text(data: _Data, width: int = 0) -> str:
    """width: columns that there are; 0 where it does not matter."""
    return "\n".join([_head(data), *_problems(data), "", _nodes(data, width), *_room(data, width), "", *_lines(data)])


def _head(data: _Data) -> str:
    word = click.style("ready", fg="green") if data["ready"] else click.style("not ready", fg="red")
    return f"{data['name']}: {word}. Kubernetes {data['kubernetesVersion']}, provider {data['provider']}"


def _problems(data: _Data) -> Iterator[str]:
    if data["problem"]:
        yield click.style(data["problem"], fg="red")
    yield from (click.style(f"{row['name']}: {row['detail']}", fg="red") for row in data["nodes"] if row["detail"])
    yield from (click.style(words, fg="yellow") for words in data["warnings"])


def _nodes(data: _Data, width: int) -> str:
    """Where there is no room for all, names tell of roles, and the head of versions."""

    def paint(column: str, cell: str) -> str | None:
        if column not in ("machine", "node"):
            return None
        return "green" if cell in ("running", "Ready") else "yellow" if cell.startswith("Ready,") else "red"

    rows = [{**row, "node": row["node"].replace("SchedulingDisabled", "cordoned")} for row in data["nodes"]]
    return _fitting(rows, (_COLUMNS, _without("role"), _without("role", "version")), width, paint)


def _without(*names: str) -> tuple[str, ...]:
    return tuple(column for column in _COLUMNS if column not in names)


def _fitting(rows: Sequence[_Data], choices: Sequence[Sequence[str]], width: int, paint: Any = lambda *_: None) -> str:
    """With the first columns of the choices that there is room for, else with the last."""
    made = ""
    for columns in choices:
        made = table(rows, columns, paint)
        if not width or max(len(click.unstyle(line)) for line in made.splitlines()) <= width:
            break
    return made


def _room(data: _Data, width: int) -> Iterator[str]:
    """Names are short here: the table above has them in full."""
    rows = [
        {
            "node": row["name"].removeprefix(f"{data['name']}-"),
            "cpu asked": _part(row["cpu"], _cpus),
            "cpu used": _cpus(row["cpu"]["used"]),
            "memory asked": _part(row["memory"], _memory),
            "memory used": _memory(row["memory"]["used"]),
            "pods": f"{row['pods']['running']}/{row['pods']['allocatable']}",
        }
        for row in data["nodes"]
        if row["cpu"]
    ]
    if rows:
        yield ""
        all_columns = tuple(rows[0])
        yield _fitting(rows, (all_columns, tuple(column for column in all_columns if "used" not in column)), width)


def _part(amount: _Data, words: Any) -> str:
    whole, asked = amount["allocatable"], amount["requested"]
    return f"{words(asked)}/{words(whole)} {asked / whole:.0%}" if whole else words(asked)


def _cpus(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}".rstrip("0").rstrip(".")


def _memory(size: float | None) -> str:
    """As Kubernetes writes it."""
    if size is None:
        return "-"
    return f"{size / 2**30:.1f}Gi" if size >= 2**30 else f"{size / 2**20:.0f}Mi"


def _lines(data: _Data) -> Iterator[str]:
    endpoints = data["endpoints"]
    yield _labelled("API server", endpoints["api"] or "-")
    yield _labelled("kubeconfig", endpoints["kubeconfig"] or "-")
    if not data["problem"]:
        yield from _addons(data["addons"])
        yield from _balancers(endpoints["loadBalancers"])
    yield _labelled("certificates", _certificate(data["certificate"]))


def _addons(addons: list[_Data]) -> Iterator[str]:
    good = [each["name"] for each in addons if each["available"]]
    bad = [click.style(f"{each['name']}: {each['detail']}", fg="red") for each in addons if not each["available"]]
    available = [f"{', '.join(good)}: {click.style('available', fg='green')}"] if good else []
    yield from _several("add-ons", available + bad)


def _balancers(services: list[_Data]) -> Iterator[str]:
    lines = []
    for each in services:
        places = ", ".join(f"{address}:{port}" for address in each["addresses"] for port in each["ports"])
        words = places or click.style("no address yet", fg="yellow")
        lines.append(f"{each['namespace']}/{each['name']}  {words}")
    yield from _several("balancers", lines)


def _certificate(first: _Data | None) -> str:
    if first is None:
        return "-"
    day, where = first["ends"][:10], f"{first['path']} of {first['where']}"
    days = f"{first['days']} day{'' if first['days'] == 1 else 's'}"
    if first["days"] < 0:
        return click.style(f"one ended on {day}: {where}", fg="red")
    if first["days"] < _SOON:
        return click.style(f"one ends on {day}, in {days}: {where}", fg="yellow")
    return f"good until {day}, {days}"


def _several(label: str, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines or ["-"]):
        yield _labelled("" if number else label, line)


def _labelled(label: str, words: str) -> str:
    return f"{label.ljust(_LABEL)}{words}"
