"""A tree of traps: nothing in it runs, nothing outside of it is opened, nothing is connected to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.review.fake_github import Fake, Handler, serving
from tests.review.fake_gitlab import FakeLab, LabHandler

CANARY = "CANARY"
DOCKERFILE = f"FROM --platform=linux/amd64 alpine\nLABEL x={CANARY}\n"

# Runs the command line and tells what it did that it must not. Opens are judged by where they really lead.
WATCHER = """
import json, os, sys
from archpatch.cli.app import run
import ctypes, encodings.idna, encodings.latin_1
root, log, arguments = os.path.realpath(os.getcwd()), sys.argv[1], sys.argv[2:]
own = tuple({os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path[1:]) if path})
host, scratch = os.environ.get("WATCHED_HOST"), os.environ.get("TMPDIR")  # what a review may speak to and write in
bad, busy = [], False
FORBIDDEN = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "socket.", "pickle.",
    "ctypes.", "urllib.", "ftplib.", "http.", "smtplib.", "webbrowser.")
def is_swap(event, arguments):  # the one call by ctypes: renameat2 of the C library that is loaded anyway
    return (event == "ctypes.dlopen" and arguments == (None,)) or (
        event == "ctypes.dlsym" and arguments[1] == "renameat2")
def is_asked(event, arguments):  # a review speaks to the host that it is told, and to no other
    if host is None:
        return False
    name, port = host.split(":")
    return (event in ("socket.__new__", "http.client.send")
        or event == "socket.bind" and arguments[1] == ("::1", 0)  # urllib3 asks whether there is IPv6
        or event == "socket.getaddrinfo" and arguments[:2] == (name, int(port))
        or event == "socket.connect" and arguments[1] == (name, int(port))
        or event == "http.client.connect" and arguments[1:] == (name, int(port)))
