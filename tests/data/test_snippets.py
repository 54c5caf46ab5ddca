import torch
from hypothesis import given
from hypothesis import strategies as st

from openfoley.data.snippets import (
    Snippets,
    audio_ratio_is_right,
    first_sample,
    joined,
    pair_labels,
    random_snippets,
    shifted_snippets,
)


def test_ratio_filter_keeps_five_percent() -> None:
    assert audio_ratio_is_right(128000, 192, 16000, 24)
    assert audio_ratio_is_right(round(128000 * 1.049), 192, 16000, 24)
    assert not audio_ratio_is_right(round(128000 * 1.051), 192, 16000, 24)
    assert not audio_ratio_is_right(round(128000 * 0.949), 192, 16000, 24)
    assert not audio_ratio_is_right(0, 192, 16000, 24) and not audio_ratio_is_right(10, 0, 16000, 24)


def test_frames_map_to_the_nearest_sample() -> None:
    assert first_sample(torch.tensor([0, 1, 2, 3, 176])).tolist() == [0, 667, 1333, 2000, 117333]


@given(seed=st.integers(0, 10**6), frames=st.integers(36, 200))
def test_shifted_snippets_lie_2_to_10_frames_away_inside_the_video(seed: int, frames: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    snippets = random_snippets(3, 4, frames, generator)
    shifted = shifted_snippets(snippets, 2, frames, generator)
    shift = (shifted.start - snippets.start.repeat_interleave(2)).abs()
    assert torch.equal(shifted.video, snippets.video.repeat_interleave(2))
    assert shifted.start.min() >= 0 and shifted.start.max() <= frames - 16
    assert ((shift >= 2) & (shift <= 10)).all()


def activity(*largest: float) -> torch.Tensor:
    """[n, 64, 7] with one onset of each size, at another step for each row."""
    result = torch.zeros(len(largest), 64, 7)
    for row, value in enumerate(largest):
        result[row, 10 * row, :6] = value
    return result


def test_labels_separate_positive_negative_and_ignored_pairs() -> None:
    pictures = Snippets(torch.tensor([0, 0, 1]), torch.tensor([0, 40, 0]))
    sounds = joined(pictures, Snippets(torch.tensor([0, 0]), torch.tensor([1, 5])))
    own = activity(1, 1, 1)
    labels = pair_labels(pictures, sounds, own, torch.cat([own, activity(0, 0, 0, 1, 1)[3:]]), alike=0.01, still=0.1)
    assert labels[:, :3].tolist() == [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    assert labels[0, 3:].tolist() == [0, -1]  # one frame away: neither; five frames away: a stranger
    assert labels[2, 3:].tolist() == [-1, -1]  # the same start in another video


def test_silence_is_neither_pair_nor_stranger_of_silence() -> None:
    pictures = Snippets(torch.tensor([0, 0]), torch.tensor([0, 40]))
    silent = torch.zeros(2, 64, 7)
    assert (pair_labels(pictures, pictures, silent, silent, alike=0.01, still=0.1) == 0).all()


def test_a_click_is_a_stranger_to_a_silent_picture() -> None:
    pictures = Snippets(torch.tensor([0, 0]), torch.tensor([0, 40]))
    mixed = activity(0, 1)
    assert pair_labels(pictures, pictures, mixed, mixed, alike=0.001, still=0.1).tolist() == [[0, -1], [-1, 1]]
