"""What a file promises against what it holds."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openfoley.errors import MediaError
from openfoley.media.scan import _check_promised

LONG, SHORT = "01:30:00.000000000", "00:00:05.010000000"


def check(**tags: str) -> None:
    """Five seconds of picture in a Matroska file with these tags of its stream."""
    stream: Any = SimpleNamespace(duration=None, start_time=0, time_base=Fraction(1, 1000), metadata=tags)
    container: Any = SimpleNamespace(format=SimpleNamespace(name="matroska,webm"))
    _check_promised(container, stream, Fraction(5), Path("film.mkv"))


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"DURATION": SHORT},
        {"DURATION": SHORT, "DURATION-eng": LONG},
        {"DURATION-eng": LONG, "DURATION": SHORT},
        {"DURATION": "yesterday:0:x"},
    ],
)
def test_a_tag_of_before_a_cut_promises_nothing(tags: dict[str, str]) -> None:
    check(**tags)


@pytest.mark.parametrize("tags", [{"DURATION": LONG}, {"DURATION-eng": LONG}, {"DURATION": LONG, "DURATION-eng": LONG}])
def test_a_tag_that_no_other_contradicts_is_believed(tags: dict[str, str]) -> None:
    with pytest.raises(MediaError, match=r"promises 5400.00 s but its picture ends at 5.00 s"):
        check(**tags)
