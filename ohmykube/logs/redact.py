"""Take secrets out of text, line by line. What may be one is taken for one: a report can do without it."""

import re
from collections.abc import Iterable, Iterator

REMOVED = "[removed]"
LINE_MAX = 2**20  # characters; a longer line is left out, for a secret could lie across any cut

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")
# The end of a key whose beginning was cut off before we saw it.
_REST_OF_KEY = re.compile(r"[A-Za-z0-9+/]+={0,2}\s*$")

# A word that ends like this names a secret, in YAML, JSON (also inside a string of JSON), environments and flags.
_NAMES = (
    "password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|"
    "client-key-data|client-certificate-data|certificate-?key|encryption-?key|identity-?token|auth"
)
_NAME = re.compile(rf"(?i)(?:{_NAMES}|pwd|pass)s?$")
_VALUE = r"""(?!\[removed\])(?:\\*"(?:[^"\\]|\\.)*"?|\\*'(?:[^']|'')*'?|\S+)"""
_PATTERNS = (
    # scheme://user:password@host
    (re.compile(r"(?<=://)[^/\s\"'<>]*@"), f"{REMOVED}@"),
    (re.compile(rf"(?i)(authorization\\*[\"']?\s*[:=]\s*)(?:[\w-]+\s+)?{_VALUE}"), rf"\1{REMOVED}"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{6,}"), rf"\1{REMOVED}"),
    # A key of YAML has its whole line for its value.
    (
        re.compile(rf"(?i)^(\s*(?:- +)?[\w.-]*(?:{_NAMES}):\s+)(?!\[removed\]|(?:true|false|null)\b|[|>])\S.*"),
        rf"\1{REMOVED}",
    ),
    (re.compile(rf"(?i)((?:{_NAMES})\\*[\"']?\s*[:=]\s*)(?!(?:true|false|null)\b){_VALUE}"), rf"\1{REMOVED}"),
    (re.compile(rf"(?i)((?<![\w-])--?[\w-]{{0,60}}(?:{_NAMES})\s+)(?!-){_VALUE}"), rf"\1{REMOVED}"),
    # kubeadm's bootstrap tokens, JSON web tokens, and those of GitHub, GitLab and AWS
    (re.compile(r"(?<![A-Za-z0-9])[a-z0-9]{6}\.[a-z0-9]{16}(?![A-Za-z0-9])"), REMOVED),
    (re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*"), REMOVED),
    (re.compile(r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|AKIA[0-9A-Z]{16})"), REMOVED),
    # Whatever begins with -----BEGIN in base64, or is as long as the lines of a key; sums are in hex and stay.
    (re.compile(r"LS0tLS1CRUdJTi[\w+/=]*"), REMOVED),
    (
        re.compile(
            r"(?<![A-Za-z0-9+/=])(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])[A-Za-z0-9+/]{60,}={0,2}(?![A-Za-z0-9+/])"
        ),
        REMOVED,
    ),
)


def lines(source: Iterable[str]) -> Iterator[str]:
    """The same lines without secrets. source: lines with their ends."""
    held = ""  # the last line, which may turn out to be the rest of a key
    inside = False
    for line in source:
        if inside:
            ended = _END.search(line)
            if not ended:
                continue
            inside, line = False, line[ended.end() :]
        elif _END.search(line) and not _BEGIN.search(line):
            held = _REST_OF_KEY.sub(f"{REMOVED}\n", held)
        text, inside = _without_keys(line)
        yield from [held] if held else []
        held = _without_values(text)
    yield from [held] if held else []


def text(whole: str) -> str:
    return "".join(lines(whole.splitlines(keepends=True)))


def names_a_secret(word: str) -> bool:
    """Whether the value that goes by this name is one."""
    return _NAME.search(word) is not None


def _without_keys(line: str) -> tuple[str, bool]:
    """Private keys that lie within the line go; and whether one goes on in the next."""
    while begun := _BEGIN.search(line):
        ended = _END.search(line, begun.end())
        if not ended:
            return f"{line[: begun.start()]}{REMOVED}\n", True
        line = f"{line[: begun.start()]}{REMOVED}{line[ended.end() :]}"
    return line, False


def _without_values(line: str) -> str:
    if len(line) > LINE_MAX:
        return "[a line that was too long to be searched for secrets]\n"
    for pattern, replacement in _PATTERNS:
        line = pattern.sub(replacement, line)
    return line
