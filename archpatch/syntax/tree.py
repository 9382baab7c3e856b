"""The tree of a Dockerfile: frozen nodes over spans of one byte string.

Every node says where it stands (`span`, bytes of the file) and what BuildKit reads there. The pieces of a
`Document` cover every byte once. Nodes hold no parent links and no positions in lines.
Source of the language: moby/buildkit frontend/dockerfile/parser and instructions.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from archpatch.text import Span, encode


class PieceKind(enum.Enum):
    """What a run of bytes is to the scanner."""

    BOM = "bom"
    DIRECTIVE = "directive"  # `# syntax=`, `# escape=`, `# check=` at the top
    COMMENT = "comment"  # a comment line, also inside a continuation
    BLANK = "blank"  # an empty or white line, also inside a continuation
    CODE = "code"  # a line, or part of one, that belongs to an instruction
    CONTINUATION = "continuation"  # the escape character, blanks after it, and the line end
    HEREDOC = "heredoc"  # body and closing line of a heredoc
    NEWLINE = "newline"  # the line end after an instruction


class Piece(Struct, frozen=True, gc=False):
    """A run of bytes; all pieces of a document, joined, are its source."""

    kind: PieceKind
    span: Span


class Problem(Struct, frozen=True, gc=False):
    """What is wrong with a text, where. `message` is one line, without the path."""

    span: Span
    message: str


class Word(Struct, frozen=True, gc=False):
    """One word of an instruction.

    `value` is what BuildKit's parser reads (line continuations gone, JSON strings decoded; quotes and
    variables still as written), `verbatim` is what stands in the file.
    """

    span: Span
    value: str
    verbatim: str

    def find(self, text: str) -> Span | None:
        """Where `text` stands in the file's bytes of this word: the first place, or None."""
        at = encode(self.verbatim).find(encode(text))
        return None if at < 0 else Span(self.span.start + at, self.span.start + at + len(encode(text)))


class Flag(Struct, frozen=True, gc=False):
    """`--name=value`; `value` is None for a bare `--name`."""

    span: Span
    name: str
    value: Word | None


class Mount(Struct, frozen=True, gc=False):
    """A `--mount=type=cache,target=/x` of RUN. Keys are lower-case; a bare key has an empty value."""

    span: Span
    options: tuple[tuple[str, Word], ...]

    def get(self, *keys: str) -> Word | None:
        """The value of the last option that has one of these names (`target`, `dst`, `destination`)."""
        return next((value for key, value in reversed(self.options) if key in keys), None)

    @property
    def type(self) -> str:
        """`bind` where none is named, as BuildKit has it."""
        word = self.get("type")
        return word.value if word else "bind"


class Heredoc(Struct, frozen=True, gc=False):
    """`3<<-"NAME"`: `marker` is where it stands on the line, `content` its body without the closing line."""

    marker: Span
    content: Span
    closing: Span
    name: str
    fd: int
    expand: bool  # not quoted: BuildKit (COPY) or the shell (RUN) expands variables in the body
    chomp: bool  # `<<-`: leading tabs go


class Instruction(Struct, frozen=True, gc=False):
    """Any instruction; unknown ones are kept as this class.

    `span` runs from the keyword (of ONBUILD, if it is one) to the end of its last line without the line end,
    heredocs included. `keyword` is in capitals. `body` is what follows keyword and flags, up to the end of the
    last continued line (before any heredoc body), blanks at both ends left out. `words` are the body's words as
    BuildKit's parser of that keyword splits them: JSON strings, `NAME=value` pairs, or one word for a
    shell form.
    """

    span: Span
    keyword: str
    keyword_span: Span
    flags: tuple[Flag, ...]
    body: Span
    words: tuple[Word, ...]
    json: bool  # the exec form
    heredocs: tuple[Heredoc, ...]
    comments: tuple[Span, ...]  # comment lines inside the continuation
    onbuild: bool

    def flag(self, name: str) -> Flag | None:
        """The flag of that name (BuildKit rejects a second one)."""
        return next((flag for flag in self.flags if flag.name == name), None)


class From(Instruction, frozen=True, gc=False):
    """`FROM [--platform=P] image [AS name]`."""

    image: Word
    name: Word | None  # as written; BuildKit folds it to lower case

    @property
    def platform(self) -> Flag | None:
        """The `--platform` flag."""
        return self.flag("platform")


class Declaration(Struct, frozen=True, gc=False):
    """`NAME` or `NAME=value` of ARG, ENV or LABEL."""

    span: Span
    name: Word
    value: Word | None


class Arg(Instruction, frozen=True, gc=False):
    """`ARG NAME[=default] ...`."""

    declarations: tuple[Declaration, ...]


class Env(Instruction, frozen=True, gc=False):
    """`ENV NAME=value ...` and the old `ENV NAME value`; LABEL too has this shape (keyword LABEL)."""

    declarations: tuple[Declaration, ...]


class Run(Instruction, frozen=True, gc=False):
    """`RUN`: shell form, exec form (`json`) or heredoc."""

    mounts: tuple[Mount, ...]


class Copy(Instruction, frozen=True, gc=False):
    """`COPY` and `ADD`. A heredoc source is a word like any other (`<<EOF`)."""

    sources: tuple[Word, ...]
    destination: Word | None

    @property
    def source_stage(self) -> Word | None:
        """The value of `--from`."""
        flag = self.flag("from")
        return flag.value if flag else None


class Directive(Struct, frozen=True, gc=False):
    """A parser directive that is in force: `name` in lower case."""

    span: Span
    name: str
    value: str


class Stage(Struct, frozen=True, gc=False):
    """A FROM and what follows it. `name` is folded to lower case, as BuildKit stores it."""

    index: int
    head: From
    body: tuple[Instruction, ...]

    @property
    def name(self) -> str | None:
        """The name after AS."""
        return self.head.name.value.lower() if self.head.name else None

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """The head and the body."""
        return (self.head, *self.body)


class Document(Struct, frozen=True, gc=False):
    """A parsed Dockerfile. There always is one; what is wrong with the text stands in `problems`."""

    source: bytes
    path: Path
    newline: bytes  # of the first line: b"\\n" or b"\\r\\n"; b"\\n" where there is none
    escape: str  # "\\" or "`"
    layout: tuple[tuple[PieceKind, int], ...]  # kind and end of each piece; `pieces` says it with spans
    directives: tuple[Directive, ...]
    comments: tuple[Span, ...]  # every comment line, from `#` to its end, directives and heredocs left out
    globals: tuple[Instruction, ...]  # before the first FROM
    stages: tuple[Stage, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Runs of bytes that cover the source once, in order. Made when asked for: few ask."""
        ends = [0, *(end for _, end in self.layout)]
        return tuple(
            Piece(kind, Span(start, end)) for (kind, end), start in zip(self.layout, ends, strict=False)
        )

    @property
    def instructions(self) -> Iterator[Instruction]:
        """Every instruction in the order of the file."""
        yield from self.globals
        for stage in self.stages:
            yield from stage.instructions

    def line_start(self, offset: int) -> int:
        """The offset of the first byte of the line that holds `offset`; on the first line, the one after a BOM."""
        at = self.source.rfind(b"\n", 0, offset) + 1
        return 3 if at == 0 and self.source.startswith(b"\xef\xbb\xbf") else at

    def line_end(self, offset: int) -> int:
        """The offset after the line end of the line that holds `offset`."""
        at = self.source.find(b"\n", offset)
        return len(self.source) if at < 0 else at + 1
