"""The command line, as for the tests of verbs."""

from tests.unit.cli.conftest import run

__all__ = ["run"]
