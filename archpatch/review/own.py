"""What we find ourselves in the files of a commit: another job's report is not believed in what a click would write.

The bytes come from the server, at the commit that the request stands at. Each file is looked at alone, without its
build context; nothing of it is written to disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from archpatch.discover import Found, project_root
from archpatch.look import by_code
from archpatch.report.comments import Remark, remarks
from archpatch.review.http import HttpError
from archpatch.session import Options, run, tasks

MOST = 100  # files that are fetched: one request for each


class _Looked(Struct, frozen=True):
    """What is found in a file. `whole`: no part of it could not be looked at."""

    remarks: Mapping[str, Remark] = {}
    whole: bool = False


class Own:
    """Looks at files of one commit, each once. `content`: the bytes of one by its path in the repository.

    `paths`: those that are asked about. Raises BadOption, BrokenPack, ConfigError.
    """

    def __init__(
        self, content: Callable[[str], bytes | None], options: Options, paths: Iterable[str]
    ) -> None:
        self._content = content
        self._options = options
        self._root = project_root(Path()) or Path.cwd()
        self._found: dict[str, _Looked] = {}
        asked, _ = tasks(Found(tuple(self._root / path for path in dict.fromkeys(paths))), options)
        self._settings = {task.path: task.settings for task in asked}

    def asks(self, path: str, code: str) -> bool:
        """Whether the config in force asks this rule of this file."""
        settings = self._settings.get(self._root / path)
        return settings is not None and settings.asks(by_code()[code])

    def remarks(self, path: str) -> Mapping[str, Remark]:
        """What is to be said of a file, by fingerprint, as far as it could be looked at."""
        return self._of(path).remarks

    def lacks(self, path: str, fingerprint: str) -> bool:
        """Whether a finding is not in a file; False too where that could not be told."""
        found = self._of(path)
        return found.whole and fingerprint not in found.remarks

    def _of(self, path: str) -> _Looked:
        if path not in self._found:
            self._found[path] = self._look(path) if len(self._found) < MOST else _Looked()
        return self._found[path]

    def _look(self, path: str) -> _Looked:
        try:
            data = self._content(path)
        except (
            HttpError
        ):  # too large for the server, or its rate is spent: the findings are told all the same
            return _Looked()
        if data is None:  # there is no such file
            return _Looked(whole=True)
        result = run(Found((self._root / path,), total=1), self._options, stdin=data)
        trouble = result.all_errors or any(file.unknown for file in result.files)
        return _Looked({remark.fingerprint: remark for remark in remarks(result)}, whole=not trouble)
