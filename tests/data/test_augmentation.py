from dataclasses import replace

import torch

from openfoley.data.augmentation import STRONG, PictureAugmentation, augment, random_boxes, read_along_grid

NONE = PictureAugmentation(0.0, 1.0, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
PICTURES = torch.randint(0, 256, (3, 4, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def changed_by(pictures: torch.Tensor, strength: PictureAugmentation, generator: torch.Generator) -> torch.Tensor:
    return augment(pictures, random_boxes(len(pictures), strength, generator), strength, generator)


def test_only_the_box_is_shown_and_mirrored_where_its_width_is_negative() -> None:
    boxes = torch.tensor([[0.5, 0.0, 0.5, 0.5], [0.0, 0.0, -1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    shown = augment(PICTURES, boxes, NONE, torch.Generator())
    plain = PICTURES.float() / 255
    torch.testing.assert_close(shown[1:], torch.stack([plain[1].flip(-1), plain[2]]))
    quarter = plain[0][..., :12, 12:]
    assert (shown[0].mean((-1, -2)) - quarter.mean((-1, -2))).abs().max() < 0.02
    torch.testing.assert_close(shown[0][..., 0, 0], quarter[..., 0, 0], atol=0.01, rtol=0)


def test_no_strength_changes_nothing() -> None:
    torch.testing.assert_close(changed_by(PICTURES, NONE, torch.Generator()), PICTURES.float() / 255)


def test_the_generator_alone_decides() -> None:
    one, two = (changed_by(PICTURES, STRONG, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two) and one.min() >= 0 and one.max() <= 1


def test_a_still_snippet_stays_still() -> None:
    still = PICTURES[:, :1].expand(-1, 4, -1, -1, -1)
    changed = changed_by(still, replace(STRONG, noise=0.0), torch.Generator().manual_seed(1))
    torch.testing.assert_close(changed[:, 0], changed[:, 3])


def test_rows_are_changed_in_their_own_ways() -> None:
    same = PICTURES[:1].expand(3, -1, -1, -1, -1)
    changed = changed_by(same, STRONG, torch.Generator().manual_seed(1))
    assert (changed[0] - changed[1]).abs().mean() > 0.01


def test_what_a_gpu_reads_along_a_grid_is_what_a_cpu_cuts_out() -> None:
    boxes = torch.tensor([[0.25, 0.5, 0.5, 0.5], [0.0, 0.25, -0.75, 0.75], [0.0, 0.0, 1.0, 1.0]])  # of whole pixels
    cut = augment(PICTURES, boxes, NONE, torch.Generator()) * 255
    torch.testing.assert_close(read_along_grid(PICTURES, boxes), cut, atol=1.01, rtol=0)  # the CPU's are whole levels
