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
from openfoley.projects.history import choose, lock
from openfoley.projects.record import FILE_NAME, PREVIOUS_NAME, _decimal, from_text, to_text
from openfoley.projects.storage import only_process, read_project, write_project
from openfoley.request import Cue, Request

_spec = importlib.util.spec_from_file_location("records", Path(__file__).with_name("records.py"))
assert _spec and _spec.loader
records = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(records)
FORMAT_1 = Path(__file__).with_name("format_1.json")
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

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_project(tmp_path, FULL)
    assert read_project(tmp_path) == records.empty()
    assert not list(tmp_path.glob(".*"))


def with_cues(*cues: dict[str, str]) -> Any:
    return lambda data: data["request"].update(timeline={"cues": list(cues)})


def edited(change: Any) -> str:
    data = json.loads(to_text(FULL))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["takes"][0].pop("request"), r"project.takes\[0\]: key 'request' is missing"),
        (
            lambda d: d["takes"][0]["request"]["sampling"].update(seed="x"),
            r"project.takes\[0\].request.sampling.seed: expected int, got 'x'",
        ),
        (
            lambda d: d["takes"][1]["request"]["sampling"].update(steps=129),
            "steps must be a whole number from 1 to 128",
        ),
        (lambda d: d["takes"][1].update(start="x"), r"project.takes\[1\].start: expected a fraction"),
        (lambda d: d["takes"][1].update(end="11"), r"project.takes\[1\].start and end: .*inside the video"),
        (lambda d: d["takes"][1].update(number=1), r"project.takes\[0\].number: expected a unique number"),
        (lambda d: d["takes"][1].update(file="../x.flac"), r"project.takes\[1\].file"),
        (lambda d: d["takes"][1].update(stem="a/b"), r"project.takes\[1\].stem: expected a name"),
        (with_cues({"start": "0", "end": "4", "stem": "."}), r"project.request.timeline.cues\[0\].stem"),
        (lambda d: d["request"].update(timeline={"cuts": "maybe"}), "project.request.timeline.cuts: expected one of"),
        (lambda d: d["request"]["sampling"].update(colour=1), "project.request.sampling: unknown key 'colour'"),
        (lambda d: d["history"][1].update(layers=[7]), r"project.history\[1\].layers: there is no take 7"),
        (lambda d: d["history"][2]["locks"][0].update(end="99"), r"project.history\[2\].locks"),
        (lambda d: d.update(position=9), "project.position: expected 0 to 2, got 9"),
        (lambda d: d.update(cuts=[{"time": "4"}, {"time": "3"}]), r"project.cuts\[1\].time: .*ascending"),
        (with_cues({"start": "0", "end": "4"}, {"start": "3", "end": "5"}), r"cues\[1\]: overlaps"),
        (lambda d: d.update(format=3), "format 3 is from a newer OpenFoley, this one reads 2; update OpenFoley"),
        (lambda d: d.update(format="2"), "format is '2', this version reads 2"),
        (lambda d: d.update(history=[]), "project.history"),
        (
            lambda d: d["history"][1].update(settings={"request": {"sampling": {"steps": 0}}, "cuts": []}),
            r"project.history\[1\].settings.request: steps must be",
        ),
    ],
)
def test_mistakes_by_hand_are_reported_by_key(tmp_path: Path, change: Any, says: str) -> None:
    (tmp_path / FILE_NAME).write_text(edited(change))
    with pytest.raises(UsageError, match=says) as caught:
        read_project(tmp_path)
    assert FILE_NAME in str(caught.value) and "\n" not in str(caught.value)


def test_a_project_of_format_1_is_read_and_kept_as_the_version_before(tmp_path: Path) -> None:
    """A file as commit 4b6046d wrote it: every value has its place in the request."""
    old = FORMAT_1.read_bytes()
    (tmp_path / FILE_NAME).write_bytes(old)
    record = read_project(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == old, "reading changes nothing"
    cue = Cue(Fraction(0), Fraction(2), "steps", "wind", 5, 6.0, "steps")
    assert record.request == Request.of(
        prompt="rain",
        negative_prompt="music",
        steps=12,
        guidance=3.5,
        seed=2,
        cuts="carry",
        temperature=0.5,
        cues=(cue,),
    )
    first, second = record.takes
    assert first.request == Request.of(steps=8, guidance=4.0, seed=0) and first.reference_sha256 is None
    reference = {"reference": Path("door.wav"), "reference_span": (Fraction(1, 4), Fraction(3, 4))}
    assert second.request == Request.of(
        prompt="a door", negative_prompt="hum", steps=16, guidance=2.0, seed=9, temperature=0.25,
        reference_guidance=1.5,
        **reference,
    )  # fmt: skip
    assert (second.number, second.stem, second.reference_sha256, second.made_over) == (2, "door", "dd", (1,))
    assert (second.file, second.sha256, second.span) == ("takes/002.flac", "02", records.span(1, 2.5))
    assert [(cut.time, cut.join) for cut in record.cuts] == [(Fraction(4), None), (Fraction(25, 6), "reset")]
    assert record.video.frame_rate == Fraction(24000, 1001) and record.model.sha256 == "aa"
    assert record.state.layers == (1, 2) and record.state.locks == (records.span(3, 4),) and record.position == 2
    changed = choose(record, 1)
    write_project(tmp_path, changed)
    assert json.loads((tmp_path / FILE_NAME).read_text())["format"] == 2 and read_project(tmp_path) == changed
    assert (tmp_path / PREVIOUS_NAME).read_bytes() == old


def test_a_file_of_an_older_format_is_kept_for_good_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = FORMAT_1.read_bytes()
    (tmp_path / "project.format-1.json").write_bytes(b"{}")  # the user's own
    (tmp_path / FILE_NAME).write_bytes(old)
    for number in (1, 2, 1):
        write_project(tmp_path, choose(read_project(tmp_path), number))
    assert (tmp_path / "project.format-1.2.json").read_bytes() == old
    assert (tmp_path / "project.format-1.json").read_bytes() == b"{}"
    assert len(caplog.messages) == 1
    assert "is converted from format 1 to format 2" in caplog.messages[0]
    assert caplog.messages[0].endswith("the old file is kept as project.format-1.2.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["settings"].update(steps="many"), "steps: expected int, got 'many'"),
        (lambda d: d["settings"].update(colour="red"), "unknown key 'colour'"),
        (lambda d: d["takes"][0].update(colour="red"), "unknown key 'colour'"),
        (lambda d: d["takes"][1]["reference"].update(colour="red"), "unknown key 'colour'"),
        (lambda d: d["takes"][0].pop("seed"), "key 'seed' is missing"),
        (lambda d: d["takes"][0].pop("file"), "key 'file' is missing"),
        (lambda d: d["takes"][1]["reference"].pop("sha256"), "key 'sha256' is missing"),
        (lambda d: d.update(settings="x"), "expected an object"),
        (lambda d: d.update(takes=[1]), "expected an object"),
        (lambda d: d["takes"][1].update(reference=3), "expected an object"),
    ],
)
def test_mistakes_in_a_project_of_format_1_are_reported(tmp_path: Path, change: Any, says: str) -> None:
    data = json.loads(FORMAT_1.read_text())
    change(data)
    (tmp_path / FILE_NAME).write_text(json.dumps(data))
    with pytest.raises(UsageError, match=says) as caught:
        read_project(tmp_path)
    assert FILE_NAME in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_comma_is_reported_by_line(tmp_path: Path) -> None:
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
