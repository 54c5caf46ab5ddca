"""The objective's inputs, recorded by a mock model and a mock average."""

from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from openfoley.data.feature_cache import Batch
from openfoley.flow.dropout import ConditionDropout
from openfoley.flow.path import on_path
from openfoley.training.salsa_v.objective import Objective, losses
from openfoley.types import Conditions
from sequences import conditions as flat_conditions
from sequences import sequence, tokens

BATCH, LATENTS, DIM = 8, 20, 3
SMALLEST = Fraction(1, 8)
NOTHING_DROPPED = ConditionDropout(drop=0.0, text_given=1.0, swapped=0.0, picture_absent=0.0, reference_unseen=0.0)


@dataclass
class Written:
    """Answers the same everywhere."""

    answer: Tensor
    smallest: Fraction | None = SMALLEST
    calls: list[SimpleNamespace] = field(default_factory=list)

    @property
    def config(self) -> SimpleNamespace:
        return SimpleNamespace(smallest_step=self.smallest, hop_length=1, sample_rate=10)

    def __call__(self, x: Tensor, t: Tensor, step: Tensor, known: Tensor, conditions: Conditions) -> Tensor:
        output = self.answer.expand(x.shape).clone()
        if output.requires_grad:
            output.retain_grad()
        self.calls.append(SimpleNamespace(x=x, t=t, step=step, known=known, output=output, conditions=conditions))
        return output


def conditions() -> Conditions:
    time = torch.arange(5) / 2
    pictures = (sequence(torch.randn(BATCH, 5, 4), time) for _ in range(2))
    return flat_conditions(*pictures, tokens(torch.randn(BATCH, 4)))


def asked(smallest: Fraction | None, mask_probability: float) -> tuple[Tensor, dict[str, Tensor], Written, Written]:
    data = torch.randn(BATCH, LATENTS, DIM, generator=torch.Generator().manual_seed(3))
    model: Any = Written(torch.zeros(DIM, requires_grad=True), smallest)
    average: Any = Written(torch.tensor(3.0), smallest)
    objective = Objective((0.0, 1.0), 0.25, mask_probability, ("span",), NOTHING_DROPPED)
    random = torch.Generator().manual_seed(4)
    parts = losses(model, average, Batch(data, conditions(), None), objective, random)
    return data, parts, model, average


def test_a_quarter_learns_steps_from_the_average_and_the_rest_velocities() -> None:
    data, parts, model, average = asked(SMALLEST, mask_probability=0.0)
    (call,) = model.calls
    assert bool((call.step[:2] > 0).all()) and not call.step[2:].any()
    torch.testing.assert_close((call.t[:2] / call.step[:2]).round(), call.t[:2] / call.step[:2])
    assert parts["consistency"].item() == pytest.approx(9.0)  # the average says 3 twice, the model 0
    t = call.t[2:, None, None]
    noise = (call.x[2:] - t * data[2:]) / (1 - t)
    assert noise.std().item() == pytest.approx(1.0, abs=0.15)
    assert parts["flow"].item() == pytest.approx((data[2:] - noise).square().mean().item(), rel=1e-3)
    assert parts["loss"].item() == pytest.approx((2 * 9.0 + 6 * parts["flow"].item()) / 8, rel=1e-5)
    first, second = average.calls
    assert [len(first.x), len(second.x)] == [2, 2] and not first.output.requires_grad
    torch.testing.assert_close(second.t - first.t, call.step[:2] / 2)
    torch.testing.assert_close(second.x - first.x, 3 * (call.step[:2] / 2)[:, None, None].expand_as(first.x))


def test_known_latents_enter_clean_and_leave_no_error() -> None:
    data, parts, model, average = asked(SMALLEST, mask_probability=1.0)
    (call,) = model.calls
    assert bool(call.known.any(1).all()) and not bool(call.known.all(1).any())
    assert torch.equal(call.x[call.known], data[call.known])
    assert not torch.isclose(call.x[~call.known], data[~call.known]).all(1).any()
    parts["loss"].backward()
    assert not call.output.grad[call.known].any() and bool(call.output.grad[~call.known].all())
    for averaged in average.calls:
        assert torch.equal(averaged.x[call.known[:2]], data[:2][call.known[:2]])
        assert torch.equal(averaged.known, call.known[:2])


def test_plain_flow_matching_asks_no_average() -> None:
    data, parts, model, average = asked(None, mask_probability=0.0)
    (call,) = model.calls
    assert not call.step.any() and not average.calls and set(parts) == {"loss", "flow"}
    t = call.t
    noise = (call.x - t[:, None, None] * data) / (1 - t[:, None, None])
    torch.testing.assert_close(on_path(noise, data, t), call.x)
    assert parts["loss"] == parts["flow"]
