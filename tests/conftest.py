"""Every test is offline and seeded. Thread counts are left to the machine."""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import shape_checks

if TYPE_CHECKING:
    from openfoley.pipeline import Pipeline

TEST_SEED = 1234
sys.path.insert(0, str(Path(__file__).parent / "goldens"))  # `import seeded`, the weights of the golden checks
shape_checks.install()


@pytest.fixture(autouse=True, scope="session")
def no_matrix_tiles() -> None:
    """As the commands do, before the first layer runs."""
    from openfoley.nn.onednn import without_amx

    without_amx()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens an internet connection fails, whatever the machine."""

    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family == socket.AF_UNIX:
            return real_connect(self, address)  # type: ignore[arg-type]
        raise OSError(f"the tests are offline; something tried to reach {address!r}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")


@pytest.fixture(autouse=True)
def seeded() -> None:
    random.seed(TEST_SEED)
    np.random.seed(TEST_SEED)
    torch.manual_seed(TEST_SEED)


@pytest.fixture(autouse=True)
def quiet_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a phase may take longer than the second after which it is announced."""
    from openfoley.cli import messages

    monkeypatch.setattr(messages, "ANNOUNCE_AFTER_S", 600.0)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: the real classes, tiny, with random weights."""
    from openfoley.codecs import oobleck
    from openfoley.encoders import semantic, sync
    from openfoley.encoders.tokenizer import train_tokenizer
    from openfoley.generators.salsa_v import config as salsa_v
    from openfoley.generators.salsa_v.model import SalsaVGenerator
    from openfoley.hub.parts import Model
    from openfoley.hub.save import save_model

    torch.manual_seed(TEST_SEED)
    wide = {"hidden_size": 32, "heads": 2, "mlp_size": 32}
    codec = oobleck.OobleckCodec(replace(oobleck.GYM, widths=(8, 8, 8, 8)))
    pictures = {"image_size": 32, "patch_size": 16, **wide}
    seeing = sync.SyncEncoder(replace(sync.GYM, **pictures, spatial_layers=1))
    tokenizer = train_tokenizer(["a wooden ball bounces on the floor"], 400).to_str()
    meaning = semantic.SemanticEncoder(
        replace(semantic.GYM, **pictures, vision_layers=1, text_layers=1, vocabulary=400), tokenizer
    )
    generator = SalsaVGenerator(
        replace(
            salsa_v.GYM,
            semantic_dim=32,
            sync_dim=32,
            text_dim=32,
            width=32,
            heads=2,
            mlp_width=32,
            joint_blocks=1,
            audio_blocks=1,
            modulation_rank=8,
        )
    )
    for parameter in generator.parameters():  # zero-initialised gates would make every condition silent
        torch.nn.init.normal_(parameter, std=0.05)
    parts = {"codec": codec, "sync": seeing, "semantic": meaning, "generator": generator}
    model = Model.of_parts("tiny", parts, config={})
    return save_model(tmp_path_factory.mktemp("model") / "tiny", model)


@pytest.fixture(scope="session")
def selective_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of SelVA's kind, tiny, with random weights: a text selects from what the generator sees."""
    from openfoley.encoders import clip, clip_tokenizer, selective_synchformer, t5
    from openfoley.encoders.tokenizer import train_tokenizer
    from openfoley.generators.mmaudio.config import GYM
    from openfoley.generators.mmaudio.model import MMAudioGenerator
    from openfoley.hub.load import load_model
    from openfoley.hub.parts import Model
    from openfoley.hub.save import save_model

    torch.manual_seed(TEST_SEED)
    selva = selective_synchformer.SELVA
    small = {"image_size": 32, "hidden_size": 32, "heads": 2, "mlp_size": 32, "layers": 1}
    selection = replace(selva.selection, width=32, heads=2, text_dim=24, mlp_width=32)
    seeing = selective_synchformer.SelectiveSynchformer(
        selective_synchformer.SelectiveSynchformerConfig(replace(selva.trunk, **small), selection)
    )
    pieces = train_tokenizer(["a wooden ball bounces on the floor"], 400).to_str()
    wide = {"width": 24, "layers": 1, "heads": 2, "head_width": 12, "mlp_width": 32}
    words = t5.T5TextEncoder(replace(t5.FLAN_T5_BASE, **wide, vocabulary=400, longest=64), pieces)
    merges = clip_tokenizer.clip_tokenizer(["b a", "l l</w>"])
    narrow = {"text_width": 32, "text_layers": 1, "text_heads": 2, "text_mlp": 32}
    saying = clip.ClipTextEncoder(
        replace(clip.DFN5B_TEXT, **narrow, vocabulary=merges.get_vocab_size()), merges.to_str()
    )
    sizes = {"semantic_dim": 32, "sync_dim": 32, "text_dim": 32, "text_tokens": 77, "width": 32, "heads": 1}
    stretched = {"sync_segment": 8, "window_latents": 86, "clock": "stretched"}
    generator = MMAudioGenerator(replace(GYM, **sizes, **stretched, mlp_width=32, audio_blocks=1))
    for parameter in [*seeing.parameters(), *words.parameters(), *generator.parameters()]:
        torch.nn.init.normal_(parameter, std=0.2)
    parts = {"codec": load_model(tiny_model).parts["codec"], "sync": seeing, "semantic": saying}
    parts |= {"generator": generator, "words": words}
    return save_model(tmp_path_factory.mktemp("model") / "selective", Model.of_parts("tiny-selva", parts, config={}))


@pytest.fixture(scope="session")
def selva(selective_model: Path) -> Pipeline:
    """The pipeline of a tiny model of SelVA's kind."""
    from openfoley.pipeline import load

    return load(selective_model)


@pytest.fixture(scope="session")
def film(make_video: Callable[..., Path]) -> Path:
    """4.48 s with sound: several windows, 13 segments of Synchformer."""
    return make_video(duration_s=4.48, rate=Fraction(25), sound=True)


@pytest.fixture
def trunk_calls(selva: Pipeline, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of segments in each call of the selective encoder's trunk."""
    from openfoley.encoders.selective_synchformer import SelectiveSynchformer

    encoder, calls = selva.model.encoders["sync"], list[int]()
    assert isinstance(encoder, SelectiveSynchformer)
    tokens = encoder.trunk.tokens

    def counted(segments: torch.Tensor) -> torch.Tensor:
        calls.append(len(segments))
        return tokens(segments)

    monkeypatch.setattr(encoder.trunk, "tokens", counted)
    return calls


@pytest.fixture(scope="session")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """make_video(name, duration_s, rate, sound) writes a moving bright square, with a click track if `sound`."""

    def make(
        name: str = "video.mp4", duration_s: float = 2.0, rate: Fraction = Fraction(24), sound: bool = False
    ) -> Path:
        from openfoley.media.write.encode import write_video
        from openfoley.types import Audio

        path = tmp_path_factory.mktemp("video") / name
        count = round(duration_s * rate)

        def pictures() -> Iterator[torch.Tensor]:
            for k in range(count):
                frame = torch.full((1, 3, 48, 64), 40, dtype=torch.uint8)
                left = 2 + (3 * k) % 50
                frame[:, :, 16:32, left : left + 12] = 230
                yield frame

        clicks = torch.zeros(2, round(duration_s * 44100))
        clicks[:, ::11025] = 0.5
        write_video(path, pictures(), rate, audio=Audio(clicks, 44100) if sound else None)
        return path

    return make
