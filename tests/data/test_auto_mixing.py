"""Auto-mixing: the published mixture where it is sound, and what goes beyond it."""

import pytest
import seeded
import torch
from safetensors.torch import load_file

from openfoley.data.auto_mixing import LAYOUTS, PARTNERS, Mix, Mixing, draw_mix, mixed, squeezed


def pictures(value: int) -> torch.Tensor:
    return torch.full((2, 3, 32, 32), value, dtype=torch.uint8)


@pytest.mark.parametrize(("number", "width", "count"), [(0, 11, 3), (1, 25, 4), (2, 31, 3)])
def test_panels_are_the_published_ones_normalised_once(number: int, width: int, count: int) -> None:
    """Item i of a batch has B - 1 - i at its right; the first `count` are mixed. Reached 1e-7."""
    frames = (0.5 * seeded.noise("input.mix_frames_32", (4, 2, 3, 32, 32))).clamp(-1, 1)
    made = frames.clone()
    for k in range(count):
        made[k] = torch.cat([squeezed(frames[k], 32, width), squeezed(frames[3 - k], 32, 32 - width)], -1)
    expected = load_file(seeded.FOLDER / "selva_mixing.safetensors")[f"normalised_once.{number}"]
    torch.testing.assert_close(made.flatten()[::7], expected, atol=1e-5, rtol=0)


def test_panels_at_the_encoder_s_size_before_the_released_second_normalisation() -> None:
    """The released code normalises mixed frames twice, x to 2 x - 1; its width is int(0.4 * 224). Reached 5e-7."""
    frames = (0.5 * seeded.noise("input.mix_frames_224", (2, 1, 3, 224, 224))).clamp(-1, 1)
    made = torch.cat([squeezed(frames[:, 0], 224, 89), squeezed(frames.flip(0)[:, 0], 224, 135)], -1)
    released = load_file(seeded.FOLDER / "selva_mixing.safetensors")["as_released_224"]
    torch.testing.assert_close(made.flatten()[:: made.numel() // 8192], (released + 1) / 2, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("layout", "place"), [(layout, place) for layout in LAYOUTS for place in range(PARTNERS[layout] + 1)]
)
def test_the_target_covers_its_share_wherever_it_is_put(layout: str, place: int) -> None:
    partners = torch.stack([pictures(0)] * PARTNERS[layout])
    made = mixed(pictures(255), partners, Mix(layout, 0.4, place, (0.5, 0.5)))
    assert made.shape == (2, 3, 32, 32) and made.dtype == torch.uint8
    covered = float(made.float().mean() / 255)
    expected = {"beside": 0.375, "stacked": 0.375, "quads": 0.375**2}
    if layout in expected:
        assert covered == expected[layout]
        column, row = place % 2 if layout != "stacked" else 0, place // 2 if layout == "quads" else place
        y = -1 if row == 1 and layout != "beside" else 0
        assert int(made[0, 0, y, -1 if column else 0]) == 255
    else:
        box = 0.4 if place == 0 else 0.6
        ellipse = 0.785 * box**2
        assert abs(covered - (ellipse if place == 0 else 1 - ellipse)) < 0.1


def test_what_bicubic_overshoots_is_clamped_not_wrapped() -> None:
    stripes = pictures(0)
    stripes[..., 8:16] = 255
    stripes[..., 20:27] = 255
    made = mixed(stripes, pictures(255)[None], Mix("beside", 0.7, 0, (0, 0)))
    assert float(squeezed(stripes.float(), 32, 22).min()) < 0
    expected = squeezed(stripes.float(), 32, 22).clamp(0, 255)
    assert float((made[..., :22].float() - expected).abs().max()) <= 0.5 and int(made[..., 22:].min()) == 255


def test_shares_keep_their_bounds_without_a_point_mass_and_every_item_draws_its_own() -> None:
    random = torch.Generator().manual_seed(0)
    drawn = [draw_mix(Mixing(alpha=0.5), random) for _ in range(800)]
    mixes = [mix for mix in drawn if mix is not None]
    assert abs(len(mixes) / 800 - 0.75) < 0.05
    shares = [mix.share for mix in mixes]
    assert min(shares) >= 0.2 and max(shares) <= 0.8 and len(set(shares)) == len(shares)
    assert {mix.layout for mix in mixes} == set(LAYOUTS)
    beside = [mix.place for mix in mixes if mix.layout == "beside"]
    assert 0.4 < sum(beside) / len(beside) < 0.6
    assert {mix.place for mix in mixes if mix.layout == "quads"} == {0, 1, 2, 3}
    assert draw_mix(Mixing(probability=0.0), random) is None
