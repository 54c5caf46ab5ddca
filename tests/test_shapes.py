"""Shapes are annotated with jaxtyping, and a wrong axis fails a test (`shape_checks`)."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FunctionType
from typing import Any, cast, get_args

import pytest
import torch
from jaxtyping import TypeCheckError

import openfoley
import shape_checks
from openfoley.flow.path import on_path
from openfoley.generators.salsa_v.config import GYM
from openfoley.generators.salsa_v.model import Prepared, SalsaVGenerator
from openfoley.nn.resampling import linear_weights
from openfoley.types import FeatureSequence

ANNOTATED = ("nn", "flow", "codecs", "encoders", "generators", "judges", "evaluation", "data", "training", "gym")


def test_a_wrong_axis_fails() -> None:
    noise = torch.zeros(2, 5, 3)
    with pytest.raises(TypeCheckError, match="data"):
        on_path(noise, noise.transpose(1, 2), torch.zeros(2))
    with pytest.raises(TypeCheckError, match="parameter 't'"):
        on_path(noise, noise, torch.zeros(3))


def test_a_wrong_axis_of_a_record_fails() -> None:
    with pytest.raises(TypeCheckError, match="present"):
        FeatureSequence(torch.zeros(2, 5, 3), torch.zeros(2, 5), torch.ones(2, 4, dtype=torch.bool))


def test_a_wrong_axis_of_a_generators_input_fails() -> None:
    model = SalsaVGenerator(replace(GYM, width=16, heads=1, mlp_width=16, joint_blocks=1, audio_blocks=1))
    prepared = cast(Prepared, None)  # the shapes are checked first
    x_t, known = torch.zeros(2, 5, GYM.latent_dim), torch.zeros(2, 5, dtype=torch.bool)
    with pytest.raises(TypeCheckError, match="known"):
        model.velocity(x_t, torch.zeros(2), torch.zeros(2), known.T, prepared)
    with pytest.raises(TypeCheckError, match="step"):
        model.velocity(x_t, torch.zeros(2), torch.zeros(5), known, prepared)


def test_a_wrong_result_fails() -> None:
    assert linear_weights(torch.zeros(1, 4), 3).shape == (1, 4, 3)

    def swapped(index: torch.Tensor, count: int) -> torch.Tensor:
        return torch.zeros(1, count, 4)

    swapped.__annotations__ = dict(shape_checks.annotations(linear_weights))
    with pytest.raises(TypeCheckError, match="return value"):
        shape_checks.checked(swapped)(torch.zeros(1, 4), 3)


def public_functions(package: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and method, with forward, of a package's modules."""
    root = importlib.import_module(f"{openfoley.__name__}.{package}")
    for found in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
        module = importlib.import_module(found.name)
        for name, member in vars(module).items():
            if getattr(member, "__module__", None) != found.name or name.startswith("_"):
                continue
            owners = vars(member).items() if inspect.isclass(member) else [(name, member)]
            for inner, function in owners:
                bare = function.fget if isinstance(function, property) else getattr(function, "__func__", function)
                if isinstance(bare, FunctionType) and not inner.startswith("_"):
                    yield f"{found.name}.{bare.__qualname__}", bare


def holds_bare_tensor(hint: Any) -> bool:
    """A Tensor without axes, outside of a Callable (whose arguments nothing checks)."""
    if hint is torch.Tensor:
        return True
    is_callable = getattr(hint, "__origin__", None) is Callable
    return not is_callable and any(holds_bare_tensor(part) for part in get_args(hint))


@pytest.mark.parametrize("package", ANNOTATED)
def test_public_tensor_functions_name_their_axes(package: str) -> None:
    functions = dict(public_functions(package))
    bare = [
        name
        for name, function in functions.items()
        if any(holds_bare_tensor(hint) for hint in shape_checks.annotations(function).values())
    ]
    checked = [
        name
        for name, f in functions.items()
        if any(map(shape_checks.holds_array, shape_checks.annotations(f).values()))
    ]
    assert bare == []
    assert len(checked) >= 5
