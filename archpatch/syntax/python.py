"""Python of a build, read and never run: `setup.py`, heredocs, `python -c`. The only module that loads libcst."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from archpatch.text import Span

if TYPE_CHECKING:
    import libcst as cst

_DEEPEST = 150
_BOM = b"\xef\xbb\xbf"


class PythonString(Struct, frozen=True):
    """A string literal, its quotes included in `span`. `inner` is the text between them, where the bytes of the
    file are the value (no escapes); else None."""

    span: Span
    inner: Span | None
    value: str


class PythonArgument(Struct, frozen=True):
    """An argument; `keyword` is "" for a positional one. `strings` are all in it, in lists too."""

    span: Span
    keyword: str
    strings: tuple[PythonString, ...]


class PythonCall(Struct, frozen=True):
    """A call; `name` is dotted as written (`setuptools.Extension`, `platform.machine().startswith`)."""

    span: Span
    name: str
    arguments: tuple[PythonArgument, ...]

    def keyword(self, name: str) -> PythonArgument | None:
        """The argument of that name."""
        return next((argument for argument in self.arguments if argument.keyword == name), None)


class PythonComparison(Struct, frozen=True):
    """`left operator strings`: `platform.machine() == "x86_64"`; `left` is dotted, "" where it is no name or call;
    `operator` is `==`, `!=`, `in`, `not in`. More than one string: a list or tuple."""

    span: Span
    left: str
    operator: str
    strings: tuple[PythonString, ...]


class PythonModule(Struct, frozen=True):
    """What archpatch wants to know of a module, each in the order of the file."""

    strings: tuple[PythonString, ...]
    calls: tuple[PythonCall, ...]
    comparisons: tuple[PythonComparison, ...]


def read_python(source: bytes, base: int = 0) -> PythonModule | None:
    """The facts of a module whose first byte stands at offset `base` of its file.

    None when it is no Python that libcst reads, or is not UTF-8.
    """
    import libcst as cst
    from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

    if source.startswith(_BOM):
        source, base = source[len(_BOM) :], base + len(_BOM)
    if not _is_shallow(source):
        return None
    try:
        # Decoded here: a declared encoding would make libcst count other bytes than those of the file.
        wrapper = MetadataWrapper(cst.parse_module(source.decode("utf-8")), unsafe_skip_copy=True)
        places = wrapper.resolve(ByteSpanPositionProvider)
    except (cst.ParserSyntaxError, UnicodeDecodeError, RecursionError):
        return None
    spans = {node: Span(base + at.start, base + at.start + at.length) for node, at in places.items()}
    return _Reader(source, base, spans).module(wrapper.module)


def _is_shallow(source: bytes) -> bool:
    """Whether it is Python that nests no deeper than people write: libcst's parser dies of more, and takes the
    process with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\\d" and the like are not ours to mend
            level: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    return False


class _Reader:
    def __init__(self, source: bytes, base: int, spans: Mapping[cst.CSTNode, Span]) -> None:
        import libcst

        self.cst = libcst
        self.source = source
        self.base = base
        self.spans = spans

    def module(self, module: cst.Module) -> PythonModule:
        strings: list[PythonString] = []
        calls: list[PythonCall] = []
        comparisons: list[PythonComparison] = []
        for node in _walk(module):
            if isinstance(node, self.cst.SimpleString):
                strings += self._string(node)
            elif isinstance(node, self.cst.Call):
                calls.append(self._call(node))
            elif isinstance(node, self.cst.Comparison):
                comparisons += self._comparisons(node)
        return PythonModule(tuple(strings), tuple(calls), tuple(comparisons))

    def _string(self, node: cst.SimpleString) -> Iterator[PythonString]:
        value = node.evaluated_value
        if not isinstance(value, str):
            return
        span = self.spans[node]
        start = span.start + len(node.prefix) + len(node.quote)
        inner = Span(start, max(start, span.end - len(node.quote)))
        same = self.source[inner.start - self.base : inner.end - self.base] == value.encode(
            "utf-8", "replace"
        )
        yield PythonString(span, inner if same else None, value)

    def _strings(self, node: cst.CSTNode) -> tuple[PythonString, ...]:
        found = (one for one in _walk(node) if isinstance(one, self.cst.SimpleString))
        return tuple(string for one in found for string in self._string(one))

    def _call(self, node: cst.Call) -> PythonCall:
        arguments = tuple(
            PythonArgument(
                self.spans[argument],
                argument.keyword.value if argument.keyword else "",
                self._strings(argument),
            )
            for argument in node.args
        )
        return PythonCall(self.spans[node], self._name(node.func), arguments)

    def _name(self, node: cst.CSTNode) -> str:
        if isinstance(node, self.cst.Name):
            return node.value
        if isinstance(node, self.cst.Attribute):
            owner = self._name(node.value)
            return f"{owner}.{node.attr.value}" if owner else ""
        if isinstance(node, self.cst.Call):
            callee = self._name(node.func)
            return f"{callee}()" if callee else ""
        return ""

    def _comparisons(self, node: cst.Comparison) -> Iterator[PythonComparison]:
        left: cst.BaseExpression = node.left
        names = {
            self.cst.Equal: "==",
            self.cst.NotEqual: "!=",
            self.cst.In: "in",
            self.cst.NotIn: "not in",
        }
        for target in node.comparisons:
            operator = names.get(type(target.operator), "")
            strings = self._strings(target.comparator)
            if operator and strings:
                span = self.spans[left].cover(self.spans[target.comparator])
                yield PythonComparison(span, self._name(left), operator, strings)
            left = target.comparator


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The node and all below it, in the order of the file."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)
