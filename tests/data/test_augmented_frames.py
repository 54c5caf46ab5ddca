import numpy as np

from openfoley.data.augmented_frames import AugmentedFrames

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 9, 3, 24, 24), dtype=np.uint8)


def test_a_scene_depends_on_its_seed_alone_and_on_no_other_reader() -> None:
    changed = AugmentedFrames(FRAMES, [7, 8, 9])
    assert changed.shape == FRAMES.shape
    every = changed[slice(0, 3), slice(None)]
    assert every.dtype == np.uint8 and every.shape == FRAMES.shape
    np.testing.assert_array_equal(changed[slice(1, 2), slice(None, None, 3)], every[1:2, ::3])
    np.testing.assert_array_equal(AugmentedFrames(FRAMES[2:], [9])[slice(0, 1), slice(None)], every[2:])


def test_every_scene_looks_otherwise_and_as_no_picture_that_was_there() -> None:
    same = np.repeat(FRAMES[:1], 3, 0)
    changed = AugmentedFrames(same, [7, 8, 9])[slice(0, 3), slice(None)].astype(float)
    apart = [np.abs(one - other).mean() for one, other in zip(changed, np.roll(changed, 1, 0), strict=True)]
    assert min(apart) > 3 and np.abs(changed - same).mean((1, 2, 3, 4)).min() > 3


def test_nothing_moves() -> None:
    """A bright spot stays where it is, whatever its colour becomes."""
    dark = np.full((8, 6, 3, 24, 24), 60, dtype=np.uint8)
    dark[..., 6:12, 3:9] = 200
    changed = AugmentedFrames(dark, range(8))[slice(0, 8), slice(None)].astype(float).mean((1, 2))
    contrast = changed - changed.mean((1, 2), keepdims=True)
    for scene in contrast:
        rows, columns = (np.clip(scene, 0, None).sum(axis) for axis in (1, 0))
        assert abs((rows * np.arange(24)).sum() / rows.sum() - 8.5) < 1.5
        assert abs((columns * np.arange(24)).sum() / columns.sum() - 5.5) < 1.5
