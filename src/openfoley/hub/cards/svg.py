"""Models of sound and picture together (arXiv 2409.17550): one that is trained on the Gym, and the published sizes.

They are another family of models than `generate` uses, with cards of their own.
"""

from dataclasses import dataclass
from typing import Literal

PartName = Literal[
    "unet", "motion", "vae", "clip", "clip-tokenizer", "audio-unet", "mel-vae", "vocoder", "clap", "clap-tokenizer"
]
CONFIG = "config.json"
VOCABULARY = ("vocab.json", "merges.txt")
DIFFUSERS_NAMES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
TRANSFORMERS_NAMES = ("model.safetensors", "pytorch_model.bin")
HUB = "https://huggingface.co/{repository}/resolve/main/{path}"


@dataclass(frozen=True)
class BasePart:
    """A network of a published model, or a tokenizer. place: its folder in the repository. files: all are needed; of
    several names for one, the first that is there. bytes: of the weights, about: 4 for each element."""

    name: PartName
    place: str
    files: tuple[tuple[str, ...], ...]
    bytes: int


@dataclass(frozen=True)
class BaseModel:
    """A repository of the Hugging Face Hub. The publishers give no sums of its files."""

    repository: str
    licence: str
    parts: tuple[BasePart, ...]


@dataclass(frozen=True)
class PairCard:
    """parameters: of all networks that sample. shipped: the weights come with this package. memory_bytes: peak of
    sampling on a CPU in float32; measured for the small model (Python and torch are most of it), for the published size
    counted without those (benchmarks/joint_memory.py)."""

    name: str
    task: str
    scope: str
    clip: str
    parameters: int
    licence: str
    shipped: bool
    memory_bytes: int
    bases: tuple[BaseModel, ...] = ()

    @property
    def download_bytes(self) -> int:
        """Of the base models, about."""
        return sum(part.bytes for base in self.bases for part in base.parts)


def _network(name: PartName, place: str, names: tuple[str, ...], parameters: int) -> BasePart:
    return BasePart(name, place, ((CONFIG,), names), 4 * parameters)


def _tokenizer(name: PartName) -> BasePart:
    return BasePart(name, "tokenizer", tuple((file,) for file in VOCABULARY), 0)


TRAIN_GYM = (
    "train it with `openfoley train pair --stage video|audio|connectors --preset gym --data gym --out DIR` (three "
    "stages, in this order) and pass --model DIR/model"
)
CONNECTORS_MISSING = (
    "no connectors are published for these base models; train some: `openfoley train pair --stage connectors --preset "
    "full --data DIR --out OUT`, then pass --model OUT/model (published ones on Google Drive: `openfoley convert FILE "
    "DIR --weights-dir BASES`)"
)

GYM = PairCard(
    name="svg-gym",
    task="text to video with sound; sound for a video; video for a sound",
    scope="Foley Gym close-ups of 2 s; not for real footage",
    clip="2 s: 16 frames of 32 x 32 pixels, 16 kHz mono",
    parameters=6_598_272,
    licence="Apache-2.0",
    shipped=True,
    memory_bytes=550_000_000,
)
ANIMATEDIFF_AUDIOLDM = PairCard(
    name="svg-animatediff-audioldm",
    task=GYM.task,
    scope="real footage, with connectors that the user trains; none are published",
    clip="4 s: 32 frames of 256 x 256 pixels, 16 kHz mono",
    parameters=2_196_428_891,
    licence="CC-BY-NC-SA 4.0 (AudioLDM), CreativeML OpenRAIL-M (Stable Diffusion 1.5)",
    shipped=False,
    memory_bytes=13_139_248_960,
    bases=(
        BaseModel(
            "SG161222/Realistic_Vision_V5.1_noVAE",
            "CreativeML OpenRAIL-M",
            (
                _network("unet", "unet", DIFFUSERS_NAMES, 859_520_964),
                _network("vae", "vae", DIFFUSERS_NAMES, 83_653_863),
                _network("clip", "text_encoder", TRANSFORMERS_NAMES, 123_060_480),
                _tokenizer("clip-tokenizer"),
            ),
        ),
        BaseModel(
            "guoyww/animatediff-motion-adapter-v1-5-2",
            "Apache-2.0 (AnimateDiff's; the repository itself has no licence file)",
            (_network("motion", "", DIFFUSERS_NAMES, 453_210_000),),
        ),
        BaseModel(
            "cvssp/audioldm-m-full",
            "CC-BY-NC-SA 4.0",
            (
                _network("audio-unet", "unet", DIFFUSERS_NAMES, 415_950_000),
                _network("mel-vae", "vae", DIFFUSERS_NAMES, 55_376_873),
                _network("vocoder", "vocoder", TRANSFORMERS_NAMES, 55_264_897),
                _network("clap", "text_encoder", TRANSFORMERS_NAMES, 125_302_016),
                _tokenizer("clap-tokenizer"),
            ),
        ),
    ),
)
PAIR_CARDS = {card.name: card for card in (GYM, ANIMATEDIFF_AUDIOLDM)}
