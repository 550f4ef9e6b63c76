"""What the shell offers behind a flag or verb. Nothing is imported before it is asked for, and no machine is."""

from typing import Any

import click


def clusters(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from ohmykube.store.home import Home

    return [folder.name for folder in Home.from_environment().clusters() if folder.name.startswith(incomplete)]


def nodes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """As they were seen last, of the cluster that is meant."""
    from ohmykube.errors import OhmykubeError
    from ohmykube.store.home import Home

    home, taken = Home.from_environment(), _words(ctx.params.get("nodes"))
    name = ctx.params.get("name") or ctx.find_root().params.get("name") or home.current() or "ohmykube"
    try:
        state = home.cluster(name).read_state()
    except OhmykubeError:
        return []
    known = [machine.name for machine in state.machines] if state else []
    return [node for node in known if node.startswith(incomplete) and node not in taken]


def runs(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Recorded ones of the cluster that is meant, and their verbs."""
    from ohmykube.report.record import FILE
    from ohmykube.store.home import Home

    home = Home.from_environment()
    name = ctx.params.get("name") or ctx.find_root().params.get("name") or home.current() or "ohmykube"
    names = [path.name for path in home.cluster(name).runs(FILE)]
    verbs = sorted({each.partition("-")[2] for each in names})
    return [word for word in (*verbs, *names) if word.startswith(incomplete)]


def profiles(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from ohmykube.store.home import Home

    files = Home.from_environment().profiles.glob("*.yaml")
    return sorted(file.stem for file in files if file.stem.startswith(incomplete))


def versions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Of Kubernetes, as the catalogue has them."""
    from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue

    return [version for version in Catalogue.load(()).versions("kubeadm") if version.startswith(incomplete)]


def addons(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Those that are built in, and folders."""
    from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import builtin
    from click.shell_completion import CompletionItem

    taken = _words(ctx.params.get("names"))
    found = [name for name in builtin() if name.startswith(incomplete) and name not in taken]
    return found or [CompletionItem(incomplete, type="dir")]


def enabled_addons(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """As the cluster that is meant has them."""
    from ohmykube.errors import OhmykubeError
    from ohmykube.store.home import Home

    home, taken = Home.from_environment(), _words(ctx.params.get("names"))
    name = ctx.params.get("name") or ctx.find_root().params.get("name") or home.current() or "ohmykube"
    try:
        state = home.cluster(name).read_state()
    except OhmykubeError:
        return []
    return [each for each in (state.addons if state else ()) if each.startswith(incomplete) and each not in taken]


def _words(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
