"""oneDNN is kept from AMX, but not against a user's own setting."""

from __future__ import annotations

import os

import pytest

from openfoley.nn.onednn import LARGEST, SETTING, without_amx


def test_amx_is_left_out_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    without_amx()
    assert os.environ[SETTING] == LARGEST
    monkeypatch.setenv(SETTING, "AVX2")
    without_amx()
    assert os.environ[SETTING] == "AVX2"
