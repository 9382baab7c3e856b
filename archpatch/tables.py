"""Facts in tables: downloads, images and packages, the built-in ones and those that users add.

A table is a text file of tab-separated lines sorted by their first cell, letter case ignored; docs/data.md
says how one is written. Nothing is read before it is asked for, and a look-up parses only the rows it meets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from archpatch.assets import Asset, Match, keys, match

_PACK = "archpatch_rules"
_HEADER = "# archpatch table: "
NAMES = (
    "downloads",
    "images-without-arm64",
    "publishers-images",
    "debian-without-arm64",
    "packages-without-arm64",
    "apt-repositories",
)


class BadTable(ValueError):
    """A file that is no table; str() names the file, the line and what is wrong."""


class Row(Struct, frozen=True):
    """One line: its cells by the names of the table's columns. A missing last cell is empty."""

    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def __getitem__(self, column: str) -> str:
        at = self.columns.index(column)
        return self.cells[at] if at < len(self.cells) else ""


class Table:
    """Rows sorted by their first cell. Raises BadTable for a text that is none."""

    def __init__(self, text: str, origin: str) -> None:
        lines = text.splitlines()
        if not lines or not lines[0].startswith(_HEADER):
            raise BadTable(f"{origin}:1: a table begins with {_HEADER!r} and its name")
        self.name = lines[0].removeprefix(_HEADER).strip()
        head = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
        self.about = {
            key.strip(): value.strip() for key, _, value in (line[1:].partition(":") for line in lines[:head])
        }
        self.columns = tuple(self.about.get("columns", "").split())
        self.origin = origin
        self._first = head + 1
        self._lines = lines[head:]
        if not self.columns:
            raise BadTable(f"{origin}: there is no line '# columns:'")

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def keys(self) -> frozenset[str]:
        """The first cells of all rows."""
        return frozenset(line.partition("\t")[0] for line in self._lines)

    def get(self, key: str) -> Iterator[Row]:
        """The rows with this first cell, letter case ignored."""
        return self.under(key + "\t")

    def under(self, prefix: str) -> Iterator[Row]:
        """The rows whose line begins so, letter case ignored."""
        prefix = prefix.lower()
        at = bisect_left(self._lines, prefix, key=str.lower)
        while at < len(self._lines) and self._lines[at].lower().startswith(prefix):
            yield self._row(self._lines[at])
            at += 1

    def check(self) -> None:
        """Raise BadTable where a line is out of order or has more cells than there are columns."""
        before = ""
        for number, line in enumerate(self._lines, self._first):
            if line.count("\t") >= len(self.columns):
                raise BadTable(f"{self.origin}:{number}: more than {len(self.columns)} cells")
            if line.lower() < before:
                raise BadTable(f"{self.origin}:{number}: not sorted")
            before = line.lower()

    def _row(self, line: str) -> Row:
        return Row(self.columns, tuple(line.split("\t")))


@cache
def builtin(name: str) -> Table:
    """A table that comes with archpatch. Raises KeyError for a name that is none of NAMES."""
    if name not in NAMES:
        raise KeyError(name)
    spec = find_spec(_PACK)  # finds the pack without running it; importlib.resources would cost 10 ms
    read = getattr(spec and spec.loader, "get_data", None)
    if spec is None or not spec.submodule_search_locations or read is None:
        raise BadTable(f"the package {_PACK} is not installed")
    path = str(Path(spec.submodule_search_locations[0], "data", f"{name}.tsv"))
    return Table(read(path).decode(), path)


@cache
def _builtin_deb_names() -> frozenset[str]:  # thousands of rows: once a process, not once for each Tables
    return _deb_names(builtin(name) for name in ("packages-without-arm64", "debian-without-arm64"))


def _deb_names(tables: Iterable[Table]) -> frozenset[str]:
    names: set[str] = set()
    for table in tables:
        if table.name == "debian-without-arm64":
            names |= table.keys()
        elif table.name == "packages-without-arm64":
            names.update(row["package"] for row in table if row["manager"] == "apt")
    return frozenset(names)


