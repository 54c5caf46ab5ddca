"""The project file: strict, whole, with the version before, and one process at a time."""

import errno
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from openfoley.errors import OutputError, UsageError
from openfoley.projects import storage
from openfoley.projects.history import choose, lock
from openfoley.projects.record import FILE_NAME, PREVIOUS_NAME, _decimal, from_text, to_text
from openfoley.projects.storage import only_process, read_project, write_project

_spec = importlib.util.spec_from_file_location("records", Path(__file__).with_name("records.py"))
assert _spec and _spec.loader
records = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(records)
FULL = lock(choose(records.with_takes(records.take(1), records.take(2, 1, 2, "door")), 2), records.span(3, 4))


def test_a_record_is_its_text() -> None:
    assert from_text(to_text(FULL), Path("p")) == FULL


@pytest.mark.parametrize(
    ("time", "text"),
    [(Fraction(8), "8"), (Fraction(33, 8), "4.125"), (Fraction(1, 24), "1/24"), (Fraction(1, 1000000), "0.000001")]
    + [(Fraction(-1, 4), "-0.25"), (Fraction(7200, 1001), "7200/1001"), (Fraction(10), "10")],
)
def test_times_are_written_to_be_read_and_exact(time: Fraction, text: str) -> None:
    assert _decimal(time) == text and Fraction(text) == time


def test_a_video_s_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    record = replace(FULL, video=replace(FULL.video, path=os.fsdecode(b"caf\xe9.mp4")))
    write_project(tmp_path, record)
    assert os.fsencode(read_project(tmp_path).video.path) == b"caf\xe9.mp4"


def test_what_was_there_before_is_kept(tmp_path: Path) -> None:
    write_project(tmp_path, records.empty())
    before = (tmp_path / FILE_NAME).read_bytes()
    write_project(tmp_path, FULL)
    assert read_project(tmp_path) == FULL
    assert (tmp_path / PREVIOUS_NAME).read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [FILE_NAME, PREVIOUS_NAME]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    write_project(tmp_path, records.empty())
    calls, real = [], os.fsync

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_project(tmp_path, FULL)
    assert read_project(tmp_path) == records.empty()
    assert not list(tmp_path.glob(".*"))


def edited(change: Any) -> str:
    data = json.loads(to_text(FULL))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["takes"][0].pop("seed"), r"project.takes\[0\]: key 'seed' is missing"),
        (lambda d: d["takes"][0].update(seed="x"), r"project.takes\[0\].seed: expected int, got 'x'"),
        (lambda d: d["takes"][1].update(start="x"), r"project.takes\[1\].start: expected a fraction"),
        (lambda d: d["takes"][1].update(end="11"), r"project.takes\[1\].start and end: .*inside the video"),
        (lambda d: d["takes"][1].update(number=1), r"project.takes\[0\].number: expected a number of its own"),
        (lambda d: d["takes"][1].update(file="../x.flac"), r"project.takes\[1\].file"),
        (lambda d: d["takes"][1].update(stem="a/b"), r"project.takes\[1\].stem: expected a name"),
        (lambda d: d.update(cues=[{"start": "0", "end": "4", "stem": "."}]), r"project.cues\[0\].stem"),
        (lambda d: d["settings"].update(cuts="maybe"), "project.settings.cuts: expected one of"),
        (lambda d: d["settings"].update(colour="red"), "project.settings: unknown key 'colour'"),
        (lambda d: d["history"][1].update(layers=[7]), r"project.history\[1\].layers: there is no take 7"),
        (lambda d: d["history"][2]["locks"][0].update(end="99"), r"project.history\[2\].locks"),
        (lambda d: d.update(position=9), "project.position: expected 0 to 2, got 9"),
        (lambda d: d.update(cuts=[{"time": "4"}, {"time": "3"}]), r"project.cuts\[1\].time: .*ascending"),
        (lambda d: d.update(cues=[{"start": "0", "end": "4"}, {"start": "3", "end": "5"}]), r"cues\[1\]: overlaps"),
        (lambda d: d.update(format=2), "format is 2, this version reads 1"),
        (lambda d: d.update(history=[]), "project.history"),
    ],
)
def test_mistakes_by_hand_are_told_by_key(tmp_path: Path, change: Any, says: str) -> None:
    (tmp_path / FILE_NAME).write_text(edited(change))
    with pytest.raises(UsageError, match=says) as caught:
        read_project(tmp_path)
    assert FILE_NAME in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_comma_is_told_by_line(tmp_path: Path) -> None:
    lines = to_text(FULL).splitlines()
    number = next(k for k, line in enumerate(lines) if '"model"' in line)
    lines[number - 1] = lines[number - 1].rstrip(",")
    (tmp_path / FILE_NAME).write_text("\n".join(lines))
    with pytest.raises(UsageError, match=f"line {number + 1} column"):
        read_project(tmp_path)


def test_a_folder_without_a_project_says_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="not a project"):
            read_project(folder)
        if not folder.exists():
            with pytest.raises(UsageError, match="not a project"), only_process(folder):
                pass


def test_two_processes_do_not_work_on_one_project(tmp_path: Path) -> None:
    write_project(tmp_path, FULL)
    code = (
        "import sys; from pathlib import Path; from openfoley.projects.storage import only_process\n"
        "try:\n with only_process(Path(sys.argv[1])): print('in')\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with only_process(tmp_path):
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "another process is working on the project" in said
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "in"
