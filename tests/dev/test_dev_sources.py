"""Where the workers' code comes from, and how its changes are noticed."""

import sys
from pathlib import Path

import anyio
import pytest

from anyworker.dev.messages import Sources
from anyworker.dev.sources import sources_of, sources_of_failure
from anyworker.dev.watching import Watcher
from anyworker.errors import WorkerImportError
from anyworker.fleet.discovery.loader import load


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory whose modules are forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "devshop" / "deep").mkdir(parents=True)
    for package in ("devshop", "devshop/deep"):
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "devshop" / "deep" / "words.py").write_text("")
    (tmp_path / "devspace" / "inner").mkdir(parents=True)
    (tmp_path / "devspace" / "inner" / "code.py").write_text("")
    (tmp_path / "devlone.py").write_text("")
    return tmp_path


def new_sources(before: set[str]) -> Sources:
    return sources_of({name: module for name, module in sys.modules.items() if name not in before})


def test_lone_modules_count_by_file_and_packages_by_directory(project: Path) -> None:
    before = set(sys.modules)
    for target in ("devlone.py", "devshop.deep.words", "devspace.inner.code"):
        load(target)
    found = new_sources(before)
    assert found.files == {str(project / "devlone.py")}
    assert found.packages == {str(project / "devshop"), str(project / "devspace")}


def test_installed_code_and_anyworker_do_not_count() -> None:
    import hypothesis

    import anyworker.dev.board

    chosen = {name: sys.modules[name] for name in ("anyworker.dev.board", "hypothesis", "json", "sys")}
    assert hypothesis and anyworker.dev.board  # noqa: PT018 - imported for their entries
    assert sources_of(chosen) == Sources()


@pytest.mark.parametrize("text", ["def (", "import devlone_that_is_not", "1 / 0", "import devbroken"])
def test_code_that_cannot_be_imported_is_watched_all_the_same(text: str, project: Path) -> None:
    (project / "devbroken.py").write_text("def (")
    (project / "devtarget.py").write_text(f"import devlone\n{text}\n")
    with pytest.raises(WorkerImportError) as caught:
        load("devtarget.py")
    found = sources_of_failure(["devtarget.py"], caught.value)
    assert str(project / "devtarget.py") in found.files
    if "devbroken" in text:
        assert str(project / "devbroken.py") in found.files


def test_target_in_a_package_is_watched_with_its_package(project: Path) -> None:
    (project / "devshop" / "deep" / "words.py").write_text("def (")
    with pytest.raises(WorkerImportError) as caught:
        load("devshop/deep/words.py")
    for targets in (["devshop/deep/words.py"], ["devshop.deep.words"]):
        assert str(project / "devshop") in sources_of_failure(targets, caught.value).packages


@pytest.mark.blocking
async def test_only_what_is_watched_is_told(project: Path) -> None:
    send, told = anyio.create_memory_object_stream[list[str]](10)
    sources = Sources(frozenset({str(project / "devlone.py")}), frozenset({str(project / "devshop")}))
    with send, told, anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            watcher = Watcher(tasks, send.send_nowait)
            watcher.watch(sources)
            await anyio.wait_all_tasks_blocked()
            write(project / "other.py", project / "devshop" / "notes.txt", project / "devlone.py")
            assert await told.receive() == [str(project / "devlone.py")]
            write(project / "devshop" / "deep" / "new.py")
            assert await told.receive() == [str(project / "devshop" / "deep" / "new.py")]
            watcher.watch(sources, is_any_welcome=True)
            write(project / "missing.py")
            assert await told.receive() == [str(project / "missing.py")]
            watcher.stop()


def write(*paths: Path) -> None:
    for path in paths:
        path.write_text("x = 1\n")
