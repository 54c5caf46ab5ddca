"""Samples in a temporary file, read while they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from openfoley.media.sample_file import SampleFile


@pytest.mark.parametrize("named", [False, True])
def test_readers_do_not_disturb_one_another(tmp_path: Path, named: bool) -> None:
    samples = torch.arange(24.0).reshape(2, 12)
    file = SampleFile(2, tmp_path / "a.f32" if named else None)
    file.append(samples[:, :8])
    file.settle()
    first, second = file.chunks(3), file.chunks(5)
    read = [next(first), next(second), next(first)]
    file.append(samples[:, 8:])
    file.close()
    assert torch.equal(torch.cat([read[0], read[2], *first], 1), samples)
    assert torch.equal(torch.cat([read[1], *second], 1), samples)


def test_a_mapped_file_is_all_samples_with_and_without_a_name(tmp_path: Path) -> None:
    samples = torch.randn(2, 1000)
    for path in (None, tmp_path / "kept.f32"):
        file = SampleFile(2, path)
        for piece in samples.split(300, 1):
            file.append(piece)
        file.close()
        assert torch.equal(file.mapped(), samples)
    assert SampleFile(2).mapped().shape == (2, 0)
