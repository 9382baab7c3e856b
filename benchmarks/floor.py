"""The least that a reader of Dockerfiles and their shell must do: Moby's parser, and the grammar of bash over each RUN.

    python benchmarks/floor.py FILE...

Nothing is made of what they read. `bench.py` runs it as the floor below archpatch on one processor.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dockerfile
import tree_sitter_bash
from tree_sitter import Language, Parser


def main() -> None:
    """Parse the files that are named; one that Moby's parser refuses is passed over."""
    parser = Parser(Language(tree_sitter_bash.language()))
    for name in sys.argv[1:]:
        try:
            commands = dockerfile.parse_string(Path(name).read_text(encoding="utf-8", errors="replace"))
        except dockerfile.GoParseError:
            continue
        for command in commands:
            if command.cmd.upper() == "RUN" and not command.json:
                parser.parse("\n".join(command.value).encode())


if __name__ == "__main__":
    main()
