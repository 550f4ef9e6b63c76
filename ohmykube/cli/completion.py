"""completion: what a shell needs to complete our words."""

import click
from click.shell_completion import get_completion_class

from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.model.result import Result


@click.command(
    "completion",
    cls=Verb,
    epilog="""\b
Examples:
  source <(ohmykube completion bash)                    for this shell
  echo 'source <(ohmykube completion bash)' >> ~/.bashrc
  echo 'source <(ohmykube completion zsh)' >> ~/.zshrc
  ohmykube completion fish > ~/.config/fish/completions/ohmykube.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion_command(session: Session, /, shell: str) -> Result:  # noqa: ARG001 - as every verb
    """Print a shell's completion: verbs, flags, names of clusters and nodes, versions."""
    from ohmykube.cli import cli

    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - of click's own
    script = made(cli, {}, "ohmykube", "_OHMYKUBE_COMPLETE").source()
    return Result("completion", {"shell": shell, "script": script}, text=script)
