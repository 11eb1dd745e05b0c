"""Plant a fault: for a while, functions of the package run as if written differently.

An edit says which text of a function becomes which other one. The function itself is
kept, and only its code replaced, so that whoever holds the function runs the fault.
"""

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType

from ..errors import InputError, shown


@dataclass(frozen=True)
class Edit:
    """In `function` ("f", or "Class.method"), `text` becomes `replacement`.

    The text stands in the source, without its comments, exactly once. The replacement
    may use what the function's module knows.
    """

    module: ModuleType
    function: str
    text: str
    replacement: str

    @property
    def place(self) -> str:
        """The file and the function, for people: `ffn.py, ffn`."""
        return f"{self.module.__name__.rpartition('.')[2]}.py, {self.function}"


@contextmanager
def planted(*edits: Edit) -> Iterator[None]:
    """Run with all the edits in place, and put the right code back, come what may.

    Raises InputError where a text is not there to be changed; nothing is planted then.
    A function in which a fault is planted cannot have a second one.
    """
    wrong = {
        function: code_of(source, function.__code__)
        for function, (_, source) in changed_sources(edits).items()
    }
    right = {function: function.__code__ for function in wrong}
    try:
        for function, code in wrong.items():
            function.__code__ = code
        yield
    finally:
        for function, code in right.items():
            function.__code__ = code


def changed_sources(edits: Iterable[Edit]) -> dict[FunctionType, tuple[str, str]]:
    """Return the right and the wrong source of each function that the edits change."""
    sources: dict[FunctionType, tuple[str, str]] = {}
    for edit in edits:
        function = function_of(edit)
        if function not in sources:
            sources[function] = (source_of(function, edit),) * 2
        right, wrong = sources[function]
        if wrong.count(edit.text) != 1:
            text = shown(edit.text)
            raise InputError(f"{edit.place}: {text} is not there, or more than once")
        sources[function] = right, wrong.replace(edit.text, edit.replacement)
    return sources


def function_of(edit: Edit) -> FunctionType:
    """Return the function that an edit changes."""
    function = edit.module
    for part in edit.function.split("."):
        function = getattr(function, part, None)
    if not isinstance(function, FunctionType):
        raise InputError(f"{edit.place}: there is no such function")
    return function


def source_of(function: FunctionType, edit: Edit) -> str:
    """Return the source of a function, without comments."""
    try:
        return without_comments(inspect.getsource(function))
    except OSError:
        raise InputError(
            f"{edit.place}: its source is not here, or has a fault planted already"
        ) from None


def without_comments(source: str) -> str:
    """Return the source without comments, which quote code and may be worded anew."""
    return re.sub(r"(?m)^ *#.*\n| +#.*", "", source)


def code_of(source: str, right: CodeType) -> CodeType:
    """Return the code of a changed function; within a class, for the sake of super().
    """
    if "__class__" in right.co_freevars:
        source = "class Planted:\n" + textwrap.indent(textwrap.dedent(source), " ")
    codes = [compile(textwrap.dedent(source), "<planted fault>", "exec")]
    while codes[0].co_name != right.co_name:
        inner = codes.pop(0).co_consts
        codes += [constant for constant in inner if isinstance(constant, CodeType)]
    return codes[0]
