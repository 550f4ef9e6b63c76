"""An API server in memory, spoken to by kubectl's command line."""

import json
from collections.abc import Sequence
from pathlib import Path

import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import kind
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import ADMIN, Kubectl


class Api:
    """deleted: in the order of time. unready: names that do not become ready. unknown: kinds that there are not.

    holding: names that stay when they are deleted.
    """

    def __init__(self, root: Path) -> None:
        self.items: dict[tuple, dict] = {}
        self.calls: list[list[str]] = []
        self.deleted: list[str] = []
        self.unready: set[str] = set()
        self.unknown: set[str] = set()
        self.holding: set[str] = set()
        self.time = 0
        self.kubectl = Kubectl(Host(root=root, run=self._run, release="6.1"))
        (root / ADMIN.lstrip("/")).parent.mkdir(parents=True)
        (root / ADMIN.lstrip("/")).touch()

    def add(self, item: dict) -> None:
        self.items[self._key(item)] = item

    def names(self) -> list[str]:
        return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in self.items.values())

    @staticmethod
    def _key(item: dict) -> tuple:
        return kind(item), item["metadata"].get("namespace"), item["metadata"]["name"]

    def _run(self, argv: Sequence[str], timeout: float) -> Completed:
        words = [word for word in argv[argv.index("kubectl") + 1 :] if not word.startswith(("--kubeconfig", "--cache"))]
        self.calls.append(words)
        verb, *rest = [word for word in words if not word.startswith("-")]
        options = dict(word.lstrip("-").partition("=")[::2] for word in words if word.startswith("-"))
        if "filename" in options:
            text = Path(options["filename"]).read_text()
            given = [item for item in yaml.safe_load_all(text) if item]
            given = [inner for item in given for inner in (item["items"] if item["kind"] == "List" else [item])]
            return getattr(self, f"_{verb}")(given, options)
        return self._get_kinds(rest[0].split(","), rest[1:], options)

    def _get(self, given: list[dict], options: dict) -> Completed:
        return self._said([self.items[self._key(item)] for item in given if self._key(item) in self.items])

    def _apply(self, given: list[dict], options: dict) -> Completed:
        dry, said = "dry-run" in options, []
        for item in given:
            before = self.items.get(self._key(item))
            self.time += 1
            made = json.loads(json.dumps(item))
            stamp = {"manager": "ohmykube", "time": str(self.time), "content": json.dumps(item, sort_keys=True)}
            if before and before["metadata"]["managedFields"][0]["content"] == stamp["content"]:
                stamp = before["metadata"]["managedFields"][0]
            made["metadata"]["managedFields"] = [stamp]
            self._live(made)
            said.append(made)
            if not dry:
                self.items[self._key(item)] = made
        return self._said(said)

    def _create(self, given: list[dict], options: dict) -> Completed:
        (item,) = given
        if self._key(item) in self.items:
            return Completed(1, "", "Error from server (AlreadyExists): it is there")
        self.add(item)
        return Completed(0, "secret/made")

    def _live(self, item: dict) -> None:
        good = item["metadata"]["name"] not in self.unready
        item["metadata"]["generation"] = 1
        item["status"] = {"observedGeneration": 1, "availableReplicas": int(good)}
        if item["kind"] == "Deployment":
            item.setdefault("spec", {}).setdefault("replicas", 1)
        types = ("Available", "Established", "Complete")
        item["status"]["conditions"] = [{"type": each, "status": str(good), "message": "why not"} for each in types]

    def _delete(self, given: list[dict], options: dict) -> Completed:
        for item in given:
            self.deleted.append(f"{item['kind']}/{item['metadata']['name']}")
            if item["metadata"]["name"] not in self.holding:
                self.items.pop(self._key(item), None)
        return Completed(0)

    def _get_kinds(self, kinds: list[str], names: list[str], options: dict) -> Completed:
        for asked in kinds:
            if asked in self.unknown:
                return Completed(1, "", f'error: the server doesn\'t have a resource type "{asked.partition(".")[0]}"')
        key, _, values = options.get("selector", "").partition(" in ")
        found = []
        for item in self.items.values():
            labels = item["metadata"].get("labels", {})
            called = [kind(item), "configmaps" if item["kind"] == "ConfigMap" else ""]
            fits = not key or (labels.get(key) in values.strip("()").split(",") if values else key in labels)
            if set(called) & set(kinds) and fits and (not names or item["metadata"]["name"] in names):
                found.append(item)
        return self._said(found)

    @staticmethod
    def _said(items: list[dict]) -> Completed:
        return Completed(0, json.dumps({"kind": "List", "items": items}))
