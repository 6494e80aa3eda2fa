"""The values in a NumPy pickle, read without Python's unpickler: nothing in it can ever run.

A pickle is a small program. Here its instructions build numbers, texts, lists, tuples, dictionaries
and NumPy arrays, and nothing else; where it names a function, that name is compared with the few
that stand for an array, and never looked up. Arrays are views of the file, made once its length has
been found to fit their shape.

The instructions are those of pickle protocols 2 to 5, which `numpy.save` has written since 2009
(Python's documentation, “pickle”; NumPy Enhancement Proposal 1 for the file around it).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 20_000_000
"""Instructions of one pickle; a file of Cellpose has some tens for each cell."""

_NUMBER_KIND = re.compile(r"[<>=|]?([biufc])(\d{1,2})")
_MAX_DIMENSIONS = 8
_MAX_INTEGER = 16

_ARRAY_HOMES = ("numpy.core.multiarray", "numpy._core.multiarray")
_BUFFER_HOMES = ("numpy.core.numeric", "numpy._core.numeric")
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")


class NotPlainError(ValueError):
    """The pickle holds, or asks for, something that is no plain value.

    Attributes
    ----------
    asked
        What it asks to be run, as ``"os.system"``; “” where it is only damaged.
    """

    def __init__(self, text: str, asked: str = "") -> None:
        super().__init__(text)
        self.asked = asked


@dataclass(frozen=True)
class _Name:
    """One of the names that stand for an array; not the thing itself."""

    meaning: str


@dataclass
class _Kind:
    """The type of an array's numbers, as letters (``"u2"``), or ``"O"``."""

    letters: str
    order: str = "="

    def dtype(self) -> np.dtype[Any]:
        """The type, where it is one of numbers.

        Raises
        ------
        NotPlainError
            For every other.
        """
        if not _NUMBER_KIND.fullmatch(self.letters):
            raise NotPlainError(f"an array of {self.letters!r}")
        return np.dtype(self.letters).newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass
class PlainArray:
    """An array as the pickle describes it.

    Attributes
    ----------
    shape
        Of the array.
    numbers
        A read-only view of the file; None for an array of objects.
    values
        The objects of an array of objects.
    """

    shape: tuple[int, ...] = ()
    numbers: NDArray[Any] | None = None
    values: list[Any] = field(default_factory=list)


def read_plain(data: memoryview) -> Any:
    """The value of a pickle: plain values, with a `PlainArray` for each array.

    Parameters
    ----------
    data
        The bytes of the pickle. Arrays remain views of it.

    Raises
    ------
    NotPlainError
        When anything else is in it, or it is damaged.
    """
    try:
        return _Machine(data).run()
    except NotPlainError:
        raise
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise NotPlainError(f"damaged ({error})") from error


