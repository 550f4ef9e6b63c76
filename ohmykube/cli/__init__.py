"""The command line. Verbs are imported when they are called, so that `--help` and completion stay fast."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from ohmykube.cli import options

# verb: (module below ohmykube.cli, one line of help)
VERBS = {
    "init": ("init", "Write a cluster file to begin with."),
    "up": ("cluster", "Make a cluster, or finish one that was begun."),
    "plan": ("plan", "Show what `up` would do."),
    "down": ("cluster", "Take a cluster away without a trace."),
    "add": ("nodes", "Add nodes to a cluster."),
    "delete": ("nodes", "Take nodes out of a cluster, and their machines away."),
    "stop": ("power", "Switch a cluster's machines off."),
    "start": ("power", "Switch them on again."),
    "list": ("look", "Show all clusters."),
    "status": ("status", "Show one cluster: nodes, add-ons, addresses, room."),
    "shell": ("access", "Open a shell on a node, or run a command there."),
    "kubeconfig": ("access", "Print the cluster's kubeconfig."),
    "switch": ("access", "Choose the cluster that verbs and kubectl speak of."),
    "config": ("config", "Show and check cluster files, and what kubeadm is given."),
    "doctor": ("doctor", "Find what is wrong, and mend it."),
    "logs": ("logs", "Collect all that a bug report needs, without secrets."),
    "report": ("report", "Show what a verb did, and where its time went."),
    "chaos": ("chaos", "Make nodes fail for a while, and heal them."),
    "addon": ("addon", "Add-ons of a cluster: built in, or of your own."),
    "load": ("load", "Bring images of this computer to the nodes."),
    "image": ("image", "Container images kept for clusters."),
    "cache": ("cache", "Packages kept for clusters."),
    "completion": ("completion", "Print what your shell needs to complete our words."),
    "man": ("man", "Write manual pages."),
    "version": ("about", "Show versions of ohmykube and what it installs."),
}
ALIASES = {"ls": "list", "sh": "shell", "download-kubeconfig": "kubeconfig"}


class _Verbs(click.Group):
    """Knows every verb's name and help without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = ALIASES.get(cmd_name, cmd_name)
        if verb not in VERBS:
            return None
        module = importlib.import_module(f"ohmykube.cli.{VERBS[verb][0]}")
        command: click.Command = getattr(module, f"{verb}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, help_line) for verb, (_, help_line) in VERBS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from ohmykube.model.document import nearest

            raise click.UsageError(
                f"{error.message.rstrip('.')}: {nearest(args[0], [*VERBS, *ALIASES])}", ctx
            ) from None


@click.group(
    cls=_Verbs,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`ohmykube VERB --help` shows the flags of a verb, with examples.",
)
@options.common
def cli(**flags: Any) -> None:
    """A real multi-node Kubernetes cluster, made by kubeadm, on machines on your own computer.

    \b
    ohmykube up                     three machines, one cluster
    ohmykube kubeconfig > dev.conf  and kubectl speaks to it
    ohmykube down                   nothing is left
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 3 partly done, 130 interrupted."""
    argv = list(sys.argv[1:] if args is None else args)
    try:
        sys.exit(cli.main(argv, prog_name="ohmykube", standalone_mode=False))
    except click.ClickException as error:
        from ohmykube.cli import output

        sys.exit(output.usage_error(argv, error))
    except click.Abort:
        click.echo("\nnothing was done", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
