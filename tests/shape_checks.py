"""An import hook for the tests: shapes annotated with jaxtyping are checked in every call.

jaxtyping's own hook wraps every function, nested ones too, and beartype then checks every annotation: an int where a
float is asked fails, and so does a test double in the place of a Protocol. This one wraps the functions, methods and
dataclasses whose annotations hold an array, and checks those annotations alone.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import FunctionType, ModuleType
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype

PACKAGE = "openfoley"
CHECKS_ITSELF = ("openfoley.live.Stream.push",)  # wrong frames are refused there in words for users
CONFIG = BeartypeConf(is_pep484_tower=True)  # an int is a float


def install() -> None:
    """Before anything of the package is imported."""
    assert PACKAGE not in sys.modules
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for name, member in vars(module).copy().items():
            if getattr(member, "__module__", None) != module.__name__:
                continue
            if isinstance(member, FunctionType):
                setattr(module, name, checked(member))
            elif inspect.isclass(member) and not getattr(member, "_is_protocol", False):
                _check_class(member)


def _check_class(owner: type) -> None:
    for name, member in vars(owner).copy().items():
        is_made_by_dataclass = is_dataclass(owner) and name == "__init__"
        if name.startswith("__") and name != "__call__" and not is_made_by_dataclass:
            continue
        if isinstance(member, (FunctionType, classmethod, staticmethod, property)):
            setattr(owner, name, checked(member))


def checked(member: Any) -> Any:
    """The function, method or property with its array annotations checked; itself if it has none."""
    function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    if f"{function.__module__}.{function.__qualname__}" in CHECKS_ITSELF:
        return member
    hints = annotations(function)
    return jaxtyping.jaxtyped(member, typechecker=_check_arrays) if any(map(holds_array, hints.values())) else member


def annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Those of the innermost function, strings evaluated (and left so) where their names exist at run time."""
    inner = inspect.unwrap(function)
    for name, hint in inner.__annotations__.items():
        if isinstance(hint, str):
            try:
                inner.__annotations__[name] = eval(hint, inner.__globals__)
            except (NameError, TypeError):  # imported, or subscriptable, for the type checker alone
                continue
    return inner.__annotations__


def holds_array(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(holds_array(part) for part in get_args(hint))


def _check_arrays(function: Any) -> Any:
    for name, hint in function.__annotations__.items():
        if not holds_array(hint):
            function.__annotations__[name] = Any
    return beartype(function, conf=CONFIG)
