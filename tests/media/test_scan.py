"""What a file promises against what it holds."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from openfoley.media.scan import _broken_promise

LONG, SHORT = "01:30:00.000000000", "00:00:05.010000000"


def problem(**tags: str) -> str | None:
    """Five seconds of picture in a Matroska file with these tags of its stream."""
    stream: Any = SimpleNamespace(duration=None, start_time=0, time_base=Fraction(1, 1000), metadata=tags)
    container: Any = SimpleNamespace(format=SimpleNamespace(name="matroska,webm"))
    damage = _broken_promise(container, stream, Fraction(5))
    return damage.text if damage else None


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
    assert problem(**tags) is None


@pytest.mark.parametrize("tags", [{"DURATION": LONG}, {"DURATION-eng": LONG}, {"DURATION": LONG, "DURATION-eng": LONG}])
def test_a_tag_that_no_other_contradicts_is_believed(tags: dict[str, str]) -> None:
    assert problem(**tags) == "cut short: it promises 5400.00 s but its picture ends at 5.00 s"
