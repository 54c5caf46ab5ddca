"""Downloads weight files into the cache: fails fast when offline, resumes, verifies hashes.

NAME.partial is renamed once it is complete and its hash is right. An interrupted download resumes where it stopped,
in this run or a later one. If two processes need the same file, one downloads and the other waits.

huggingface_hub's downloader is not used: four of the published files are in a GitHub release, which `hf_hub_download`
cannot fetch (its `http_get` could, but is not public), and the same code (resume, lock, connect timeout, hash from the
card) serves both hosts.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import shutil
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from openfoley.errors import OutputError, WeightsError
from openfoley.media.settings import DISK_FULL
from openfoley.media.write.locks import try_lock

logger = logging.getLogger(__name__)

OFFLINE_VARIABLE = "OPENFOLEY_OFFLINE"
CACHE_VARIABLE = "OPENFOLEY_CACHE"
CONNECT_TIMEOUT_S = 3.0  # a slower answer counts as no network
READ_TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 20
ATTEMPTS = 5  # without new data, before giving up
MARGIN_BYTES = 100_000_000  # left free on the disk
LOCK_POLL_S = 0.5

Progress = Callable[[float, float], None]  # megabytes done, megabytes in total
Opener = Callable[[str, int], Any]  # url, first byte -> response of urllib


class Download(Protocol):
    """A file to fetch: `WeightFile`, `pair_files.BaseFile`. md5: the publisher's sum, or None."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def md5(self) -> str | None: ...


class NotPublished(WeightsError):
    """The server has no file of this name."""


def cache_folder() -> Path:
    """Where downloaded weights are kept: $OPENFOLEY_CACHE, else openfoley in the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "openfoley" / "weights"


def is_online(url: str, timeout_s: float = CONNECT_TIMEOUT_S) -> bool:
    """Whether the host of `url` (or the proxy for it) accepts a connection; returns within `timeout_s` in any case."""
    if os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
        return False
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    target = urllib.parse.urlsplit(proxy if proxy else url)
    port = target.port or (443 if target.scheme == "https" else 80)
    reached: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection((target.hostname or "", port), timeout=timeout_s).close()
            reached.append(True)
        except OSError:
            pass

    # A thread, since a DNS lookup has no timeout.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout_s)
    return bool(reached)


def fetch(file: Download, folder: Path, progress: Progress | None = None, opener: Opener | None = None) -> Path:
    """The file in `folder`, downloaded if missing. Raises WeightsError or OutputError."""
    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f"{file.name}.lock"):
            if not path.is_file():
                _fetch_whole(file, path, progress, opener or open_url)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise OutputError(
                f"the disk of {str(folder)!r} is full; free {_gigabytes(file.size_bytes)} or set {CACHE_VARIABLE} to a "
                f"folder elsewhere; the part of {file.name} already downloaded is kept"
            ) from None
        raise OutputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    return path


def open_url(url: str, first_byte: int) -> Any:
    headers = {"User-Agent": "openfoley", **({"Range": f"bytes={first_byte}-"} if first_byte else {})}
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=READ_TIMEOUT_S)


def _fetch_whole(file: Download, path: Path, progress: Progress | None, opener: Opener) -> None:
    partial = path.with_name(path.name + ".partial")
    there = partial.stat().st_size if partial.exists() else 0
    _check_space(file, path.parent, there)
    failures = 0
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            if _continue(file, partial, before, progress, opener):
                break
            reason = "the connection closed early"
        except urllib.error.HTTPError as error:
            if error.code != 416:  # the range starts at the end: it is already complete
                kind = NotPublished if error.code == http.client.NOT_FOUND else WeightsError
                raise kind(f"{file.url} answered {error.code} {error.reason}; {_by_hand(file, path)}") from None
            break
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = failures + 1 if (partial.stat().st_size if partial.exists() else 0) == before else 1
        if failures >= ATTEMPTS:
            raise WeightsError(f"{file.name} was not fetched completely ({reason}); run again to resume")
        time.sleep(min(2.0 ** (failures - 2), 10.0))
    check_hash(file, partial)
    partial.replace(path)


def _continue(file: Download, partial: Path, first_byte: int, progress: Progress | None, opener: Opener) -> bool:
    """Append what the server sends, from `first_byte` if it supports ranges; True if the file is complete."""
    with opener(file.url, first_byte) as response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        done = first_byte if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length is not None else None
        with partial.open("ab" if resumed else "wb") as out:
            while chunk := response.read(CHUNK_BYTES):
                out.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done / 1e6, max(total or file.size_bytes, done) / 1e6)
    return total is None or done >= total


def _check_space(file: Download, folder: Path, there: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < file.size_bytes - there + MARGIN_BYTES:
        raise OutputError(
            f"{file.name} needs {_gigabytes(file.size_bytes - there)}, the disk of {str(folder)!r} has "
            f"{_gigabytes(free)} free; free some, or set {CACHE_VARIABLE} to a folder elsewhere"
        )


def check_hash(file: Download, path: Path) -> None:
    """WeightsError if the hash differs from the published one or, without one, from that of the first download."""
    algorithm = "md5" if file.md5 else "sha256"
    with path.open("rb") as data:
        found = hashlib.file_digest(data, algorithm).hexdigest()
    record = path.parent / f"{file.name}.sha256"
    expected = file.md5
    if expected is None:
        expected = record.read_text().strip() if record.is_file() else found
        record.write_text(found + "\n")
    if found != expected:
        size = path.stat().st_size
        if path.suffix == ".partial":
            path.unlink()
        raise WeightsError(
            f"{str(path)!r} is not {file.name} as published: {algorithm} {found}, expected {expected} "
            f"({size} bytes, expected about {file.size_bytes}); remove it and fetch it again from {file.url}"
        )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time."""
    with lock.open("w") as handle:
        announced = False
        while not try_lock(handle.fileno()):
            if not announced:
                logger.info("waiting for another process that fetches %s", lock.stem)
                announced = True
            time.sleep(LOCK_POLL_S)
        yield


def _by_hand(file: Download, path: Path) -> str:
    return f"fetch it by hand and put it at {str(path)!r}"


def _gigabytes(count: int) -> str:
    return f"{max(count, 0) / 1e9:.1f} GB"
