"""A model of MMAudio's shape: 16 kHz in one channel, 25 Hz frames for Synchformer, CLIP's 77 text tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def mmaudio_folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real classes, tiny, with random weights. The vocoder's width is a constant: narrow while this lives."""
    from openfoley.codecs import bigvgan, mel_vae
    from openfoley.codecs.mmaudio import CODEC_16K, MMAudioCodec
    from openfoley.encoders.clip import DFN5B_VIT_H_14, ClipEncoder
    from openfoley.encoders.clip_tokenizer import clip_tokenizer
    from openfoley.encoders.synchformer import SYNCHFORMER, SynchformerEncoder
    from openfoley.generators.mmaudio.config import SMALL_16K
    from openfoley.generators.mmaudio.model import MMAudioGenerator
    from openfoley.hub.parts import Model
    from openfoley.hub.save import save_model

    torch.manual_seed(7)
    narrow = pytest.MonkeyPatch()
    narrow.setattr(bigvgan, "INITIAL_CHANNELS", 64)
    vae = mel_vae.MelVaeConfig(mel_bands=8, latent_dim=4, width=8, attention_reach=9)
    vocoder = bigvgan.BigVganConfig(mel_bands=8, rates=(4, 4, 4, 4), final_bias=False, squash="clamp")
    codec = MMAudioCodec(replace(CODEC_16K, vae=vae, vocoder=vocoder))
    tokenizer = clip_tokenizer(["h e", "he l"]).to_str()
    towers = {"vision_width": 32, "vision_layers": 1, "vision_heads": 2, "vision_mlp": 32, "embedding": 32}
    towers |= {"text_width": 32, "text_layers": 1, "text_heads": 2, "text_mlp": 32}
    clip = ClipEncoder(replace(DFN5B_VIT_H_14, **towers, shown_size=30, image_size=28, vocabulary=600), tokenizer)
    small = {"image_size": 32, "hidden_size": 32, "heads": 2, "mlp_size": 32, "layers": 1}
    synchformer = SynchformerEncoder(replace(SYNCHFORMER, **small))
    sizes = {"semantic_dim": 32, "sync_dim": 32, "text_dim": 32, "width": 32, "heads": 1, "mlp_width": 32}
    generator = MMAudioGenerator(replace(SMALL_16K, **sizes, latent_dim=4, joint_blocks=1, audio_blocks=1))
    for parameter in (*synchformer.parameters(), *generator.parameters()):
        torch.nn.init.normal_(parameter, std=0.1)
    parts = {"codec": codec, "sync": synchformer, "semantic": clip, "generator": generator}
    model = Model.of_parts("tiny-mmaudio", parts, config={})
    yield save_model(tmp_path_factory.mktemp("model") / "mmaudio", model)
    narrow.undo()