class _Machine:
    """Follows the instructions; its stack, its marks and its notes."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.noted: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(MAX_STEPS):
            code = self.data[self.at]
            self.at += 1
            if code == _STOP:
                return self.stack.pop()
            act = _ACTS.get(code)
            if act is None:
                raise NotPlainError(f"instruction {code}", asked=_FORBIDDEN.get(code, ""))
            act(self)
        raise NotPlainError("too many instructions")

    # -- reading ---------------------------------------------------------------------------------

    def bytes(self, size: int) -> memoryview:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise NotPlainError("cut short")
        found = self.data[self.at : end]
        self.at = end
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.bytes(struct.calcsize(form)))[0]

    def line(self) -> str:
        start = self.at
        while self.data[self.at] != _NEWLINE:
            self.at += 1
            if self.at - start > 200:
                raise NotPlainError("a name of over 200 letters")
        self.at += 1
        return str(bytes(self.data[start : self.at - 1]), "utf-8", "replace")

    # -- the stack -------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def from_mark(self) -> list[Any]:
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def last(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise NotPlainError("too few values")
        found = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return found

    def note(self, place: int) -> None:
        self.noted[place] = self.stack[-1]

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def integer(self, size: int) -> None:
        if size > _MAX_INTEGER:
            raise NotPlainError("a number too large")
        self.push(int.from_bytes(self.bytes(size), "little", signed=True))

    def text(self, form: str) -> None:
        self.push(str(self.bytes(self.number(form)), "utf-8", "surrogatepass"))

    def add(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise NotPlainError("values for something that is no list")
        target.extend(values)

    def set(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise NotPlainError("entries for something that is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) not in (str, int, memoryview):
                raise NotPlainError("a key that is neither text nor number")
            target[_text(key) if type(key) is memoryview else key] = value

    # -- names and what is built by them ---------------------------------------------------------

    def name(self, module: str, name: str) -> None:
        self.push(_known(module, name))

    def reduce(self) -> None:
        called, given = self.last(2)
        if type(called) is not _Name or type(given) is not tuple:
            raise NotPlainError("a call of something that has no name")
        self.push(_MADE[called.meaning](given))

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(state) is not tuple:
            raise NotPlainError("a state of another kind")
        if type(target) is _Kind:
            if len(state) < 5 or any(part is not None for part in state[2:5]):
                raise NotPlainError("an array of records")
            order = _text(state[1])
            target.order = order if order in "<>=|" else "="
        elif type(target) is PlainArray:
            _, shape, kind, fortran, raw = state
            _fill(target, shape, kind, raw, "F" if fortran is True else "C")
        else:
            raise NotPlainError("a state for something that has none")


def _known(module: str, name: str) -> _Name:
    """The meaning of a name; every other name is refused."""
    if module in _ARRAY_HOMES and name in ("_reconstruct", "scalar"):
        return _Name(name)
    if module in _BUFFER_HOMES and name == "_frombuffer":
        return _Name(name)
    if module == "numpy" and name in ("ndarray", "dtype"):
        return _Name(name)
    if module == "_codecs" and name == "encode":
        return _Name(name)
    if module in ("pathlib", "pathlib._local") and name in _PATHS:
        return _Name("path")
    raise NotPlainError("a name that stands for no array", asked=f"{module}.{name}")


def _empty_array(given: tuple[Any, ...]) -> PlainArray:
    if given[0] != _Name("ndarray"):
        raise NotPlainError("an array of another class")
    return PlainArray()


def _kind(given: tuple[Any, ...]) -> _Kind:
    return _Kind(_text(given[0]))


def _scalar(given: tuple[Any, ...]) -> Any:
    kind, raw = given
    if type(kind) is not _Kind:
        raise NotPlainError("a number of no type")
    made = PlainArray()
    _fill(made, (), kind, raw, "C")
    assert made.numbers is not None
    return made.numbers[()].item()


def _from_buffer(given: tuple[Any, ...]) -> PlainArray:
    raw, kind, shape, order = given
    made = PlainArray()
    _fill(made, shape, kind, raw, "F" if order == "F" else "C")
    return made


def _path(given: tuple[Any, ...]) -> str:
    return "/".join(_text(part) for part in given)


def _encoded(given: tuple[Any, ...]) -> bytes:
    text, how = given
    if type(text) is not str or how not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise NotPlainError("a text in another coding")
    return text.encode(how)


def _fill(target: PlainArray, shape: Any, kind: Any, raw: Any, order: str) -> None:
    """Give an array its numbers, where there are as many bytes as it needs.

    Raises
    ------
    NotPlainError
        When there are more or fewer.
    """
    if type(shape) is int:
        shape = (shape,)
    is_shape = type(shape) is tuple and len(shape) <= _MAX_DIMENSIONS
    if not is_shape or any(type(n) is not int or n < 0 for n in shape) or type(kind) is not _Kind:
        raise NotPlainError("an array without a shape")
    target.shape = shape
    count = math.prod(shape)
    if kind.letters.lstrip("|<>=") in ("O", "O4", "O8"):
        if type(raw) is not list or len(raw) != count:
            raise NotPlainError("an array with too few values")
        target.values = raw
        return
    dtype = kind.dtype()
    view = memoryview(raw.encode("latin-1") if type(raw) is str else raw)
    if view.nbytes != count * dtype.itemsize:
        raise NotPlainError("an array of another length than its shape")
    flat = np.frombuffer(view, dtype) if count else np.empty(0, dtype)
    target.numbers = flat.reshape(shape, order="F" if order == "F" else "C")
    target.numbers.flags.writeable = False


def _text(value: Any) -> str:
    """Text, also where Python 2 wrote it as bytes."""
    if type(value) is str:
        return value
    if type(value) in (bytes, memoryview):
        return str(bytes(value), "latin-1")
    raise NotPlainError("something else than a text")


def _named_by_stack(machine: _Machine) -> None:
    module, name = machine.last(2)
    machine.name(_text(module), _text(name))


_MADE: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "_reconstruct": _empty_array,
    "scalar": _scalar,
    "_frombuffer": _from_buffer,
    "dtype": _kind,
    "encode": _encoded,
    "path": _path,
}

_STOP, _NEWLINE = ord("."), ord("\n")
_ACTS: dict[int, Callable[[_Machine], object]] = {
    0x80: lambda m: m.bytes(1),  # protocol
    0x95: lambda m: m.bytes(8),  # frame
    ord("("): _Machine.mark,
    ord("0"): lambda m: m.stack.pop(),
    ord("1"): _Machine.from_mark,
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("K"): lambda m: m.push(m.number("<B")),
    ord("M"): lambda m: m.push(m.number("<H")),
    ord("J"): lambda m: m.push(m.number("<i")),
    ord("G"): lambda m: m.push(m.number(">d")),
    0x8A: lambda m: m.integer(m.number("<B")),
    0x8B: lambda m: m.integer(m.number("<i")),
    0x8C: lambda m: m.text("<B"),
    ord("X"): lambda m: m.text("<I"),
    0x8D: lambda m: m.text("<Q"),
    ord("C"): lambda m: m.push(m.bytes(m.number("<B"))),
    ord("B"): lambda m: m.push(m.bytes(m.number("<I"))),
    0x8E: lambda m: m.push(m.bytes(m.number("<Q"))),
    0x96: lambda m: m.push(m.bytes(m.number("<Q"))),
    ord("U"): lambda m: m.push(m.bytes(m.number("<B"))),
    ord("T"): lambda m: m.push(m.bytes(m.number("<i"))),
    ord(")"): lambda m: m.push(()),
    ord("t"): lambda m: m.push(tuple(m.from_mark())),
    0x85: lambda m: m.push(m.last(1)),
    0x86: lambda m: m.push(m.last(2)),
    0x87: lambda m: m.push(m.last(3)),
    ord("]"): lambda m: m.push([]),
    ord("a"): lambda m: m.add(list(m.last(1))),
    ord("e"): lambda m: m.add(m.from_mark()),
    ord("}"): lambda m: m.push({}),
    ord("s"): lambda m: m.set(list(m.last(2))),
    ord("u"): lambda m: m.set(m.from_mark()),
    ord("h"): lambda m: m.push(m.noted[m.number("<B")]),
    ord("j"): lambda m: m.push(m.noted[m.number("<I")]),
    ord("q"): lambda m: m.note(m.number("<B")),
    ord("r"): lambda m: m.note(m.number("<I")),
    0x94: lambda m: m.note(len(m.noted)),
    ord("c"): lambda m: m.name(m.line(), m.line()),
    0x93: _named_by_stack,
    ord("R"): _Machine.reduce,
    ord("b"): _Machine.build,
}
_FORBIDDEN = {
    0x81: "a class",
    0x92: "a class",
    ord("i"): "a class",
    ord("o"): "a class",
    ord("P"): "something outside the file",
    ord("Q"): "something outside the file",
    0x82: "an extension of Python",
    0x83: "an extension of Python",
    0x84: "an extension of Python",
}
"""Instructions that make something else than a plain value, and what that would be."""
