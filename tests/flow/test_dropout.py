"""How often which condition is absent in training."""

import torch

from openfoley.flow.dropout import ConditionDropout, drop_conditions
from openfoley.types import Conditions
from sequences import conditions as flat_conditions
from sequences import sequence, tokens

BATCH, LATENTS = 6000, 40
LATENT_TIME = (torch.arange(LATENTS) + 0.5) * 1024 / 44100


def conditions() -> Conditions:
    row = torch.arange(BATCH, dtype=torch.float32)[:, None, None]
    return flat_conditions(
        sequence(row.expand(-1, 8, 1), (torch.arange(8) / 8)),
        sequence(
            row.expand(-1, 24, 1), (torch.arange(24) / 24).expand(BATCH, -1), torch.ones(BATCH, 24, dtype=torch.bool)
        ),
        tokens(row[:, 0]),
    )


def chances(**given: float) -> ConditionDropout:
    none = dict(drop=0.0, text_given=1.0, swapped=0.0, picture_absent=0.0, reference_unseen=0.0)
    return ConditionDropout(**{**none, **given})


def dropped(known: torch.Tensor | None = None, other_sync: torch.Tensor | None = None, **given: float) -> Conditions:
    known = torch.zeros(BATCH, LATENTS, dtype=torch.bool) if known is None else known
    random = torch.Generator().manual_seed(0)
    return drop_conditions(conditions(), known, LATENT_TIME, chances(**given), random, other_sync)


def test_each_condition_is_dropped_alone_and_with_all_others() -> None:
    result = dropped(drop=0.1)
    parts = [result[name].present.all(1) for name in ("semantic", "sync", "text")]
    for present in parts:
        assert abs(present.float().mean().item() - 0.81) < 0.02
    nothing = ~(parts[0] | parts[1] | parts[2])
    assert abs(nothing.float().mean().item() - 0.1) < 0.02


def test_prompt_is_there_half_of_the_time() -> None:
    assert abs(dropped(text_given=0.5).has("text").float().mean().item() - 0.5) < 0.03


def test_swapped_semantics_come_from_another_sequence_only_beside_a_prompt() -> None:
    result = dropped(text_given=0.5, swapped=0.3, drop=0.1)
    foreign = result["semantic"].values[:, 0, 0] != torch.arange(BATCH)
    assert result.has("text")[foreign].all()
    assert abs(foreign[result.has("text")].float().mean().item() - 0.3) < 0.03
    assert torch.equal(result["sync"].values, conditions()["sync"].values)
    other = dropped(text_given=0.5, swapped=0.3, drop=0.1, other_sync=-1 - conditions()["sync"].values)["sync"].values
    assert torch.equal((other < 0).all((1, 2)), foreign) and torch.equal((other < 0).any((1, 2)), foreign)


def test_sound_only_samples_have_text_and_no_picture() -> None:
    result = dropped(picture_absent=0.2, text_given=0.0)
    gone = ~result.has("sync")
    assert abs(gone.float().mean().item() - 0.2) < 0.03
    assert torch.equal(gone, ~result.has("semantic"))
    assert torch.equal(gone, result.has("text"))


def test_picture_over_an_unseen_reference_is_absent_and_elsewhere_present() -> None:
    known = torch.zeros(BATCH, LATENTS, dtype=torch.bool)
    known[:, 10:30] = True
    result = dropped(known=known, reference_unseen=1.0)
    time = result["sync"].time_s[0]
    inside = (time >= 10 * 1024 / 44100) & (time < 30 * 1024 / 44100)
    assert torch.equal(~result["sync"].present, inside.expand(BATCH, -1))
    half = dropped(known=known, reference_unseen=0.5)
    assert abs(half["sync"].present.all(1).float().mean().item() - 0.5) < 0.03
