"""Configurations survive the trip through JSON; everything else is refused by name."""

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import pytest

from openfoley.config import from_dict, to_dict
from openfoley.errors import WeightsError


@dataclass(frozen=True)
class Inner:
    sizes: tuple[int, ...]
    pair: tuple[int, float]


@dataclass(frozen=True)
class Outer:
    rate: Fraction
    kind: Literal["a", "b"]
    inner: Inner
    limit: float | None
    is_on: bool


VALUE = Outer(Fraction(44100, 1024), "b", Inner((1, 2, 3), (4, 0.5)), None, True)


def test_round_trip_through_json_is_exact() -> None:
    assert from_dict(Outer, json.loads(json.dumps(to_dict(VALUE)))) == VALUE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rate": "fast"}, "Outer.rate"),
        ({"kind": "c"}, "'a', 'b'"),
        ({"is_on": 1}, "Outer.is_on: expected bool, got 1"),
        ({"limit": "much"}, "Outer.limit"),
        ({"inner": {"sizes": [1], "pair": [1]}}, "Outer.inner.pair: expected 2 values, got 1"),
        ({"inner": {"sizes": [True], "pair": [1, 2]}}, r"sizes\[0\]"),
        ({"inner": 3}, "Outer.inner: expected an object"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_wrong_values_are_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        from_dict(Outer, to_dict(VALUE) | change)


def test_missing_key_is_named() -> None:
    data = to_dict(VALUE)
    del data["kind"]
    with pytest.raises(WeightsError, match="'kind' is missing"):
        from_dict(Outer, data)
