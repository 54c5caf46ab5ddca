"""SelVA at its published size: settings, and the model folder of what was trained.

What stage 1 trains is published (19,485,824 parameters), what stage 2 trains is (22,052,800 at small-16k); steps, batch
and rates are not. Those here are MMAudio's recipe with smaller batches; nothing has been trained with them yet.
"""

from dataclasses import fields, replace
from pathlib import Path

from torch import nn

from openfoley.data.auto_mixing import Mixing
from openfoley.encoders.clip import ClipTextConfig, ClipTextEncoder
from openfoley.encoders.selective_synchformer import SELVA
from openfoley.encoders.synchformer import SynchformerEncoder
from openfoley.encoders.t5 import T5TextEncoder
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.errors import UsageError
from openfoley.hub.parts import Model, section
from openfoley.hub.save import tokenizers_of, write_folder
from openfoley.training.mmaudio.presets import as_mmaudio
from openfoley.training.salsa_v.presets import LARGE
from openfoley.training.selective.encoder import SelectiveEncoderTraining
from openfoley.training.selective.items import ItemDraws
from openfoley.types import WORDS

CLIPS = ItemDraws(Mixing(probability=0.75), scene_share=0.0, absent_share=0.0)
"""Of clips with labels: three in four are mixed with others (SelVA)."""
ENCODER = SelectiveEncoderTraining(
    draws=CLIPS, bank=0, items=16, steps=20_000, optimizer="adamw", learning_rate=1e-4, warmup_steps=1000,
    weight_decay=1e-6, validate_every=1000, validation_items=24, loaders=8,
)  # fmt: skip
GENERATOR = replace(as_mmaudio(LARGE), steps=20_000, warmup_steps=1000, weight_decay=1e-6)
BATCH_CLIPS = 32  # of stage 2
UNIT_WIDTH, UNIT_MULTIPLE = 2 / 3, 256  # of a gated unit: of the MLP that it replaces, rounded up


def selection_of(teacher: SynchformerEncoder, words: T5TextEncoder) -> TextSelectionConfig:
    """SelVA's on this encoder; its [SUP] tokens start at random, so that five are not one (`text_selection`)."""
    shape = teacher.config
    units = -(-int(UNIT_WIDTH * shape.mlp_size) // UNIT_MULTIPLE)
    return replace(
        SELVA.selection, width=shape.hidden_size, heads=shape.heads, text_dim=words.config.width,
        mlp_width=units * UNIT_MULTIPLE, start="random",
    )  # fmt: skip


def words_of(model: Model, weights_dir: Path | None) -> T5TextEncoder:
    """The model's T5, or FLAN-T5 as SelVA's card names it."""
    if WORDS in model.parts:
        words = model.parts[WORDS]
    else:
        from openfoley.hub.foreign import load_words

        words = load_words(model.device, weights_dir)
    if not isinstance(words, T5TextEncoder):
        raise UsageError(f"{model.name} selects by another text encoder than T5")
    return words


def write_model(folder: Path, base: Model, sync: nn.Module, words: T5TextEncoder, generator: nn.Module) -> Path:
    """A model folder of SelVA's kind: the base's codec and CLIP's text, and what was trained; without rounding."""
    parts = {part: base.parts[part] for part in ("codec", "semantic")}
    parts |= {"semantic": text_alone(base.parts["semantic"]), "sync": sync, WORDS: words, "generator": generator}
    configs = {part: section(part, module.config) for part, module in parts.items()}
    tensors = {part: module.state_dict() for part, module in parts.items()}
    return write_folder(folder, f"selective-{base.name}", configs, tensors, tokenizers_of(parts), exact=True)


def text_alone(clip: nn.Module) -> ClipTextEncoder:
    """CLIP without its picture tower."""
    if type(clip) is ClipTextEncoder:
        return clip
    if not isinstance(clip, ClipTextEncoder):
        raise UsageError("the model's text encoder is not CLIP; pass mmaudio-small-16k or a model like it")
    shape = ClipTextConfig(**{field.name: getattr(clip.config, field.name) for field in fields(ClipTextConfig)})
    text = ClipTextEncoder(shape, clip.tokenizer.to_str())
    text.text = clip.text
    return text
