"""Commands that run another command: `sudo`, `env A=b`, `exec`, `xargs`."""

from __future__ import annotations

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
