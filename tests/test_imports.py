"""No module imports itself by way of others, imports inside functions and for types only counted."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import grimp
import pytest


def cycles(imports: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Groups of modules each of which reaches every other (Tarjan's strongly connected components of two or more)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in imports.get(module, ()):
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            group = set(stack[stack.index(module) :])
            del stack[-len(group) :]
            if len(group) > 1:
                found.append(group)

    for module in imports:
        if module not in order:
            visit(module)
    return found


def test_cycles_are_found() -> None:
    assert cycles({"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": [], "e": ["d", "f"], "f": ["e"]}) == [
        {"a", "b", "c"},
        {"e", "f"},
    ]
    assert cycles({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_lazy_and_typing_imports_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "cyclic_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "lazy.py").write_text("def f():\n    from cyclic_package import typed\n    return typed\n")
    (package / "typed.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from cyclic_package import lazy\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert cycles(imports_of(package.name)) == [{"cyclic_package.lazy", "cyclic_package.typed"}]


def imports_of(package: str) -> dict[str, set[str]]:
    """Module -> the package's modules that it imports anywhere."""
    graph = grimp.build_graph(package, cache_dir=None, exclude_type_checking_imports=False)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycles(imports_of("openfoley")) == []
