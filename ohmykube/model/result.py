"""What a verb returns. `cli/output.py` alone turns it into words."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ohmykube.errors import ErrorGroup, OhmykubeError


@dataclass(frozen=True)
class Result:
    """`data` is what `-o json` prints; `text`, where given, is what a person reads instead of a table of `data`.

    columns: for a list of rows in `data`: which keys the table shows, in order.
    """

    command: str
    data: Any = None
    text: str | None = None
    columns: tuple[str, ...] = ()
    status: Literal["ok", "partial", "error"] = "ok"
    errors: tuple[OhmykubeError, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        if self.status == "ok":
            return 0
        return 3 if self.status == "partial" else max((error.exit_code for error in self.errors), default=1)

    @classmethod
    def failed(cls, command: str, error: OhmykubeError) -> "Result":
        """The result of a verb that raised."""
        errors = error.errors if isinstance(error, ErrorGroup) else [error]
        status: Literal["partial", "error"] = "partial" if error.exit_code == 3 else "error"
        return cls(command=command, status=status, errors=tuple(errors))

    def as_dict(self) -> dict[str, Any]:
        """The one object of `-o json`; scripts rely on its shape."""
        return {
            "apiVersion": "ohmykube.dev/v1",
            "command": self.command,
            "status": self.status,
            "data": self.data,
            "errors": [error.as_dict() for error in self.errors],
        }


def plain(entry: Any) -> dict[str, Any]:
    """A frozen value as data that JSON has: tuples become lists, paths strings."""
    return {
        key: list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
        for key, value in asdict(entry).items()
    }
