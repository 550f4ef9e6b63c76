"""A node in memory: a root folder, and commands answered by a table."""

from collections.abc import Callable
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host

Answer = str | Completed | Callable[[list[str]], str | Completed]


class Node:
    """Commands are matched by the words they contain, first match first; every call is kept."""

    def __init__(self, root: Path) -> None:
        self.answers: list[tuple[tuple[str, ...], Answer]] = []
        self.calls: list[list[str]] = []
        self.host = Host(root=root, run=self._run, release="6.1")

    def on(self, *words: str, say: Answer) -> "Node":
        self.answers.insert(0, (words, say))
        return self

    def write(self, path: str, text: str = "") -> None:
        target = self.host.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def called(self, *words: str) -> list[list[str]]:
        return [call for call in self.calls if all(word in call for word in words)]

    def _run(self, argv, timeout):
        assert timeout > 0
        call = list(argv)
        self.calls.append(call)
        for words, answer in self.answers:
            if all(word in call for word in words):
                said = answer(call) if callable(answer) else answer
                return said if isinstance(said, Completed) else Completed(0, said)
        return Completed(0)
