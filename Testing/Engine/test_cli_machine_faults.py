"""What the machine does to a command on its way: a folder that goes, a disk that is full. Nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PhantomImages import phantom_case_in

from prostreg.cli import register as register_command
from prostreg.cli.main import main
from prostreg.images.image_file import write_image

QUICK = {"method": "cmaes", "population": 8, "generations": 1, "restarts": 1, "polish_pixels": 64}
ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="limits as POSIX has them")


@pytest.fixture(scope="module")
def case_file(tmp_path_factory):
    return phantom_case_in(tmp_path_factory.mktemp("case"), 0)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def run_while(case_file, tmp_path, monkeypatch):
    """Registers, and lets something happen to the output folder before the result is written."""

    def run(happen):
        computed = register_command.register

        def register(*arguments):
            result = computed(*arguments)
            happen(tmp_path / "out")
            return result

        monkeypatch.setattr(register_command, "register", register)
        (tmp_path / "config.json").write_text(json.dumps(QUICK), encoding="utf-8")
        (tmp_path / "out").mkdir()
        return main(["register", str(case_file), "--out", str(tmp_path / "out"), "--config", f"{tmp_path}/config.json"])

    return run


def become_a_file(folder):
    folder.rmdir()
    folder.write_text("the user's", encoding="utf-8")


def test_a_result_whose_folder_became_a_file_is_written_elsewhere(run_while, temporary, tmp_path, capsys):
    assert run_while(become_a_file) == 2
    said = capsys.readouterr().err
    assert "Not written:" in said
    assert "Traceback" not in said
    written = Path(re.search(r"They were written into (.*) instead: move them from there\.", said)[1])
    assert written.parent.parent == temporary
    if sys.platform != "win32":
        assert written.parent.stat().st_mode & 0o077 == 0
    pose = json.loads((written / "result.json").read_text(encoding="utf-8"))["world_from_volume"]
    assert " ".join(f"{number:.9g}" for number in pose[0]) in said
    assert (tmp_path / "out").read_text(encoding="utf-8") == "the user's"


def test_where_nothing_can_be_written_the_pose_is_told(run_while, temporary, capsys):
    def nothing_can_be_written(folder):
        become_a_file(folder)
        shutil.rmtree(temporary)

    assert run_while(nothing_can_be_written) == 2
    said = capsys.readouterr().err
    assert "The pose, world_from_volume:" in said
    assert "Nor could they be written among the temporary files" in said


def test_a_folder_that_was_removed_is_made_again(run_while, temporary, tmp_path):
    assert run_while(Path.rmdir) in (0, 3)
    assert (tmp_path / "out" / "phantom-demo" / "result.json").is_file()
    assert list(temporary.iterdir()) == []


@ON_POSIX
def test_a_full_disk_is_told_with_the_file_that_was_asked_for(tmp_path, monkeypatch):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def other_disk(*_):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "rename", other_disk)
    try:
        with pytest.raises(OSError, match="too large") as refusal:
            write_image(tmp_path / "drr.nrrd", sitk.GetImageFromArray(np.zeros((9, 9), np.float32)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refusal.value.filename == str(tmp_path / "drr.nrrd")
