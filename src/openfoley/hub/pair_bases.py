"""The published base models of a joint model, from their files: U-Nets, VAEs, vocoder and text encoders.

Every network is built from its own config.json and filled strictly by name and shape, nothing is unpickled
(`hub.checkpoint`). No sums are published for these files, so that a fingerprint of each network's tensors is what
connectors are known by (`BaseIdentity`); the vocoder has none, since nothing that is trained depends on it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from openfoley.codecs.latent_pairs import LatentPairCodec
from openfoley.encoders.published_texts import ClapVector, ClipTokens, clap_tokenizer, clip_tokenizer
from openfoley.errors import WeightsError
from openfoley.generators.joint.bases import audio_config, clip_names, is_table, vae_names, video_config, without_tables
from openfoley.generators.joint.config import JointConfig, UNetConfig
from openfoley.generators.joint.model import JointGenerator, PairText
from openfoley.generators.joint.unets import check_diffusers, picture_vae
from openfoley.hub.cards.svg import PairCard, PartName
from openfoley.hub.checkpoint import read_checkpoint
from openfoley.hub.download import Progress
from openfoley.hub.filling import fill, unfilled
from openfoley.hub.fingerprint import tensors_fingerprint
from openfoley.hub.pair_files import PartFiles, obtain_bases

logger = logging.getLogger(__name__)

State = Mapping[str, Shaped[Tensor, "..."]]
SHOWN_DIGITS = 12
"""Of a fingerprint, in messages."""


@dataclass(frozen=True)
class BaseIdentity:
    """A network that connectors depend on. fingerprint: of its tensors, as its file has them."""

    part: str
    repository: str
    fingerprint: str


@dataclass(frozen=True)
class Bases:
    """states: of both U-Nets, by the names of `JointGenerator.video` and `.audio`, as stored."""

    video: UNetConfig
    audio: UNetConfig
    motion_frames: int
    states: Mapping[str, State]
    codec: LatentPairCodec
    texts: PublishedTexts
    identities: tuple[BaseIdentity, ...]

    def generator(self, config: JointConfig, dtype: torch.dtype, changed: State | None = None) -> JointGenerator:
        """Both U-Nets as published, frozen, in dtype; its connectors have no memory yet (`hub.filling.unfilled`).
        changed: tensors of U-Nets that were trained, `video.NAME` or `audio.NAME`, in place of the published ones."""
        generator = unfilled(lambda: JointGenerator(config))
        assert isinstance(generator, JointGenerator)
        for name, unet in (("video", generator.video), ("audio", generator.audio)):
            state = {key: value.to(dtype) for key, value in self.states[name].items()}
            own = {k.removeprefix(f"{name}."): v for k, v in (changed or {}).items() if k.startswith(f"{name}.")}
            if unknown := sorted(set(own) - set(state)):
                raise WeightsError(f"the {name} U-Net has no {unknown[0]!r}; these weights are of another one")
            state |= {key: value.to(dtype) for key, value in own.items()}
            _fill(unet, state, f"the {name} U-Net")
        return generator.to(dtype).eval().requires_grad_(False)

    def check_sizes(self, config: JointConfig, model: str) -> None:
        """WeightsError where these are not the U-Nets of a configuration."""
        ours = replace(config, video=self.video, audio=self.audio, motion_frames=self.motion_frames)
        for name in ("video", "audio", "motion_frames"):
            if (found := getattr(ours, name)) != (wanted := getattr(config, name)):
                raise WeightsError(
                    f"the base weights have another size than those of {model}: {name} {found}, expected {wanted}"
                )


class PublishedTexts:
    """`PairTexts` by CLIP and CLAP. name: of the model, for messages."""

    def __init__(self, clip: ClipTokens, clap: ClapVector, name: str) -> None:
        self.clip, self.clap, self.name = clip, clap, name

    def __call__(self, texts: Sequence[str]) -> PairText:
        return PairText(self.clip(texts), self.clap(texts))

    def check(self, text: str) -> None:
        for encoder in (self.clip, self.clap):
            encoder.check(text, self.name)


def load_bases(
    card: PairCard,
    device: torch.device,
    weights_dir: Path | None = None,
    progress: Progress | None = None,
    *,
    size: int,
) -> Bases:
    """size: of the pictures, pixels of a side. Codec and texts are in float32 on the device; the U-Nets' tensors stay
    on the CPU. WeightsError for what is missing or of another kind."""
    check_diffusers()
    files = obtain_bases(card, weights_dir, progress)
    logger.info("%s: no sums are published for its base weights, so that these files are not pinned", card.name)
    states: dict[PartName, State] = {}
    for name, wanted in files.items():
        if wanted.part.bytes:
            state = without_tables(read_checkpoint(wanted.paths[-1]))
            states[name] = _RENAMED.get(name, dict)(state)
    configs = {name: _config(files[name]) for name in states}
    video, frames = video_config(configs["unet"], configs["motion"], files["unet"].where)
    networks = {name: _network(name, configs[name], states[name], files[name], device) for name in _MADE}
    clip = ClipTokens(networks["clip"], clip_tokenizer(*files["clip-tokenizer"].paths), networks["clip"].config)
    clap = ClapVector(networks["clap"], clap_tokenizer(*files["clap-tokenizer"].paths), networks["clap"].config)
    identities = tuple(
        BaseIdentity(name, files[name].base.repository, tensors_fingerprint(states[name]))
        for name in states
        if name != "vocoder"
    )
    return Bases(
        video, audio_config(configs["audio-unet"], files["audio-unet"].where), frames,
        {"video": {**states["unet"], **states["motion"]}, "audio": states["audio-unet"]},
        LatentPairCodec(networks["vae"], networks["mel-vae"], networks["vocoder"], size),
        PublishedTexts(clip, clap, card.name), identities,
    )  # fmt: skip


def check_identities(found: Sequence[BaseIdentity], wanted: Sequence[BaseIdentity], what: str) -> None:
    """WeightsError where connectors were trained on other bases. what: the connectors."""
    ours = {identity.part: identity for identity in found}
    for theirs in wanted:
        own = ours.get(theirs.part)
        if own is None or own.fingerprint != theirs.fingerprint:
            is_here = "missing" if own is None else own.fingerprint[:SHOWN_DIGITS]
            raise WeightsError(
                f"{what} belong to other base weights: they were trained with the {theirs.part} "
                f"{theirs.fingerprint[:SHOWN_DIGITS]} ({theirs.repository}), this one is {is_here}; pass the weights "
                "of that training with --weights-dir, or train connectors on these"
            )


def _config(files: PartFiles) -> dict[str, Any]:
    path = files.paths[0]
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise WeightsError(f"{str(path)!r} holds no configuration")
    return found


def _network(
    name: PartName, config: Mapping[str, Any], state: State, files: PartFiles, device: torch.device
) -> nn.Module:
    try:
        network = unfilled(lambda: _MADE[name](config))
    except (TypeError, ValueError, KeyError) as error:  # of diffusers and transformers
        raise WeightsError(f"{files.where}: it cannot be built as configured: {str(error).splitlines()[0]}") from None
    _fill(network, {key: value.float() for key, value in state.items()}, files.where)
    return network.to(device).eval().requires_grad_(False)


def _fill(network: nn.Module, state: State, where: str) -> None:
    """All but the tables, which the network has computed."""
    own = {key: value for key, value in network.state_dict().items() if is_table(key)}
    fill(network, {**own, **state}, where, assign=True)


def _clip(config: Mapping[str, Any]) -> nn.Module:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig.from_dict(dict(config)))


def _clap(config: Mapping[str, Any]) -> nn.Module:
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    return ClapTextModelWithProjection(ClapTextConfig.from_dict(dict(config)))


def _vocoder(config: Mapping[str, Any]) -> nn.Module:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    return SpeechT5HifiGan(SpeechT5HifiGanConfig.from_dict(dict(config)))


_MADE: dict[PartName, Callable[[Mapping[str, Any]], nn.Module]] = {
    "vae": picture_vae, "mel-vae": picture_vae, "vocoder": _vocoder, "clip": _clip, "clap": _clap,
}  # fmt: skip
_RENAMED: dict[PartName, Callable[[State], dict[str, Tensor]]] = {
    "vae": vae_names, "mel-vae": vae_names, "clip": clip_names,
}  # fmt: skip
