"""What is published: the wheel carries the collection, the collection its roles, and neither needs a checkout."""

import site
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
COLLECTION = TOP / "collections/ansible_collections/ohmykube/cluster"
ROLES = sorted(path.name for path in (COLLECTION / "roles").iterdir() if path.is_dir())
LEFT_OUT = ("__pycache__", "tests/output")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(folder),
            str(TOP),
        ]
    )
    (made,) = folder.glob("ohmykube-*.whl")
    return made


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_carries_the_collection(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = "ohmykube/_ansible/collections/ansible_collections/ohmykube/cluster"
    assert "ohmykube/report/template/page.html.j2" in names
    assert f"{inside}/galaxy.yml" in names
    assert f"{inside}/catalogue/catalogue.yml" in names
    for role in ROLES:
        assert f"{inside}/roles/{role}/defaults/main.yml" in names
    assert not [name for name in names if any(part in name for part in LEFT_OUT)]


def test_an_installed_wheel_finds_its_collection(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    python = environment / "bin/python"
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    _run([sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    (packages,) = environment.glob("lib/python3.*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    script = (
        "import ohmykube, ohmykube.errors\n"
        "from ansible_collections.ohmykube.cluster.plugins.module_utils import errors\n"
        "print(ohmykube.COLLECTIONS, errors.__file__, sep='\\n')"
    )

    collections, errors = map(Path, _run([str(python), "-c", script], cwd=tmp_path).splitlines())

    assert collections.is_relative_to(packages)
    assert errors.is_relative_to(collections)
    assert (collections / "ansible_collections/ohmykube/cluster/playbooks/site.yml").is_file()
    assert "up" in _run([str(environment / "bin/ohmykube"), "--help"], cwd=tmp_path)


def test_the_collection_is_built_with_its_roles(tmp_path: Path) -> None:
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    _run([str(galaxy), "collection", "build", "--output-path", str(tmp_path), str(COLLECTION)])
    (made,) = tmp_path.glob("ohmykube-cluster-*.tar.gz")
    with tarfile.open(made) as archive:
        names = archive.getnames()
    for role in ROLES:
        assert f"roles/{role}/tasks/main.yml" in names
    assert "playbooks/site.yml" in names
    assert not [name for name in names if any(part in name for part in LEFT_OUT)]


def test_every_role_is_found_from_the_top_of_a_checkout() -> None:
    links = {path.name: path for path in (TOP / "roles").iterdir()}
    assert set(links) == {*ROLES, *(name.replace("_", "-") for name in ROLES)}
    assert all(path.is_symlink() and path.resolve().parent == COLLECTION / "roles" for path in links.values())
    assert (TOP / "playbooks").resolve() == COLLECTION / "playbooks"
