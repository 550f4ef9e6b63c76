# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The one error type of the project: what failed, where, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping


class OhmykubeError(Exception):
    """A failure that a person can act on.

    code: stable, dotted, lower-case (`catalogue.missing`); scripts match on it.
    message: one sentence: what failed, and where.
    hint: what to do or type next; may be empty.
    context: details by name (`path`, `node`, `command`, `output`); values are text and hold no secret.
    exit_code: 1 failed, 2 wrong usage or configuration, 3 partly done.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        context: Mapping[str, object] | None = None,
        exit_code: int = 1,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.context = {key: str(value) for key, value in (context or {}).items()}
        self.exit_code = exit_code

    def as_dict(self) -> dict[str, object]:
        """The form of `errors[]` in `-o json`."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "context": self.context}


class ErrorGroup(OhmykubeError):
    """Several problems found at once: a preflight or a validation reports all of them together.

    errors: at least one. The group's exit code is the highest of theirs.
    """

    def __init__(self, errors: list[OhmykubeError]) -> None:
        first = errors[0]
        message = first.message if len(errors) == 1 else f"{len(errors)} problems: {first.message} …"
        super().__init__(
            first.code,
            message,
            hint=first.hint,
            context=first.context,
            exit_code=max(error.exit_code for error in errors),
        )
        self.errors = errors


def raise_all(errors: list[OhmykubeError]) -> None:
    """Raise what was collected: nothing, the one error, or the group."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ErrorGroup(errors)


def each(error: OhmykubeError) -> list[OhmykubeError]:
    """What was found, where it may be several."""
    return error.errors if isinstance(error, ErrorGroup) else [error]


def in_words(error: OhmykubeError) -> str:
    """All of it, a line each, for those who show text alone."""
    return "\n".join(f"{one.message} ({one.hint})" if one.hint else one.message for one in each(error))
