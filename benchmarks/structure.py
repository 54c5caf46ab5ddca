"""Metrics of the code's structure: python benchmarks/structure.py [COMMIT] [--option NAME].

Lines under src by folder and of the core (types, pipeline, flow, the SALSA-V generator and its training loop),
functions with more than MOST_PARAMETERS parameters (self counted), files in which a sampling option's name occurs as a
word, and occurrences of `Any`. With COMMIT, also of that commit. Files are parsed, not imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/openfoley/"
MOST_PARAMETERS = 8
CORE = ("types.py", "pipeline.py", "flow/", "generators/salsa_v/", "training/salsa_v/train.py", "training/generator.py")


def sources(commit: str | None) -> dict[str, str]:
    """Path under the package -> text, of the working tree or of a commit."""
    if commit is None:
        base = ROOT / PACKAGE
        return {str(path.relative_to(base)): path.read_text() for path in sorted(base.rglob("*.py"))}
    names = _git("ls-tree", "-r", "--name-only", commit, PACKAGE).split()
    return {name.removeprefix(PACKAGE): _git("show", f"{commit}:{name}") for name in names if name.endswith(".py")}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True, text=True).stdout


def long_functions(text: str) -> Iterator[tuple[str, int]]:
    """(name, parameters) of the functions with more than MOST_PARAMETERS."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            kinds = node.args
            count = len(kinds.posonlyargs + kinds.args + kinds.kwonlyargs) + bool(kinds.vararg) + bool(kinds.kwarg)
            if count > MOST_PARAMETERS:
                yield node.name, count


def figures(files: dict[str, str], option: str) -> dict[str, int]:
    """Name of a metric -> its value."""
    lines = {name: text.count("\n") for name, text in files.items()}
    folders = Counter[str]()
    for name, count in lines.items():
        folders[name.split("/")[0] + "/" if "/" in name else "(root)"] += count
    counts = [count for text in files.values() for _, count in long_functions(text)]
    return {
        "lines": sum(lines.values()),
        "lines of the core": sum(count for name, count in lines.items() if name.startswith(CORE)),
        f"functions over {MOST_PARAMETERS} parameters": len(counts),
        "most parameters, where over": max(counts, default=0),
        f"files with the word {option}": sum(bool(re.search(rf"\b{option}\b", text)) for text in files.values()),
        "occurrences of `Any`": sum(len(re.findall(r"\bAny\b", text)) for text in files.values()),
        **{f"lines of {folder}": count for folder, count in sorted(folders.items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?")
    parser.add_argument("--option", default="temperature")
    asked = parser.parse_args()
    columns = [figures(sources(None), asked.option)]
    if asked.commit:
        columns.insert(0, figures(sources(asked.commit), asked.option))
    for name in sorted({name for column in columns for name in column}, key=lambda name: ("lines of " in name, name)):
        print(f"{name:<40}" + "".join(f"{column.get(name, 0):>8}" for column in columns))


if __name__ == "__main__":
    main()
