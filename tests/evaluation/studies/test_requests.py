"""What is refused before heavy work, and that the command line has every field of every request."""

import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from openfoley.cli.arguments import build_parser
from openfoley.cli.studies import request_of
from openfoley.errors import UsageError
from openfoley.evaluation.studies.requests import (
    STUDIES,
    JoinsRequest,
    LengthsRequest,
    LongformRequest,
    ReferenceRequest,
    StepsRequest,
    StudyRequest,
    TokensRequest,
)


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (
        lambda: LengthsRequest(tmp_path, 0),
        lambda: LengthsRequest(tmp_path / "file"),
        lambda: LengthsRequest(tmp_path, model="no-such-model"),
        lambda: LengthsRequest(tmp_path, steps=0),
        lambda: JoinsRequest(tmp_path, 1),
        lambda: JoinsRequest(tmp_path, reference_guidance=-1.0),
        lambda: StepsRequest(tmp_path, steps=(8, 1000)),
        lambda: StepsRequest(tmp_path, ("no-such-model",)),
        lambda: LongformRequest(tmp_path, cuts="never"),
        lambda: JoinsRequest(tmp_path, rows=()),
        lambda: JoinsRequest(tmp_path, rows=("default", "default")),
        lambda: JoinsRequest(tmp_path, rows=("join=soft",)),
        lambda: LengthsRequest(tmp_path, rows=("joyn=swap",)),
        lambda: LengthsRequest(tmp_path, rows=("join",)),
        lambda: ReferenceRequest(tmp_path, mode="before"),
        lambda: ReferenceRequest(tmp_path, contexts=(0.0, -1.0)),
        lambda: TokensRequest(tmp_path, split="train"),
        lambda: TokensRequest(tmp_path, world="round"),
        lambda: TokensRequest(tmp_path, outside=tmp_path / "file"),
    ):
        with pytest.raises(UsageError):
            wrong()


@pytest.mark.parametrize("kind", STUDIES)
def test_the_command_line_has_every_field_with_its_default(kind: type[StudyRequest], tmp_path: Path) -> None:
    parsed = build_parser().parse_args(["evaluate", kind.study, "--out", str(tmp_path)])
    assert request_of(parsed) == kind(tmp_path, kind.clips)
    assert {field.name for field in fields(kind)} <= vars(parsed).keys()


def test_a_study_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the following arguments are required: --out"):
        build_parser().parse_args(["evaluate", "scenes"])


def test_several_words_become_a_tuple(tmp_path: Path) -> None:
    words = ["evaluate", "lengths", "--out", str(tmp_path), "--lengths", "4", "9", "--clips", "3"]
    assert request_of(build_parser().parse_args(words)) == LengthsRequest(tmp_path, 3, lengths=(4, 9))


@pytest.mark.parametrize("kind", STUDIES)
def test_every_study_can_be_run(kind: type[StudyRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(f"openfoley.evaluation.studies.{kind.study}")
    monkeypatch.setattr(module, "run", lambda request, progress: {"of": request})
    request = kind(tmp_path, 2)
    assert request.run() == {"of": request}


@pytest.mark.parametrize("kind", STUDIES)
def test_every_study_has_both_worlds_and_one_of_the_flat_world_resumes_as_before(
    kind: type[StudyRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat, bodies = kind(tmp_path, kind.clips), kind(tmp_path, kind.clips, world="bodies")
    assert flat.identity != bodies.identity and bodies.identity["world"] == "bodies"
    assert ("world" in flat.identity) == (kind is TokensRequest)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(UsageError, match="pip install 'openfoley"):
        bodies.run()
