"""A joint model of the smallest size, and clips to train it on: a bright square that jumps when a click sounds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from openfoley.codecs import folded
from openfoley.data.pairs.pair import Pair, PairForm
from openfoley.generators.joint.config import GYM, JointConfig, Kind
from openfoley.hub.pair import save_pair_model
from openfoley.hub.pair_parts import PairModelConfig
from openfoley.training.joint.presets import GYM_BASE, PairTraining, Stage
from openfoley.training.joint.train import Networks

TINY = replace(
    GYM,
    video=replace(GYM.video, widths=(16, 16), attends=(False, True), condition=16),
    audio=replace(GYM.audio, widths=(16, 16), attends=(False, True), condition=16),
    connectors=replace(GYM.connectors, width=16, levels=(False, True), encoder_widths=(8, 8)),
)
CAPTIONS = (("a square jumps", "it clicks"), ("a box is still",))
FORM = PairForm()


@dataclass(frozen=True)
class FewPairs:
    """`count` clips."""

    count: int = 4
    form: PairForm = FORM
    digest: str = "few"

    @property
    def names(self) -> Sequence[str]:
        return [str(number) for number in range(self.count)]

    @property
    def captions(self) -> Sequence[tuple[str, ...]]:
        return [CAPTIONS[number % 2] for number in range(self.count)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        frames = torch.full((16, 3, 32, 32), 40, dtype=torch.uint8)
        frames[4 + index :, :, 8:16, 8:16] = 220
        sound, random = torch.zeros(32_000), torch.Generator().manual_seed(index)
        sound[2000 * (4 + index) : 2000 * (4 + index) + 400] = 0.3 * torch.randn(400, generator=random)
        return Pair(str(index), frames, sound, self.captions[index])


def config_of(kind: Kind = "cmc-pe") -> JointConfig:
    return replace(TINY, connectors=replace(TINY.connectors, kind=kind))


def preset(stage: Stage, **changes: Any) -> PairTraining:
    small = replace(
        GYM_BASE, stage=stage, architecture=TINY, data="few", steps=4, batch=2, validation=2, warmup_steps=1
    )
    return replace(small, **changes)


def model_folder(folder: Path) -> Path:
    """A model with random weights; its connectors add something."""
    config = PairModelConfig(
        format=1, kind="pair", name="tiny-pair", generator=TINY, codec=folded.GYM, frames=16,
        video_words=("a", "box", "clicks"), audio_words=("a", "box", "clicks"), longest=6, steps=2,
        video_guidance=2.0, audio_guidance=2.0, curves=None,
    )  # fmt: skip
    torch.manual_seed(3)
    networks = Networks(config)
    for name, value in networks.generator.connectors.named_parameters():
        if ".leave." in name:
            torch.nn.init.normal_(value, std=0.2)
    return save_pair_model(folder, config, {name: m.state_dict() for name, m in networks.files.items()})
