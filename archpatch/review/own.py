"""What we find ourselves in the files of a commit: another job's report is not believed in what a click would write.

The bytes come from the server, at the commit that the request stands at. Each file is looked at alone, without its
build context; nothing of it is written to disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from archpatch.discover import Found, project_root
from archpatch.look import by_code
from archpatch.report.comments import Remark, remarks
from archpatch.review.http import HttpError
from archpatch.session import Options, run, tasks

MOST = 100  # files that are fetched: one request for each


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
        self._found: dict[str, Mapping[str, Remark]] = {}
        asked, _ = tasks(Found(tuple(self._root / path for path in dict.fromkeys(paths))), options)
        self._settings = {task.path: task.settings for task in asked}

    def asks(self, path: str, code: str) -> bool:
        """Whether the config in force asks this rule of this file."""
        settings = self._settings.get(self._root / path)
        return settings is not None and settings.asks(by_code()[code])

    def remarks(self, path: str) -> Mapping[str, Remark]:
        """What is to be said of a file, by fingerprint; nothing where it cannot be had."""
        if path not in self._found:
            self._found[path] = self._look(path) if len(self._found) < MOST else {}
        return self._found[path]

    def _look(self, path: str) -> Mapping[str, Remark]:
        try:
            data = self._content(path)
        except (
            HttpError
        ):  # too large for the server, or its rate is spent: the findings are told all the same
            data = None
        if data is None:
            return {}
        result = run(Found((self._root / path,), total=1), self._options, stdin=data)
        return {remark.fingerprint: remark for remark in remarks(result)}
