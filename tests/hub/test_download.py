"""Downloads: resumed, verified, locked; offline at once; a full disk is reported."""

import hashlib
import http.client
import io
import threading
import time
import urllib.error
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openfoley.errors import OutputError, WeightsError
from openfoley.hub import download
from openfoley.hub.cards.base import WeightFile
from openfoley.hub.download import fetch, is_online

CONTENT = bytes(range(256)) * 4000
FILE = WeightFile(
    "some.pth", "https://example.invalid/some.pth", "network", "x", len(CONTENT), hashlib.md5(CONTENT).hexdigest(), "L"
)


class Response(io.BytesIO):
    """What a server answers: everything from `first` on, or only `sent` bytes of it before the line breaks."""

    def __init__(self, first: int, sent: int | None = None, ranges: bool = True, content: bytes = CONTENT) -> None:
        body = content[first:] if ranges else content
        super().__init__(body if sent is None else body[:sent])
        self.status = http.client.PARTIAL_CONTENT if ranges and first else http.client.OK
        self.headers = {"Content-Length": str(len(body))}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download.time, "sleep", lambda _s: None)


def test_an_interrupted_download_resumes_where_it_stopped(tmp_path: Path) -> None:
    asked: list[int] = []

    def opener(_url: str, first: int) -> Any:
        asked.append(first)
        return Response(first, 300_000)

    seen: list[float] = []
    path = fetch(FILE, tmp_path, lambda done, total: seen.append(done / total), opener)
    assert path.read_bytes() == CONTENT and asked == [0, 300_000, 600_000, 900_000]
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert not list(tmp_path.glob("*.partial"))


def test_a_later_run_uses_what_an_earlier_one_left(tmp_path: Path) -> None:
    (tmp_path / "some.pth.partial").write_bytes(CONTENT[:1000])
    asked: list[int] = []

    def opener(_url: str, first: int) -> Any:
        asked.append(first)
        return Response(first)

    assert fetch(FILE, tmp_path, opener=opener).read_bytes() == CONTENT and asked == [1000]


def test_a_server_without_ranges_starts_again(tmp_path: Path) -> None:
    (tmp_path / "some.pth.partial").write_bytes(b"old rubbish")
    path = fetch(FILE, tmp_path, opener=lambda _url, first: Response(first, ranges=False))
    assert path.read_bytes() == CONTENT


def test_a_line_that_stays_dead_is_an_error_that_keeps_what_came(tmp_path: Path) -> None:
    def opener(_url: str, first: int) -> Any:
        if first:
            raise urllib.error.URLError("no route to host")
        return Response(0, 5000)

    with pytest.raises(WeightsError, match="run again"):
        fetch(FILE, tmp_path, opener=opener)
    assert (tmp_path / "some.pth.partial").read_bytes() == CONTENT[:5000]


def test_other_content_than_published_is_refused_and_removed(tmp_path: Path) -> None:
    other = CONTENT[:-1] + b"\x00"
    with pytest.raises(WeightsError, match=f"expected {FILE.md5}"):
        fetch(FILE, tmp_path, opener=lambda _url, first: Response(first, content=other))
    assert not list(tmp_path.glob("some.pth*[!k]"))  # nothing but the lock


def test_a_file_without_published_hash_is_held_to_its_first_download(tmp_path: Path) -> None:
    unknown = replace(FILE, md5=None)
    path = fetch(unknown, tmp_path, opener=lambda _url, first: Response(first))
    download.check_hash(unknown, path)
    path.write_bytes(b"tampered")
    with pytest.raises(WeightsError, match="sha256"):
        download.check_hash(unknown, path)


def test_a_full_disk_is_reported_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _folder: usage(10, 10, 0))
    with pytest.raises(OutputError, match="0.0 GB free"):
        fetch(FILE, tmp_path, opener=lambda _url, _first: pytest.fail("fetched"))


def test_a_disk_that_fills_up_keeps_what_came(tmp_path: Path) -> None:
    class Full(Response):
        def read(self, *_count: Any) -> bytes:  # type: ignore[override]
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="is full"):
        fetch(FILE, tmp_path, opener=lambda _url, first: Full(first))


def test_of_two_that_need_a_file_one_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl")
    fetched: list[int] = []

    def opener(_url: str, first: int) -> Any:
        fetched.append(first)
        threading.Event().wait(0.2)
        return Response(first)

    threads = [threading.Thread(target=fetch, args=(FILE, tmp_path, None, opener)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [0] and (tmp_path / "some.pth").read_bytes() == CONTENT


def test_offline_is_known_within_seconds_even_if_names_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        download.socket, "create_connection", lambda *_a, **_k: [threading.Event().wait(9), io.BytesIO()][1]
    )
    begun = time.monotonic()
    assert not is_online("https://example.invalid/x", timeout_s=0.3)
    assert time.monotonic() - begun < 2
    monkeypatch.setattr(download.socket, "create_connection", lambda *_a, **_k: io.BytesIO())
    assert is_online("https://example.invalid/x")
    monkeypatch.setenv("OPENFOLEY_OFFLINE", "1")
    assert not is_online("https://example.invalid/x")
