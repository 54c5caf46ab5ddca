"""What stage 1 is shown: targets among others, the absent as an empty scene, and names that mean one thing alone."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from openfoley.data.auto_mixing import Mixing
from openfoley.data.gym_sources import Source
from openfoley.errors import UsageError
from openfoley.training.selective.items import ItemDraws, Items

THINGS = ("wood ball", "glass bell", "steel ball", "wood door")
FRAMES = 4


class Coloured:
    """Two sources a scene; row k of the pictures is all k."""

    def __init__(self, things: tuple[str, ...] = THINGS) -> None:
        sources, seen = [], {"events": [{"visible": True, "audible": True}]}
        for k, thing in enumerate(things):
            material, kind = thing.split()
            names = (thing, f"the {material} one", f"a {thing} sounds")
            sources.append(Source(names, material, kind, 10 * (k // 2), 10 * k + 1, 10 * k + 2, False, seen))
        sources.append(Source(("a dog",), "none", "bark", 10, 90, 90, True, {"events": []}))
        self.sources = tuple(sources)

    def length(self, row: int) -> int:
        return 8

    def snippet(self, row: int, first: int, count: int) -> UInt8[Tensor, "count 3 height width"]:
        return torch.full((count, 3, 32, 32), row, dtype=torch.uint8)


def drawn(draws: ItemDraws, count: int = 200) -> tuple[Items, list]:
    items = Items(Coloured(), draws, FRAMES)
    return items, [items.draw(torch.Generator().manual_seed(k)) for k in range(count)]


def test_the_kinds_have_their_shares_and_pictures() -> None:
    items, made = drawn(ItemDraws(mixing=Mixing(probability=0.75)))
    kinds = Counter(item.kind for item in made)
    assert 80 < kinds["scene"] < 120 and 8 < kinds["absent"] < 35 and kinds["mixed"] > 2 * kinds["alone"] > 0
    for item in made:
        picture, clean = items.pictures(item)
        source = items.pictured.sources[item.source]
        assert (clean == source.alone).all() and item.start <= 8 - FRAMES
        assert (item.kind == "absent") == source.absent
        if item.kind in ("scene", "absent"):
            assert (picture == source.whole).all()
        if item.kind == "mixed":
            assert (picture == source.alone).any() and (picture != source.alone).any()


def test_partners_are_others_and_often_like_the_target() -> None:
    items, made = drawn(ItemDraws(scene_share=0, absent_share=0, same_class=1.0))
    sources = items.pictured.sources
    for item in made:
        target = sources[item.source]
        for partner in (sources[k] for k in item.partners):
            assert partner.whole != target.whole and partner.names[0] != target.names[0]
            assert target.is_near(partner) or target.names[0] == "glass bell"
    with pytest.raises(UsageError, match="one kind of thing alone"):
        Items(Coloured(("wood ball",) * 4), ItemDraws(scene_share=0, absent_share=0), FRAMES).draw(torch.Generator())


def test_a_name_means_no_partner() -> None:
    items, made = drawn(ItemDraws(scene_share=0, absent_share=0))
    said = set()
    for k, item in enumerate(made):
        name = items.name(item, torch.Generator().manual_seed(k))
        said.add(name)
        materials = {items.pictured.sources[p].material for p in item.partners}
        assert name not in {f"the {material} one" for material in materials}
    assert "the wood one" in said


def test_noisy_labels_are_kept_for_good_and_the_absent_have_none() -> None:
    plain, coarse, wrong = (
        Items(Coloured(), replace(ItemDraws(), **noise), FRAMES).names
        for noise in ({"labels_only": True}, {"coarse_share": 1.0}, {"wrong_share": 1.0})
    )
    assert plain == [(thing,) for thing in THINGS] + [("a dog",)]
    assert coarse == [("ball",), ("bell",), ("ball",), ("door",), ("a dog",)]
    assert all(a != b and b[0] in THINGS for a, b in zip(plain[:4], wrong[:4], strict=True)) and wrong[4] == ("a dog",)
    half = Items(Coloured(THINGS * 30), ItemDraws(coarse_share=0.3), FRAMES)
    assert 20 < sum(len(names) == 1 for names in half.names) - 1 < 55
    assert half.names == Items(Coloured(THINGS * 30), ItemDraws(coarse_share=0.3), FRAMES).names
