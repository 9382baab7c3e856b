"""What the shell of a RUN really runs: bash reads it, and each program is one that says how it was called.

The scripts of strangers run in a container without network, without capabilities and with no program but these.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from archpatch.facts import Facts
from archpatch.platforms import AMD64, ARM64, Platform
from archpatch.syntax.parse import parse
from archpatch.syntax.shell_text import joined
from archpatch.syntax.tree import Run
from archpatch.text import decode
from tests.engine.conftest import docker

IMAGE = "debian:bookworm-slim"
_MACHINE = {AMD64: ("x86_64", "amd64", "x64"), ARM64: ("aarch64", "arm64", "arm64")}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# They would change how bash itself goes about it.
_OWN = {"PATH", "HOME", "SHELL", "ENV", "BASH_ENV", "IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"}
_BETWEEN = "\x01"

# Says its words on descriptor 9, quoted. A pipe's parts run side by side: the order of the lines means nothing.
_STUBS = r"""
said() { local IFS=' '; builtin printf '%s\n' "$(builtin printf '%q ' "$@")" >&9; }
command_not_found_handle() { said "$@"; }
for name in cd pushd popd source exec mkdir curl wget tar; do eval "$name() { said $name \"\$@\"; }"; done
echo() { said echo "$@"; builtin echo "$@"; }
uname() { case "$*" in *m*|-p|-i) builtin echo "$MACHINE" ;; *) builtin echo Linux ;; esac; }
arch() { builtin echo "$MACHINE"; }
dpkg() { case "$*" in *--print-architecture*) builtin echo "$DEBIAN" ;; *) said dpkg "$@" ;; esac; }
apk() { case "$*" in *--print-arch*) builtin echo "$MACHINE" ;; *) said apk "$@" ;; esac; }
rpm() { case "$*" in *--eval*) builtin echo "$MACHINE" ;; *) said rpm "$@" ;; esac; }
node() { case "$*" in *process.arch*) builtin echo "$NODE" ;; *) said node "$@" ;; esac; }
nested() {
  case "$1" in -*c) local script="$2"; shift 2; /bin/bash --norc -c "$STUBS$script" "$@" ;; *) said sh "$@" ;; esac
}
sh() { nested "$@"; }
bash() { nested "$@"; }
PATH=/programs
"""
_END = "\nended=$?; wait; exit $ended"  # what runs in the background says its words too
_TOOLS = "awk basename cat cut dirname egrep expr grep head sed seq sort tail tee tr uniq wc"
_BEGIN = f'mkdir /programs; for tool in {_TOOLS}; do ln -s "$(command -v $tool)" /programs; done\n'


@dataclass(frozen=True)
class Script:
    """A RUN in shell form, and what is set for it on a platform."""

    text: str
    shell: tuple[str, ...]
    platform: Platform
    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Played:
    """The calls of a script in the order of the alphabet, and how it ended."""

    calls: tuple[str, ...]
    status: int


def scripts(source: bytes, target: Platform) -> list[Script | None]:
    """The RUNs of a Dockerfile for a target, in order; None: a form or a shell that bash does not stand for."""
    facts = Facts(parse(source), (AMD64, ARM64))
    found: list[Script | None] = []
    for stage in facts.stages:
        host = stage.platform(target).platform or target
        for run in stage.runs:
            shell = facts.shell_words(run)
            if (
                run.json
                or (run.heredocs and not _is_heredoc(run))
                or not shell[0].endswith("sh")
                or host not in _MACHINE
            ):
                found.append(None)
                continue
            scope = facts.scope(run, target)
            values = {name: scope.get(name) for name in scope.every_name() if _NAME.fullmatch(name)}
            known = {
                name: variable.value.text
                for name, variable in values.items()
                if variable is not None and variable.value.text is not None and name not in _OWN
            }
            content = run.heredocs[0].content.of(source) if run.heredocs else None
            text = decode(joined(source, run.body, facts.escape).data if content is None else content)
            found.append(Script(text, tuple(shell), host, tuple(sorted(known.items()))))
    return found


def _is_heredoc(run: Run) -> bool:
    """Whether a RUN is nothing but a heredoc, whose text is then the script."""
    return len(run.heredocs) == 1 and run.heredocs[0].marker == run.body


def play(wanted: Sequence[Script]) -> list[Played]:
    """Run scripts, all in one container."""
    driver = _BEGIN + "".join(map(_step, wanted))
    told = docker(
        "run", "--rm", "--interactive", "--network=none", "--cap-drop=ALL", "--pids-limit=200", "--memory=512m",
        IMAGE, "bash", "--norc", "-s", stdin=driver.encode("utf-8", "surrogateescape"),
    )  # fmt: skip
    return [_played(part) for part in told.split(_BETWEEN)[:-1]]


def _step(script: Script) -> str:
    machine, debian, node = _MACHINE[script.platform]
    options = [word for word in script.shell[1:-1] if word.startswith("-") or word == "pipefail"]
    own = (("MACHINE", machine), ("DEBIAN", debian), ("NODE", node), ("STUBS", _STUBS))
    variables = " ".join(shlex.quote(f"{name}={value}") for name, value in (*own, *script.variables))
    body = shlex.quote(_STUBS + script.text + _END)
    words = " ".join(map(shlex.quote, options))
    run = f"env -i PATH=/bin:/usr/bin {variables} timeout 10 bash --norc {words} -c {body}"
    return f"( cd /tmp; {run} 9>&1 >/dev/null 2>&1 </dev/null; printf '\\n%s%s' $? '{_BETWEEN}' )\n"


def _played(part: str) -> Played:
    *calls, status = part.strip("\n").split("\n")
    return Played(tuple(sorted(call for call in calls if call)), int(status))
