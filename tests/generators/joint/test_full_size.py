"""The published system's sizes, built without memory."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from openfoley.generators.joint.config import FULL
from openfoley.generators.joint.model import Connectors, JointGenerator


def millions(module: nn.Module) -> float:
    return round(sum(value.numel() for value in module.parameters()) / 1e6, 2)


def test_parameters_of_every_part() -> None:
    with torch.device("meta"):
        model = JointGenerator(FULL)
    connectors = model.connectors
    assert millions(model.video) == 1312.73
    assert millions(model.audio) == 415.95
    assert millions(connectors) == 467.74
    motion = [value.numel() for name, value in model.video.named_parameters() if "motion_modules" in name]
    assert round(sum(motion) / 1e6, 2) == 453.21
    parts = (connectors.into_video, connectors.into_audio, connectors.encode_video, connectors.encode_audio)
    assert [millions(part) for part in parts] == [222.99, 123.42, 100.30, 21.04]


@pytest.mark.parametrize(("kind", "size"), [("cross-attention", 323.69), ("joint-attention", 305.56)])
def test_parameters_of_the_other_kinds(kind: str, size: float) -> None:
    with torch.device("meta"):
        connectors = Connectors(replace(FULL, connectors=replace(FULL.connectors, kind=kind)))
    assert millions(connectors) == size
