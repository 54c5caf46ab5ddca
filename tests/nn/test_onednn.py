"""oneDNN is kept from AMX, but not against a user's own setting."""

from __future__ import annotations

import os

import pytest
import torch
from torch.nn.functional import conv1d

from openfoley.nn.onednn import LARGEST, SETTING, without_amx


def test_amx_is_left_out_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    without_amx()
    assert os.environ[SETTING] == LARGEST
    monkeypatch.setenv(SETTING, "AVX2")
    without_amx()
    assert os.environ[SETTING] == "AVX2"


def test_a_strided_convolution_in_bfloat16_is_right() -> None:
    """Wrong with AMX (docs/log.md, X10); the whole run of tests is kept from it, as the commands are."""
    x, w = torch.randn(2, 2, 8192), torch.randn(8, 2, 32)
    right = conv1d(x, w, stride=8, padding=12)
    rounded = conv1d(x.bfloat16(), w.bfloat16(), stride=8, padding=12).float()
    assert (rounded - right).norm() < 0.02 * right.norm()
