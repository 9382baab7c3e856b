"""Commands that run another command: `sudo`, `env A=b`, `exec`, `xargs`; and scripts that stand in an argument."""

from __future__ import annotations

from itertools import pairwise

from archpatch.syntax.shell_words import ShellWord

# Commands that run the command named by their arguments, with those of their options that take a value.
_WRAPPERS = {
    "sudo": ("-u", "-g", "--user", "--group", "-C", "-h", "-p"),
    "env": ("-u", "--unset", "-C", "--chdir", "-S"),
    "exec": ("-a",),
    "time": ("-f", "-o"),
    "command": (),
    "builtin": (),
    "nice": ("-n",),
    "nohup": (),
    "eatmydata": (),
    "gosu": (),
    "su-exec": (),
    "xargs": ("-n", "-I", "-L", "-P", "-d", "-a", "-s", "-E"),
    "timeout": ("-k", "-s"),
    "linux32": (),
    "linux64": (),
    "setarch": (),
}  # fmt: skip
SHELLS = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh", "mksh", "busybox"})
USERS = frozenset({"su", "runuser"})
"""Commands that give a script to another user's shell: `su - app -c '...'`."""
_TAKES_ONE = ("timeout", "setarch", "gosu", "su-exec")  # an argument of their own before the command


def command_at(words: tuple[ShellWord, ...]) -> int:
    """The index of the word that names the command which really runs."""
    at = 0
    while at < len(words):
        wrapper = (words[at].literal or "").rsplit("/", 1)[-1]
        if wrapper not in _WRAPPERS:
            break
        following = _after_options(words, at + 1, wrapper)
        if following >= len(words):
            break
        at = following
    return at


def _after_options(words: tuple[ShellWord, ...], at: int, wrapper: str) -> int:
    """The index of the first word after a wrapper's own options, assignments and argument."""
    own = 1 if wrapper in _TAKES_ONE else 0
    while at < len(words):
        text = words[at].raw
        if text == "--":
            return at + 1
        if text.startswith("-") and len(text) > 1:
            at += 2 if text in _WRAPPERS[wrapper] else 1
        elif wrapper in ("env", "sudo") and "=" in text.split("/", 1)[0]:
            at += 1
        elif own:
            own, at = 0, at + 1
        else:
            return at
    return at


def script_word(name: str, words: tuple[ShellWord, ...]) -> ShellWord | None:
    """The script among the arguments of a shell, or of `su`, which hands it to one."""
    return _of_user(words) if name in USERS else _of_shell(words)


def _of_shell(words: tuple[ShellWord, ...]) -> ShellWord | None:
    """The word after `-c`, `-ec`, `-euxo pipefail -c`, `-lc`."""
    for index, word in enumerate(words):
        text = word.prefix
        if text[:1] not in ("-", "+") or text.startswith("--"):
            if index and words[index - 1].prefix[-1:] == "o":
                continue
            return None
        if text[0] == "-" and "c" in text and text[1:].isalpha():
            at = index + (2 if "o" in text else 1)
            return words[at] if at < len(words) else None
    return None


def _of_user(words: tuple[ShellWord, ...]) -> ShellWord | None:
    """The word after `-c` or `--command`, before or behind the user's name; None for a shell that is none of ours."""
    options: dict[str, ShellWord | None] = {"-c": None, "-s": None}
    for option, word in pairwise(words):
        text = option.prefix
        short = text[:1] + text[-1:] if text[1:].isalpha() else _LONG.get(text, "")
        if short in options and options[short] is None:
            options[short] = word
    shell = options["-s"]
    ours = shell is None or (shell.literal or "").rsplit("/", 1)[-1] in SHELLS
    return options["-c"] if ours else None


_LONG = {"--command": "-c", "--session-command": "-c", "--shell": "-s"}
