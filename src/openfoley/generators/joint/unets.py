"""The base networks, two U-Nets and the VAEs, of diffusers: no other module imports it, and this one only when a
network is built.

Forward hooks put a connector behind a level: it is added to the level's output, which on the way down also takes the
place of the level's last skip (arXiv 2409.17550's placement). Nothing of diffusers is changed; the hooks are removed
when the call ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn

from openfoley.errors import require_package
from openfoley.generators.joint.config import UNetConfig

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.models.unets.unet_motion_model import UNetMotionModel

Way = Literal["down", "up"]
Place = tuple[Way, int]
"""A level: on the way down or up, counted from the entrance."""


class Inserted(Protocol):
    """What is added to a level's output."""

    def __call__(self, x: Float[Tensor, "batch channels time a b"], /) -> Float[Tensor, "batch channels time a b"]: ...


def check_diffusers() -> None:
    """UsageError where the package of the base networks is missing."""
    require_package("diffusers", "joint", "generating sound and video together")


def video_unet(config: UNetConfig, motion_frames: int) -> UNetMotionModel:
    """AnimateDiff's: a U-Net over pictures with attention along time in every level."""
    check_diffusers()
    from diffusers.models.unets.unet_motion_model import UNetMotionModel

    down = ["CrossAttnDownBlockMotion" if attends else "DownBlockMotion" for attends in config.attends]
    up = ["CrossAttnUpBlockMotion" if attends else "UpBlockMotion" for attends in reversed(config.attends)]
    return UNetMotionModel(
        in_channels=config.channels, out_channels=config.channels, block_out_channels=config.widths,
        layers_per_block=config.layers, down_block_types=tuple(down), up_block_types=tuple(up),
        cross_attention_dim=config.condition, num_attention_heads=config.heads, norm_num_groups=config.groups,
        motion_num_attention_heads=config.heads, motion_max_seq_length=motion_frames, use_motion_mid_block=True,
    )  # fmt: skip


def audio_unet(config: UNetConfig) -> UNet2DConditionModel:
    """AudioLDM's: its text is one vector, joined to the time embedding; its "cross"-attention attends to x alone."""
    check_diffusers()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    down = ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in config.attends]
    up = ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(config.attends)]
    attended: Any = config.widths  # x itself; one for each level, which diffusers annotates as tuple[int]
    return UNet2DConditionModel(
        in_channels=config.channels, out_channels=config.channels, block_out_channels=config.widths,
        layers_per_block=config.layers, down_block_types=tuple(down), up_block_types=tuple(up),
        cross_attention_dim=attended, attention_head_dim=config.heads, norm_num_groups=config.groups,
        class_embed_type="simple_projection", projection_class_embeddings_input_dim=config.condition,
        class_embeddings_concat=True,
    )  # fmt: skip


def picture_vae(config: Mapping[str, Any]) -> AutoencoderKL:
    """Stable Diffusion's, or AudioLDM's for spectrograms as pictures of one channel. config: of its config.json."""
    check_diffusers()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    made = AutoencoderKL.from_config({key: value for key, value in config.items() if not key.startswith("_")})
    assert isinstance(made, AutoencoderKL)
    return made


def time_embedding(
    unet: UNetMotionModel | UNet2DConditionModel, timestep: Int64[Tensor, " batch"]
) -> Float[Tensor, "batch time_width"]:
    """Of the timestep alone, without text."""
    return unet.time_embedding(unet.time_proj(timestep).to(unet.dtype))


def time_width(config: UNetConfig) -> int:
    """Of the time embedding: four times the first level's, in both classes."""
    return 4 * config.widths[0]


def level_widths(config: UNetConfig, levels: tuple[bool, ...]) -> dict[Place, int]:
    """The channels behind every level that takes a connector."""
    down: dict[Place, int] = {("down", i): w for i, w in enumerate(config.widths) if levels[i]}
    mirrored = zip(reversed(config.widths), reversed(levels), strict=True)
    up: dict[Place, int] = {("up", i): w for i, (w, takes) in enumerate(mirrored) if takes}
    return down | up


@contextmanager
def inserted(unet: nn.Module, connectors: Mapping[Place, Inserted], frames: int | None) -> Iterator[None]:
    """The U-Net with connectors behind its levels, while the block runs. frames: of a video, folded into its batch."""
    with ExitStack() as stack:
        for (way, index), connector in connectors.items():
            level: nn.Module = getattr(unet, f"{way}_blocks")[index]
            handle = level.register_forward_hook(partial(_replace, connector, frames))
            stack.callback(handle.remove)
        yield


def _replace(connector: Inserted, frames: int | None, _level: nn.Module, _inputs: Any, output: Any) -> Any:
    """A level on the way down returns (x, skips), one on the way up x."""
    if not isinstance(output, tuple):
        return output + _added(connector, frames, output)
    x, skips = output
    y = x + _added(connector, frames, x)
    return y, (*skips[:-1], y)


def _added(
    connector: Inserted, frames: int | None, x: Float[Tensor, "folded channels a b"]
) -> Float[Tensor, "folded channels a b"]:
    if frames is None:  # time and frequency
        return connector(x[..., None]).squeeze(-1)
    y = connector(rearrange(x, "(b t) c h w -> b c t h w", t=frames))
    return rearrange(y, "b c t h w -> (b t) c h w")