class Tables(Struct, frozen=True, dict=True):
    """Every table: the user's own first, then the built-in ones. `extra` are paths of files.

    Raises BadTable or OSError where a file of the user's is asked for and cannot be used.
    """

    extra: tuple[Path, ...] = ()

    @cached_property
    def _own(self) -> tuple[Table, ...]:
        tables = []
        for path in self.extra:
            try:
                table = Table(path.read_text(encoding="utf-8"), str(path))
            except UnicodeDecodeError as error:
                raise BadTable(f"{path}: not UTF-8: {error}") from error
            if table.name not in NAMES:
                raise BadTable(f"{path}:1: there is no table {table.name!r}; there are {', '.join(NAMES)}")
            table.check()
            tables.append(table)
        return tuple(tables)

    def load(self) -> None:
        """Read and check the user's own files now. Raises BadTable or OSError."""
        _ = self._own

    def named(self, name: str) -> tuple[Table, ...]:
        """The tables of one name, the one to ask first in front."""
        return (*(table for table in self._own if table.name == name), builtin(name))

    def image_lacks_arm64(self, name: str, tag: str) -> bool:
        """Whether an official image (`node`, `library/node`) last listed this tag for amd64 without arm64."""
        name = name.removeprefix("docker.io/").removeprefix("library/")
        version, _, suffix = tag.partition("-")
        return any(
            version in row["versions"].split() and (suffix or ".") in row["suffixes"].split()
            for table in self.named("images-without-arm64")
            for row in table.get(name)
        )

    def publishers_image(self, name: str) -> Row | None:
        """The row of an image that is no official one (columns `image since reason source`), by its familiar name."""
        rows = (row for table in self.named("publishers-images") for row in table.get(name))
        return next(rows, None)

    @cached_property
    def deb_names(self) -> frozenset[str]:
        """The names of packages that apt does not find for arm64, in some release at least."""
        return _builtin_deb_names() | _deb_names(self._own)

    def debian_lacks_arm64(self, package: str, release: str | None = None) -> bool:
        """Whether Debian builds a package for amd64 and not for arm64.

        `release` is a code name (`bookworm`); without one, or with one that no row names, every release must agree.
        """
        rows = [row["releases"].split() for t in self.named("debian-without-arm64") for row in t.get(package)]
        known = {"bookworm", "trixie"}
        wanted = {release} if release in known else known
        return any(wanted <= set(releases) for releases in rows)

    def package_lacks_arm64(self, manager: str, package: str) -> Row | None:
        """The row of a package (columns `package manager instead note`) that has no build for arm64."""
        rows = (row for table in self.named("packages-without-arm64") for row in table.get(package))
        return next((row for row in rows if row["manager"] == manager), None)

    def repository_has_arm64(self, uri: str) -> bool | None:
        """Whether the apt repository at an address has packages for arm64; None: nobody knows.

        The longest address of a table counts, and the user's tables before the built-in one.
        """
        for table in self.named("apt-repositories"):
            known = [row for row in table if f"/{row['address']}" in uri or f".{row['address']}" in uri]
            if known:
                return max(known, key=lambda row: len(row["address"]))["arm64"] == "yes"
        return None

    def spellings(self, repository: str) -> frozenset[tuple[str, str]]:
        """How the files of a repository on GitHub (`owner/name`) spell amd64 and arm64, in pairs."""
        rows = (row for table in self.named("downloads") for row in table.under(f"github.com/{repository}/"))
        assets = (Asset.read(row.cells) for row in rows)
        pairs = ((asset.spell("amd64"), asset.spell("arm64")) for asset in assets)
        return frozenset((amd64[0], arm64[0]) for amd64, arm64 in pairs if amd64 and arm64)

    def asset(self, url: str) -> Match | None:
        """What is known of the file at a URL; UNKNOWN stands for characters that nobody knows."""
        prefixes = keys(url)
        for table in self.named("downloads"):
            rows = [Asset.read(row.cells) for prefix in prefixes for row in table.under(prefix)]
            if found := match(rows, url):
                return found
        return None
