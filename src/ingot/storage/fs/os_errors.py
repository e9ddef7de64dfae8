"""The border of storage: what leaves it is an error of ours, whoever forgot to translate."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from inspect import isfunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, TypeVar

from ingot.failures import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


def bordered(cls: type[T]) -> type[T]:
    """Have the public methods and the constructor of a class raise nothing but errors of ours.

    Failures of the disk and of libraries are translated; a defect passes as it is.
    """
    for name, member in tuple(vars(cls).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(member, classmethod):
            setattr(cls, name, classmethod(_translating(member.__func__)))
        elif isfunction(member):
            setattr(cls, name, _translating(member))
    return cls


def _translating(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method takes
        with failures():
            return method(*args, **kwargs)

    @wraps(method)
    def iterate(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method takes
        with failures():
            yield from method(*args, **kwargs)

    return iterate if isgeneratorfunction(method) else call


@contextmanager
def failures() -> Iterator[None]:
    """Turn what the block raises into an error of ours, where it is a failure and no defect."""
    try:
        yield
    except Exception as exc:
        failure = failure_of(exc, "a file of the lake")
        if failure is None or failure is exc:
            raise
        raise failure from exc
