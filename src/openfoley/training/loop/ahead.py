"""What the next steps need, made by threads while this one is computed (decoding, resizing: both release Python)."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """make: what a step needs, from its number alone. steps: of the training. threads: 0: nothing is made ahead."""

    def __init__(self, make: Callable[[int], T], steps: int, threads: int) -> None:
        self.make, self.steps, self.threads = make, steps, threads
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._waiting: dict[int, Future[T]] = {}

    def of(self, step: int) -> T:
        """The step's, and those of the next `threads` steps are begun."""
        if self._pool is None:
            return self.make(step)
        for number in range(step, min(step + 1 + self.threads, self.steps)):
            if number not in self._waiting:
                self._waiting[number] = self._pool.submit(self.make, number)
        return self._waiting.pop(step).result()
