"""Cue sheets as people and spreadsheets write them, and every mistake by its line."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from openfoley.errors import UsageError
from openfoley.media.time.timecode import parse_timecode, zero
from openfoley.request import Cue
from openfoley.timeline.cues import cues_of_stem, read_cues, stem_names

START = parse_timecode("01:00:00:00", Fraction(25))
HEADER = "start,end,prompt,negative_prompt,seed,guidance,stem\n"


def sheet(folder: Path, text: str, name: str = "cues.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_seconds_and_timecode_mean_the_same(tmp_path: Path) -> None:
    text = HEADER + '4.2,8,"a door, closing",,,,\n01:00:00:00,01:00:04:05,steps,music,7,4.5,\n'
    first, second = read_cues(sheet(tmp_path, text), START, Fraction(8))
    assert first == Cue(Fraction(0), Fraction(21, 5), "steps", "music", 7, 4.5)
    assert second == Cue(Fraction(21, 5), Fraction(8), "a door, closing")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_are_read(tmp_path: Path, delimiter: str) -> None:
    lines = ["\ufeff" + delimiter.join(("Start", "End", "Negative prompt")), "", delimiter.join(("0", "2", "rain"))]
    (cue,) = read_cues(sheet(tmp_path, "\r\n".join(lines)), START)
    assert cue == Cue(Fraction(0), Fraction(2), negative_prompt="rain")


def test_json_and_its_rows_agree(tmp_path: Path) -> None:
    cues = (Cue(Fraction(1, 3), Fraction(2), "a", None, 1, 2.0, "x"), Cue(Fraction(2), Fraction(3), "b"))
    first = {"start": "1/3", "end": "2", "prompt": "a", "seed": 1, "guidance": 2.0, "stem": "x"}
    rows = [first, {"start": "2", "end": "3", "prompt": "b"}]
    for data in (rows, {"cues": rows}):
        assert read_cues(sheet(tmp_path, json.dumps(data), "cues.json"), START) == cues


def test_stems_may_lie_over_one_another(tmp_path: Path) -> None:
    text = "start,end,stem\n0,4,steps\n1,2,door\n4,6,steps\n0,6,\n"
    cues = read_cues(sheet(tmp_path, text), START)
    assert stem_names(cues) == ("steps", "door")
    assert [c.start for c in cues_of_stem(cues, "steps")] == [0, 4] and len(cues_of_stem(cues, None)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("start,end\n0,4\n3.9,6\n", "line 3.*overlaps.*line 2"),
        ("start,end,stem\n0,4,a\n1,2,a\n", "line 3.*'a'.*overlaps"),
        ("start,end\n0,9\n", "line 2.*after the video"),
        ("start,end\n4,4\n", "line 2.*end after its start"),
        ("start,end\n4,x\n", "line 2: end: .*'x'"),
        ("start,end\n00:59:59:00,2\n", "before the video"),
        ("start,end\n01:00:00:25,2\n", "line 2.*out of range"),
        ("start,end,seed\n0,1,-1\n", "line 2: seed"),
        ("start,end,guidance\n0,1,99\n", "line 2: guidance"),
        ("start,end,stem\n0,1,../x\n", "line 2.*stem name"),
        ("start,prompt\n0,a\n", "'end' is missing"),
        ("start,end,volume\n0,1,2\n", "unknown column 'volume'"),
        ("start,end\n0,1,2\n", "line 2: 3 values for 2 columns"),
        ("start,end\n", "no cues"),
        ("", "no cues"),
    ],
)
def test_mistakes_are_reported_by_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_cues(sheet(tmp_path, text), START, Fraction(8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "not JSON"), ("3", "expected a list"), ("[1]", "cue 1"), ('[{"start": 0}]', "cue 1: 'end' is missing")]
    + [('[{"start": 0, "end": 1, "prompt": 5}]', "prompt must be a text"), ('[{"start": true, "end": 1}]', "start")],
)
def test_json_mistakes_are_reported_by_number(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_cues(sheet(tmp_path, text, "cues.json"), START)


def test_files_that_are_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directory"):
        read_cues(tmp_path, START)
    with pytest.raises(UsageError, match="cannot be read"):
        read_cues(tmp_path / "none.csv", START)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_cues(tmp_path / "binary.csv", zero(Fraction(24)))
