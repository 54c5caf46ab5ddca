"""Seeded weights of the tiny joint model whose outputs the published implementation gave (goldens/svg)."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from safetensors.torch import load_file
from seeded import FOLDER, noise
from torch import Tensor

from openfoley.generators.joint.config import FULL, JointConfig, Kind, UNetConfig
from openfoley.generators.joint.foreign import from_svg
from openfoley.generators.joint.model import JointGenerator

SVG = FOLDER / "svg"
SHAPES: dict[str, dict[str, list[int]]] = json.loads((SVG / "shapes.json").read_text())
NAMES = {"cmc-pe": "additive", "cross-attention": "attn"}

TINY = replace(
    FULL,
    video=UNetConfig(4, (64, 64, 128, 128), (True, True, True, False), layers=1, heads=8, condition=48, groups=32),
    audio=UNetConfig(8, (64, 64, 96, 128), (False, True, True, True), layers=1, heads=8, condition=32, groups=32),
    connectors=replace(FULL.connectors, width=64, encoder_widths=(64, 64)),
)


def golden(name: str) -> dict[str, Tensor]:
    return load_file(SVG / f"{name}.safetensors")


def weight(key: str, shape: list[int] | torch.Size) -> Tensor:
    last = key.rpartition(".")[2]
    if last == "pe":  # the motion modules' table of positions
        _, length, width = shape
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        angle = torch.arange(length)[:, None] * rate
        return torch.stack((angle.sin(), angle.cos()), dim=-1).reshape(1, length, width)
    x = noise(key, shape)
    if last.endswith("bias"):
        return 0.05 * x
    if last == "g" or len(shape) <= 1:
        return 1.0 + 0.1 * x
    return x / math.sqrt(x.numel() / shape[0])


def tiny(kind: Kind = "cmc-pe") -> JointGenerator:
    """The whole model with seeded weights, frozen."""
    config = tiny_config(kind)
    model = JointGenerator(config).eval().requires_grad_(False)
    for name, unet in (("unet_v", model.video), ("unet_a", model.audio)):
        unet.load_state_dict(seeded_state(f"{name}.", {k: v.shape for k, v in unet.state_dict().items()}))
    model.connectors.load_state_dict(from_svg(seeded_state("unet_svg.", SHAPES[NAMES[kind]])))
    return model


def tiny_config(kind: Kind) -> JointConfig:
    return replace(
        TINY,
        connectors=replace(TINY.connectors, kind=kind, encoder_input="x_pred" if kind == "cmc-pe" else "x_cur"),
    )


def seeded_state(prefix: str, shapes: Mapping[str, list[int] | torch.Size]) -> dict[str, Tensor]:
    return {key: weight(prefix + key, shape) for key, shape in shapes.items()}
