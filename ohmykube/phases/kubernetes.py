"""Turn machines into a cluster: one run of the collection's playbook, which asks every node what it still needs."""

from dataclasses import replace
from datetime import UTC, datetime

from ohmykube.phases.base import Context
from ohmykube.phases.watch import watching


class InstallKubernetes:
    title = "Kubernetes"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """The playbook's last task returns only when the API server calls every node Ready."""
        with watching(context) as stop:
            context.play(self.title, "site", stop=stop)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        context.state = replace(context.state, ready=now, adding=(), addons=context.cluster.addon_names)
        context.folder.write_state(context.state)
