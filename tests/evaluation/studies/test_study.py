"""What a study's folder belongs to."""

from pathlib import Path

import pytest

from openfoley.errors import UsageError
from openfoley.evaluation.studies import study
from openfoley.evaluation.studies.requests import JoinsRequest


def test_a_folder_begun_with_another_default_overlap_is_refused(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without an overlap of their own would be two different sounds under one name."""
    request = JoinsRequest(tmp_path / "s", 2, str(tiny_model))
    study.study_of(request)
    study.study_of(request)
    monkeypatch.setattr(study, "OVERLAP_S", study.OVERLAP_S / 2)
    with pytest.raises(UsageError, match=r"something else .*overlap_s.*choose another folder"):
        study.study_of(request)
