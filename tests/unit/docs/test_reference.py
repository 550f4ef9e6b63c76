"""The generated pages: nothing that there is may be missing from them, and none of them is kept."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from ohmykube.cli import VERBS, cli
from ohmykube.cli.man import roff
from ohmykube.cli.pages import EXIT_CODES, pages
from ohmykube.model.schema import schema
from reference import errors, generated, plugins, roles
from tests.unit.docs.blocks import COLLECTION, DOCUMENTS, TOP, inline, misnamed, wrong

SAID = re.compile(r"(?:OhmykubeError|Finding)\(\s*(?:code=)?\"([^\"]+)\"")


@pytest.fixture(scope="module")
def made():
    return generated()


def commands(command=cli, path=("ohmykube",)):
    """Every command there is, found by another walk than that of the pages."""
    yield path, command
    ctx = click.Context(command)
    for name in command.list_commands(ctx) if isinstance(command, click.Group) else ():
        below = command.get_command(ctx, name)
        yield from [] if below.hidden else commands(below, (*path, name))


def has(text, word):
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)


def test_every_verb_flag_and_argument_is_on_both_kinds_of_page(made):
    told, found = {page.path: page for page in pages()}, dict(commands())
    common = {param.name for param in cli.params}
    assert list(told) == list(found)
    assert {path[1] for path in found if len(path) == 2} == set(VERBS)
    for path, command in found.items():
        manual, markdown = roff(told[path]).replace("\\-", "-"), made[f"reference/verbs/{'-'.join(path)}.md"]
        for param in command.params:
            if isinstance(param, click.Argument):
                words = [param.make_metavar(click.Context(command))]
            else:
                words = param.opts if param.name not in common or command is cli else []
            assert all(word in manual and word in markdown for word in words), (path, words)
            assert all(has(manual, word) and has(markdown, word) for word in words if word[0] == "-"), (path, words)
        if not isinstance(command, click.Group):
            assert ".SS Examples" in manual, path
            assert "## Examples" in markdown, path
        assert all(f"\n.B {code}\n" in manual for code in EXIT_CODES)


def test_man_writes_pages_that_man_reads(run, tmp_path):
    code, out, err = run("man", tmp_path / "man1")
    written = sorted(path.name for path in (tmp_path / "man1").iterdir())
    assert (code, err) == (0, "")
    assert f"{len(written)} pages" in out
    assert written == sorted(f"{'-'.join(path)}.1" for path, _ in commands())
    if groff := shutil.which("groff"):
        argv = [groff, "-man", "-Tutf8", "-Kutf8", "-ww", *sorted(map(str, (tmp_path / "man1").iterdir()))]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == ""
        assert "ohmykube config show -f dev.yaml --workers 5" in re.sub(r"\x1b\[\d*m", "", done.stdout)


def test_man_says_where_it_cannot_write(run, tmp_path):
    (tmp_path / "file").touch()
    code, _, err = run("man", tmp_path / "file" / "man1")
    assert code == 1
    assert "[man.unwritable]" in err


def test_every_key_of_the_cluster_file_is_told(made):
    page = made["reference/cluster-file.md"]
    for name, part in schema()["$defs"].items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert all(f"| `{key}` |" in section for key in part["properties"])


def test_every_variable_of_every_role_is_told(made):
    names = {path.name for path in (COLLECTION / "roles").iterdir()}
    assert {f"reference/roles/{name}.md" for name in (*names, "index")} == set(roles.pages())
    for name in names:
        page = made[f"reference/roles/{name}.md"]
        variables = yaml.safe_load((COLLECTION / "roles" / name / "defaults/main.yml").read_text())
        assert all(f"| `{variable}` |" in page for variable in variables), name


def test_every_option_of_every_module_is_told(made):
    files = {f"{kind}-{path.stem}" for kind in ("lookup", "inventory") for path in files_of(kind)}
    files |= {f"module-{path.stem}" for path in files_of("modules")}
    told = {Path(place).stem for place in made if place.startswith("reference/plugins/")}
    assert files <= told
    assert {name for name in told if name.startswith("filter-")} == {
        f"filter-{path.stem}" for path in files_of("filter")
    }
    for path in files_of("modules"):
        arguments = re.findall(r'^    "(\w+)": \{', path.read_text().partition("ARGUMENTS = {")[2], re.MULTILINE)
        page = made[f"reference/plugins/module-{path.stem}.md"]
        assert all(f"| `{name}` |" in page for name in arguments), path


def files_of(kind):
    return sorted((COLLECTION / "plugins" / kind).glob("*.py"))


def test_every_code_of_the_source_is_told_with_what_is_said(made):
    page = made["troubleshooting.md"]
    sources = [path.read_text() for source in errors.SOURCES for path in source.rglob("*.py")]
    codes = {code for text in sources for code in SAID.findall(text)}
    assert len(codes) > 150
    assert [code for code in sorted(codes) if f"| `{code}` |" not in page] == []
    assert "| `cluster.unknown` | there is no cluster … | `ohmykube up` makes one |" in page


def test_documents_speak_of_codes_that_there_are():
    known = [re.compile(re.escape(code).replace("\\*", ".+")) for code in errors.codes()]
    said = re.findall(r"^\| (`[a-z*-]+[`.][^|]*) \|", (TOP / "docs/doctor.md").read_text(), re.MULTILINE)
    codes = [code for cell in said for code in re.findall(r"`([^`]+)`", cell)]
    assert len(codes) > 40
    for code in codes:
        samples = [code.replace("*", word) for word in ("ends", "unknown", "failed", "host.unknown", "no-end")]
        assert any(each.fullmatch(sample) for each in known for sample in samples), code


def test_hints_name_commands_that_there_are():
    lines = [line for told in errors.codes().values() for hint in told.hints for line in inline(hint)]
    assert len(lines) > 50
    assert [(line, why) for line in lines if (why := wrong(line.split()[1:]))] == []


def test_commands_in_the_middle_of_a_sentence_are_ones_that_there_are(made):
    assert sum(1 for text in made.values() for _ in inline(text)) > 50
    assert misnamed(made) == []


def test_nothing_generated_is_kept(made):
    assert not [place for place in made if (TOP / "docs" / place).exists()]
    assert plugins.TITLES.keys() == {"module", "filter", "lookup", "inventory"}
    assert len(DOCUMENTS) > 20
