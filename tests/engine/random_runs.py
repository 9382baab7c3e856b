"""Dockerfiles that download for amd64, in the many ways in which a shell lets one write it."""

from __future__ import annotations

from random import Random

# Folder of the URL, name of the file, what it unpacks to, a version; {V} stands for the version.
_TOOLS = (
    ("https://dl.k8s.io/release/v{V}/bin/linux/amd64/", "kubectl", "", "1.27.3"),
    ("https://get.helm.sh/", "helm-v{V}-linux-amd64.tar.gz", "linux-amd64", "3.12.0"),
    ("https://releases.hashicorp.com/terraform/{V}/", "terraform_{V}_linux_amd64.zip", "", "1.5.0"),
    ("https://nodejs.org/dist/v{V}/", "node-v{V}-linux-x64.tar.xz", "node-v{V}-linux-x64", "18.16.0"),
    ("https://awscli.amazonaws.com/", "awscli-exe-linux-x86_64-{V}.zip", "", "2.13.0"),
    ("https://github.com/krallin/tini/releases/download/v{V}/", "tini-amd64", "", "0.19.0"),
    ("https://example.com/dl/{V}/", "tool-{V}-linux-amd64.tgz", "tool-{V}-linux-amd64", "4.5.6"),
    ("https://example.com/dl/{V}/", "tool_{V}_Linux_x86_64.tar.gz", "tool_{V}_Linux_x86_64", "4.5.6"),
    (
        "https://github.com/protocolbuffers/protobuf/releases/download/v{V}/",
        "protoc-{V}-linux-x86_64.zip", "", "23.2",
    ),
)  # fmt: skip
_AROUND = (
    "{}", "{}", "{}", "{{ {}; }}", "( {} )", "if true; then {}; fi", "for n in 1 2; do {}; done",
    "get() {{ {}; }}; get", "if ! command -v tool >/dev/null; then {}; fi", "while :; do {}; break; done",
)  # fmt: skip


def dockerfile(seed: int) -> str:
    """A file of one RUN with one to three downloads, always the same for a seed."""
    choice = Random(seed)
    head, body = ["FROM debian:12"], []
    for number in range(choice.choice((1, 1, 2, 3))):
        declared, commands = _download(choice, number)
        head += declared
        body.append(_wrapped(choice, commands))
    if choice.random() < 0.15:
        marker = choice.choice(("EOF", "'EOF'"))
        return "\n".join((*head, f"RUN <<{marker}", "set -e", *body, "EOF", ""))
    joint = choice.choice((" && ", " \\\n    && ", " && \\\n    # next\n    ", "; \\\n    "))
    start = ["set -eux"] if joint.startswith(";") else []
    return "\n".join((*head, "RUN " + joint.join((*start, *body)), ""))


def _download(choice: Random, number: int) -> tuple[list[str], list[str]]:
    """What stands above the RUN, and the commands of one download."""
    folder, name, inner, version = choice.choice(_TOOLS)
    declared: list[str] = []
    commands: list[str] = []
    held = f"V{number}"
    match choice.choice(("literal", "literal", "ARG", "ENV", "script")):
        case "literal":
            written = version
        case "script":
            written = f"${{{held}}}"
            commands.append(
                choice.choice((f"{held}={version}", f'{held}="{version}"', f"export {held}={version}"))
            )
        case keyword:
            written = f"${{{held}}}"
            declared.append(f"{keyword} {held}={version}")
    folder, name, inner = (text.replace("{V}", written) for text in (folder, name, inner))
    url = _quoted(choice, folder + name)
    if choice.random() < 0.2:
        commands.append(f"URL={_quoted(choice, folder + name)}")
        url = choice.choice(('"$URL"', "$URL", '"${URL}"'))
    elif choice.random() < 0.2:
        commands.append(f"FILE={_quoted(choice, name)}")
        url, name = f'"{folder}${{FILE}}"', "${FILE}"
    return declared, [*commands, *_uses(choice, url, name, inner)]


def _uses(choice: Random, url: str, name: str, inner: str) -> list[str]:
    """The commands that fetch a file, unpack it, and put in place what was in it."""
    piped = (f"curl -fsSL {url} | tar xz", f"wget -qO- {url} | tar xz")
    elsewhere = (f"curl -fsSL -o /tmp/f {url}", f"wget -q -O /tmp/f {url}", f"curl -fsSL {url} > /tmp/f")
    in_place = (f"wget {url}", f"curl -fsSLO {url}", f"wget -q {url}")
    fetched = choice.choice((*piped, *elsewhere, *in_place, *in_place))
    commands = [fetched]
    if fetched not in piped:
        file = "/tmp/f" if fetched in elsewhere else _quoted(choice, name)
        commands.append(choice.choice((f"tar xf {file}", f"unzip {file}", f"install -m 755 {file} /bin/t")))
        commands += [f"rm -f {file}"] * choice.randrange(2)
    if inner and choice.random() < 0.6:
        commands.append(choice.choice((f"mv {_quoted(choice, inner + '/t')} /bin/", f"cp -r {inner}/* /opt")))
    return commands


def _quoted(choice: Random, text: str) -> str:
    if "$" in text:
        return choice.choice((text, f'"{text}"'))
    return choice.choice((text, text, f'"{text}"', f"'{text}'", f'{text[:7]}"{text[7:]}"'))


def _wrapped(choice: Random, commands: list[str]) -> str:
    if choice.random() < 0.1 and not any("'" in command for command in commands):
        return f"{choice.choice(('sh', 'bash'))} -c '{' && '.join(commands)}'"
    return choice.choice(_AROUND).format(choice.choice((" && ", "; ")).join(commands))
