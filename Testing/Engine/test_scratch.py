"""Scratch folders go away: at their end, and those of killed processes at the next one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from Patience import PATIENCE_S
from prostreg import folder_lock
from prostreg.errors import InputError
from prostreg.files import complete_file
from prostreg.folder_lock import LOCK_FILE, only_writer
from prostreg.outputs.result_file import write_together
from prostreg.scratch import PREFIX, scratch_folder

STAYING = """
import sys, time
from pathlib import Path
from prostreg.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "half.nrrd").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def staying(beside: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with a scratch folder that it does not leave by itself."""
    command = [sys.executable, "-c", STAYING, str(beside), str(PATIENCE_S)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def hidden(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*"))


def test_nothing_stays_however_it_ends(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "a").write_text("a")
        assert list(folder.iterdir()) == [folder / "a"]
        assert folder.stat().st_dev == tmp_path.stat().st_dev
    assert hidden(tmp_path) == []
    with pytest.raises(KeyError), scratch_folder(tmp_path) as folder:
        raise KeyError(folder)
    assert hidden(tmp_path) == []


def test_a_folder_in_the_place_of_a_file_is_named_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "table.md").mkdir()
    with pytest.raises(IsADirectoryError) as refusal, complete_file(tmp_path / "table.md"):
        raise AssertionError("nothing is to be written")
    assert refusal.value.filename == str(tmp_path / "table.md")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_nobody_else_may_look_into_it(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert folder.parent.stat().st_mode & 0o077 == 0


def test_the_next_one_removes_what_a_killed_process_left_and_nothing_of_the_living(tmp_path: Path) -> None:
    with staying(tmp_path) as (killed, left), staying(tmp_path) as (_, living):
        killed.kill()
        killed.wait(PATIENCE_S)
        assert (left / "half.nrrd").is_file()
        with scratch_folder(tmp_path) as ours:
            assert hidden(tmp_path) == sorted([living.parent, ours.parent])
        assert (living / "half.nrrd").stat().st_size == 1000
        write_together(tmp_path / "case", lambda folder: (folder / "result.json").write_text("{}") and None)
        assert hidden(tmp_path) == [living.parent]


def test_a_folder_taken_for_an_abandoned_one_before_it_is_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, tidied = folder_lock._lock, []

    def another_tidies_first(descriptor: int) -> None:
        if not tidied:
            tidied.extend(hidden(tmp_path))
            with scratch_folder(tmp_path):
                pass
        lock(descriptor)

    monkeypatch.setattr(folder_lock, "_lock", another_tidies_first)
    with scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
        if os.name != "nt":  # Windows lets nobody remove the open file
            assert folder.parent not in tidied
    assert hidden(tmp_path) == []


def test_many_at_once_disturb_each_other_nowhere(tmp_path: Path) -> None:
    def make(_: int) -> None:
        with scratch_folder(tmp_path) as folder:
            (folder / "a").write_text("a")
            assert [path.name for path in folder.iterdir()] == ["a"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(400)))
    assert hidden(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege on Windows")
def test_links_to_somebodys_folder_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "project"
    (theirs / "content").mkdir(parents=True)
    (theirs / "content" / "a.txt").write_text("a")
    (theirs / LOCK_FILE).write_text("not empty")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / f"{PREFIX}link").symlink_to(theirs, target_is_directory=True)
    with scratch_folder(shared):
        pass
    assert (theirs / LOCK_FILE).read_text() == "not empty"
    assert (theirs / "content" / "a.txt").read_text() == "a"


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no locks, as some of a network."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock, "_lock", refuse)


@pytest.mark.usefixtures("without_locks")
def test_a_disk_without_locks_still_has_scratch_folders(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert first.is_dir()
        assert second.is_dir()
    assert hidden(tmp_path) == []


@pytest.mark.usefixtures("without_locks")
def test_a_disk_without_locks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be locked"), only_writer(tmp_path):
        pass
