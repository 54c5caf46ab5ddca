"""The command `openfoley`: the only place that prints and exits.

Progress and messages go to standard error; with --json one object goes to standard output. Every failure is one line,
`openfoley: error: ...`: exit code 2 for a wrong request, 1 for a failure, 130 after Ctrl-C.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from openfoley.cli.arguments import build_parser, protect_dashes
from openfoley.cli.messages import PHASES, Terminated, complain, explained, note, wants_traceback
from openfoley.errors import OpenFoleyError, UsageError
from openfoley.nn.process import prepare_process

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        parser = build_parser()
        parsed = parser.parse_args(protect_dashes(arguments))
        _quieten()
        prepare_process()
        return parsed.run(parsed) or 0
    except OpenFoleyError as error:
        if wants_traceback():
            raise
        complain(explained(error))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILURE
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except Terminated:
        complain("terminated")
        return 128 + signal.SIGTERM
    except BrokenPipeError:  # the reader of our output went away, as in `openfoley ... --json | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:  # a bug of ours, or a machine out of memory
        if wants_traceback():
            raise
        complain(explained(error))
        return EXIT_FAILURE
    finally:
        PHASES.end()


class Once(logging.Filter):
    """Lets a message pass once: stems and takes must not repeat what was said of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        is_new = text not in self.said
        self.said.add(text)
        return is_new


def _quieten() -> None:
    """Our own log lines to standard error; nothing from libraries, which only speak to developers."""
    if not wants_traceback():
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    others = list(logging.getLogger().handlers)  # of whoever calls `main` as a function
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("openfoley").setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:
        if handler not in others:
            handler.addFilter(Once())
    phase = logging.getLogger("openfoley.phase")
    phase.handlers, phase.propagate = [PHASES], False
    phase.setLevel(logging.DEBUG)

    def stop(_number: int, _frame: object) -> None:
        raise Terminated

    try:
        signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: someone calls `main` as a function
        note("SIGTERM is left to the caller")