def inside(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
def hook(event, arguments):
    global busy
    if busy:
        return
    busy = True
    try:
        if event.startswith(FORBIDDEN) and not is_swap(event, arguments) and not is_asked(event, arguments):
            bad.append([event, repr(arguments)[:200]])
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not inside(path, (root, *own, *filter(None, [scratch]))) and path != "/dev/null":
                bad.append([event, path])
        elif event in ("compile", "exec"):
            name = str(getattr(arguments[-1], "co_filename", arguments[-1]))
            if inside(os.path.realpath(name), (root,)) and name[:1] != "<":
                bad.append([event, name])
    finally:
        busy = False
sys.addaudithook(hook)
try:
    code = run(arguments)
except SystemExit as error:
    code = error.code
busy = True
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and inside(os.path.realpath(file), (root,)):
        bad.append(["import", name])
with open(log, "w") as out:
    json.dump({"code": code, "bad": bad}, out)
"""

LINKS = {
    "Dockerfile.out": "../outside/Dockerfile",
    "Dockerfile.passwd": "/etc/passwd",
    "Dockerfile.shadow": "/etc/shadow",
    "Dockerfile.environ": "/proc/self/environ",
    "Dockerfile.memory": "/proc/self/mem",
    "Dockerfile.stdin": "/proc/self/fd/0",
    "Dockerfile.zero": "/dev/zero",
    "Dockerfile.random": "/dev/urandom",
    "Dockerfile.tty": "/dev/tty",
    "Dockerfile.loop": "Dockerfile.loop",
    "Dockerfile.ping": "Dockerfile.pong",
    "Dockerfile.pong": "Dockerfile.ping",
    "Dockerfile.gone": "../outside/gone",
    "up": "..",
    "here": ".",
    "root": "/",
    "proc": "/proc",
    "elsewhere": "../outside",
    "context/requirements.txt": "../../outside/requirements.txt",
    "context/app.csproj": "../../outside/app.csproj",
    "context/package.json": "/dev/zero",
    "context/.dockerignore": "../../outside/Dockerfile",
    "linked/archpatch.toml": "../../outside/archpatch.toml",
}
PWN = "import pathlib; pathlib.Path('pwned').write_text('x')\n"
PLAIN = "FROM --platform=linux/amd64 alpine\nRUN pip install -r requirements.txt && go build .\nCOPY . .\n"
FILES: dict[str, str] = {
    "context/Dockerfile": PLAIN + "COPY ../../outside/Dockerfile x-linux-amd64 /x\nADD ../outside/x.tar /\n",
    "context/setup.py": PWN,
    "context/go.mod": "module x\nreplace y => ../../outside\n",
    "linked/Dockerfile": PLAIN,
    "plugins/archpatch.toml": 'plugins = ["evil"]\n',
    "plugins/Dockerfile": PLAIN,
    "command/archpatch.toml": 'command = "touch pwned"\n',
    "command/Dockerfile": PLAIN,
    "extends/archpatch.toml": 'extends = "../../outside/archpatch.toml"\n',
    "extends/Dockerfile": PLAIN,
    "url/pyproject.toml": '[tool.archpatch]\nrules = "https://127.0.0.1:1/rules"\n',
    "url/Dockerfile": PLAIN,
    "deep-toml/archpatch.toml": "select = " + "[" * 100_000 + "\n",
    "deep-toml/Dockerfile": PLAIN,
    "wide-toml/archpatch.toml": "".join(f"a{n} = {{}}\n" for n in range(20_000)),
    "wide-toml/Dockerfile": PLAIN,
    "network/Dockerfile": "# syntax=127.0.0.1:1/evil\nFROM 127.0.0.1:1/x-amd64\nADD http://127.0.0.1:1/x-amd64.tgz /\n",
    "onbuild/Dockerfile": "FROM alpine\n" + "ONBUILD " * 200 + "RUN touch pwned\n",
    "sub\nstitution/Dockerfile": "FROM alpine\nRUN $(touch pwned) `touch pwned`\n",
    "\x1b]0;title\x07/Dockerfile": PLAIN,
    "::error::x/Dockerfile": PLAIN,
    "-o/--fix.Dockerfile": PLAIN,
    "n" * 240 + "/Dockerfile": PLAIN,
    "python/Dockerfile": "FROM python\nRUN python3 <<EOF\n" + PWN + "EOF\n",
    "conftest.py": PWN,
    "sitecustomize.py": PWN,
    "usercustomize.py": PWN,
    "archpatch.py": PWN,
    "archpatch_rules/__init__.py": PWN,
    "click.py": PWN,
    "tomllib.py": PWN,
    ".git/config": '[core]\n\tfsmonitor = "touch pwned"\n\thooksPath = hooks\n\tpager = "touch pwned"\n',
    ".git/HEAD": "ref: refs/heads/main\n",
    ".gitattributes": "* filter=evil\n",
    ".gitignore": "[" * 5000 + "\n" + "*" * 5000 + "\n",
    "bake/docker-bake.hcl": 'target "x" { dockerfile = "../../outside/Dockerfile" }\n',
}


def put_traps(tree: Path) -> int:
    """Build the tree; how many traps it holds."""
    for name, text in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    for name, goal in LINKS.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(goal)
    os.mkfifo(tree / "Dockerfile.fifo")
    os.mkfifo(tree / "context/package-lock.json")
    (tree / "folder/Dockerfile").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tree / "Dockerfile.socket"))
    with (tree / "Dockerfile.huge").open("wb") as file:
        file.truncate(1 << 34)
    (tree / os.fsdecode(b"Dockerfile.\xff\xfe")).write_text(PLAIN)
    (tree / "/".join(["d"] * 120)).mkdir(parents=True)
    return len(FILES) + len(LINKS) + 7


def watched(
    folder: Path, log: Path, *arguments: str, more: Mapping[str, str] | None = None
) -> tuple[int, list[list[str]], str]:
    driver = log.with_suffix(".py")
    driver.write_text(WATCHER)
    ran = subprocess.run(
        [sys.executable, str(driver), str(log), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(log.parent / "home"), "LC_ALL": "C.UTF-8", **(more or {})},
    )
    told = json.loads(log.read_text())
    return told["code"], told["bad"], (ran.stdout + ran.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--output-format", "json"),
        ("fix", "--unsafe"),
        ("fix", "--diff", "--style", "explicit"),
    ],
    ids=" ".join,
)
def test_a_tree_of_traps_catches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    before = {}
    for name in ("Dockerfile", "requirements.txt", "app.csproj", "archpatch.toml"):
        (outside / name).write_text(DOCKERFILE)
        before[name] = DOCKERFILE
    assert put_traps(tree) >= 40
    code, bad, text = watched(tree, tmp_path / "log.json", *arguments, "--no-cache", ".")
    assert bad == []
    assert code in (0, 1, 2)
    assert CANARY not in text
    assert not list(tmp_path.rglob("pwned"))
    assert {path.name: path.read_text() for path in outside.iterdir()} == before
    assert "\x1b]0;" not in text


@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_a_review_of_a_tree_of_traps_speaks_to_its_host_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outside, tree, scratch = tmp_path / "outside", tmp_path / "tree", tmp_path / "scratch"
    for folder in (outside, tree, scratch):
        folder.mkdir()
    (outside / "Dockerfile").write_text(DOCKERFILE)
    (outside / "archpatch.toml").write_text(f'# {CANARY}\nignore = ["AP"]\n')
    put_traps(tree)
    with (tree / "archpatch.toml").open("wb") as file:  # as large as an author likes
        file.truncate(1 << 34)
    (tree / ".archpatch.toml").symlink_to("/proc/kmsg")
    base = {"context/Dockerfile": "FROM alpine\n"}
    base |= dict.fromkeys(("archpatch.toml", "linked/archpatch.toml"), 'style = "minimal"\n')
    head = {name: text for name, text in FILES.items() if not name.startswith(".git")}
    fake = FakeLab(base=base, head=head) if host == "gitlab" else Fake(base=base, head=head)
    server = serving(fake, LabHandler if host == "gitlab" else Handler)
    address = next(server)
    more = {
        "TMPDIR": str(scratch), "WATCHED_HOST": address.removeprefix("http://"),
        "GITHUB_TOKEN": "secret-canary", "GITLAB_TOKEN": "secret-canary",
    }  # fmt: skip
    number, project = ("--mr", "--project") if host == "gitlab" else ("--pr", "--repo")
    words = (number, str(fake.number), project, "me/shop", "--api-url", address)
    code, bad, text = watched(tree, tmp_path / "log.json", "review", host, *words, more=more)
    next(server, None)
    assert bad == []
    assert code in (2, 4), text  # of configs and files that cannot be read
    told = [comment.body for comment in fake.comments] + [note.body for note in fake.notes]
    told += [note.body for note in fake.lab] if isinstance(fake, FakeLab) else []
    assert any("AP102" in body for body in told), text
    assert any("linked/archpatch" in body.replace("\\", "") for body in told)
    assert CANARY not in text + "".join(told)
    assert not list(tmp_path.rglob("pwned"))
    assert list(scratch.iterdir()) == []


def test_the_watcher_sees_what_it_looks_for(tmp_path: Path) -> None:
    log, tree = tmp_path / "log.json", tmp_path / "tree"
    tree.mkdir()
    (tree / "Dockerfile").write_text(PLAIN)
    (tmp_path / "other").write_text(PLAIN)
    _, bad, _ = watched(
        tree, log, "check", "--no-cache", "../other"
    )  # named on the command line: allowed, and seen
    assert ["open", str(tmp_path / "other")] in bad


def test_checking_real_files_opens_nothing_else(tmp_path: Path, corpus: Path) -> None:
    folder = sorted((corpus / "real").iterdir())[0]
    code, bad, _ = watched(
        folder, tmp_path / "log.json", "check", "--isolated", "--no-cache", "--jobs", "1", "."
    )
    assert bad == []
    assert code in (0, 1, 2)
