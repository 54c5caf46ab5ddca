"""Things of one body, and their words."""

import pytest

from openfoley.gym.bodies.families.things import NOUNS, plural


@pytest.mark.parametrize(
    ("one", "several"), [("plastic box", "plastic boxes"), ("glass", "glasses"), ("steel mug", "steel mugs")]
)
def test_plurals(one: str, several: str) -> None:
    assert plural(one) == several


def test_no_noun_gets_a_bare_s_after_a_sibilant() -> None:
    assert not any(plural(noun).endswith(("xs", "ss", "chs", "shs", "zs")) for noun in NOUNS.values())
