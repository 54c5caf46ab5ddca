"""Models of sound and picture together (arXiv 2409.17550): one that is trained on the Gym, and the published sizes.

They are another family of models than `generate` uses, with cards of their own.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class BaseModel:
    """A published base model on the Hugging Face Hub."""

    repository: str
    licence: str


@dataclass(frozen=True)
class PairCard:
    """parameters: of all networks that sample. shipped: the weights come with this package."""

    name: str
    task: str
    scope: str
    clip: str
    parameters: int
    licence: str
    shipped: bool
    bases: tuple[BaseModel, ...] = ()


TRAIN_GYM = (
    "train it with `openfoley train pair --stage video|audio|connectors --preset gym --data gym --out DIR` (three "
    "stages, in this order) and pass --model DIR/model"
)
CONNECTORS_MISSING = (
    "no connectors are published for these base models, and this version does not load the base checkpoints; train a "
    "small model: `openfoley train pair --stage video|audio|connectors --preset gym --data DIR --out DIR`"
)

GYM = PairCard(
    name="svg-gym",
    task="text to video with sound; sound for a video; video for a sound",
    scope="Foley Gym close-ups of 2 s; not for real footage",
    clip="2 s: 16 frames of 32 x 32 pixels, 16 kHz mono",
    parameters=6_598_272,
    licence="Apache-2.0",
    shipped=True,
)
ANIMATEDIFF_AUDIOLDM = PairCard(
    name="svg-animatediff-audioldm",
    task=GYM.task,
    scope="real footage, with connectors that the user trains; none are published",
    clip="4 s: 32 frames of 256 x 256 pixels, 16 kHz mono",
    parameters=2_196_428_891,
    licence="CC-BY-NC-SA 4.0 (AudioLDM), CreativeML OpenRAIL-M (Stable Diffusion 1.5)",
    shipped=False,
    bases=(
        BaseModel("SG161222/Realistic_Vision_V5.1_noVAE", "CreativeML OpenRAIL-M"),
        BaseModel("guoyww/animatediff-motion-adapter-v1-5-2", "Apache-2.0"),
        BaseModel("cvssp/audioldm-m-full", "CC-BY-NC-SA 4.0"),
    ),
)
PAIR_CARDS = {card.name: card for card in (GYM, ANIMATEDIFF_AUDIOLDM)}
