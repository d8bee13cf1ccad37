"""What is released: a wheel and a source distribution, whole, and working where only they are installed."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import anyworker

ROOT = Path(__file__).parents[2]


def ran(*command: object, directory: Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the distributions are: the wheel is built from the source distribution."""
    directory = tmp_path_factory.mktemp("dist")
    ran(sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, ROOT, directory=directory)
    return directory


def test_names_have_the_one_version(built: Path) -> None:
    version = anyworker.__version__
    assert {path.name for path in built.iterdir()} == {
        f"anyworker-{version}.tar.gz",
        f"anyworker-{version}-py3-none-any.whl",
    }


def test_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "anyworker",
        f"anyworker-{anyworker.__version__}.dist-info",
    }
    packaged = {name for name in names if name.startswith("anyworker/")}
    there = [
        path for path in (ROOT / "anyworker").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert packaged == {str(path.relative_to(ROOT)) for path in there}
    assert "anyworker/py.typed" in packaged


def test_source_distribution_has_what_users_read_and_run(built: Path) -> None:
    [source] = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    wanted = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "anyworker", "tests", "examples"}
    assert wanted <= tops
    assert not any(top.startswith(".venv") for top in tops)


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_distribution_works_where_only_it_is_installed(built: Path, kind: str, tmp_path: Path) -> None:
    [distribution] = built.glob(kind)
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--no-input"]
    ran(*pip, "install", "-q", distribution, directory=tmp_path)
    hello = tmp_path / "hello.py"
    hello.write_text((ROOT / "examples" / "hello.py").read_text())
    assert "HELLO ADA!" in ran(python, hello, directory=tmp_path)
    command = tmp_path / "venv" / "bin" / "anyworker"
    assert anyworker.__version__ in ran(command, "--version", directory=tmp_path)
    ran(command, "run", "--help", directory=tmp_path)


def test_changelog_tells_of_the_version_or_of_what_is_to_come() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].strip("# []") == "Unreleased" or anyworker.__version__ in headings[0]
