"""What each package manager's command line means: the verbs that install, the options that take a value.

Sources: the manual pages of apk-tools, apt, dnf, zypper, tdnf, pip, npm, yarn, pnpm, gem, cargo, go and conda.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from archpatch.text import regex


class Spec(NamedTuple):
    """A package as one argument names it; `name` is empty for an argument that is no package."""

    name: str
    version: str | None = None
    arch: str | None = None
    local: bool = False


class Manager(NamedTuple):
    """A package manager. `values` are the options that take the next word, `verbs` those that install.

    `clusters`: whether `-yq` is `-y -q`. `files` are the options whose value is a file that lists packages.
    `bare`: a call without a verb installs (yarn).
    """

    name: str
    verbs: frozenset[str]
    values: frozenset[str]
    read: Callable[[str], Spec]
    clusters: bool = True
    files: frozenset[str] = frozenset()
    bare: bool = False


_FILE = regex(r"\.(?:deb|rpm|apk|whl|tgz|tar\.\w+|zip|gem|conda)$")


def _is_local(text: str) -> bool:
    return "://" in text or text.startswith(("./", "../", "/", "~", "file:", "git+")) or text in (".", "..")


def _apk(text: str) -> Spec:
    if text.startswith("!"):
        return Spec("")
    if _is_local(text) or text.endswith(".apk"):
        return Spec(text, local=True)
    match = re.match(r"([^=<>~@]+)(?:@[^=<>~]+)?(?:([=<>~]+)(.*))?$", text)
    return Spec(match[1], match[3]) if match else Spec(text)


def _apt(text: str) -> Spec:
    if _is_local(text) or text.endswith(".deb"):
        return Spec(text, local=True)
    if text.endswith("-"):  # `install foo-` removes
        return Spec("")
    name, _, version = text.partition("=")
    name, _, release = name.partition("/")
    name, _, arch = name.partition(":")
    return Spec(name, version or release or None, arch or None)


_RPM_ARCH = regex(r"(.+)\.(x86_64|aarch64|i[3-6]86|noarch|armv7hl|ppc64le|s390x|src)$")
_RPM_VERSION = regex(r"(.+?)-((?:\d+:)?\d[\w.~+^*]*-\d[\w.~+^*]*|\d+\.\d+[\w.~+^*]*)$")


def _rpm(text: str) -> Spec:
    if _is_local(text) or text.endswith(".rpm"):
        return Spec(text, local=True)
    if text.startswith("@"):  # a group
        return Spec(text)
    arch = None
    if match := _RPM_ARCH.match(text):
        text, arch = match[1], match[2]
    if match := _RPM_VERSION.match(text):
        return Spec(match[1], match[2], arch)
    name, _, version = text.partition("=")
    return Spec(name.rstrip("<> "), version or None, arch)


_REQUIREMENT = regex(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(@|[=~<>!].*)?", re.DOTALL)


def _pip(text: str) -> Spec:
    match = _REQUIREMENT.match(text)
    name = re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""
    if match and match[2] == "@":  # `name @ https://...`
        return Spec(name, local=True)
    if not match or _is_local(text) or _FILE.search(text):
        return Spec(text, local=True)
    version = (match[2] or "").partition(";")[0]
    return Spec(name, version.lstrip("=~<>! ").rstrip() or None)


def _npm(text: str) -> Spec:
    if _is_local(text) or _FILE.search(text):
        return Spec(text, local=True)
    at = text.find("@", 1)
    return Spec(text) if at < 0 else Spec(text[:at], text[at + 1 :] or None)


def _gem(text: str) -> Spec:
    if _is_local(text) or text.endswith(".gem"):
        return Spec(text, local=True)
    name, _, version = text.partition(":")
    return Spec(name, version or None)


def _at(text: str) -> Spec:
    if _is_local(text):
        return Spec(text, local=True)
    name, _, version = text.partition("@")
    return Spec(name, version or None)


def _conda(text: str) -> Spec:
    if _is_local(text) or _FILE.search(text):
        return Spec(text, local=True)
    match = re.match(r"([^=<>!~ \[]+)\s*(?:[=<>!~]+\s*([^=,\s]*))?", text.rpartition("::")[2])
    return Spec(match[1].lower(), match[2] or None) if match else Spec(text)


def words_of(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


_DNF_VALUES = words_of(
    "-c --config -e -d -R -x --exclude --excludepkgs --enablerepo --disablerepo --repo --repoid --installroot"
    " --releasever --setopt --forcearch --repofrompath --downloaddir --disableplugin --enableplugin --color"
    " --advisory --comment --destdir --rpmverbosity"
)
_APT_VALUES = words_of(
    "-o --option -c --config-file -t --target-release --default-release -a --host-architecture -P --build-profiles"
)
_PIP_VALUES = words_of(
    "-r --requirement --requirements -c --constraint --constraints -e --editable -t --target --platform"
    " --python-version --implementation --abi --root --prefix --src --progress-bar -i --index-url"
    " --extra-index-url -f --find-links --no-binary --only-binary --global-option -C --config-settings"
    " --config-setting --install-option --build-option --cache-dir --timeout --retries --trusted-host --proxy"
    " --cert --client-cert --log --upgrade-strategy --python --exists-action --root-user-action --report"
    " --use-feature --use-deprecated -w --wheel-dir -d --dest -p --python-platform --index --default-index"
    " --index-strategy --keyring-provider --link-mode --overrides --override --extra --group --upgrade-package -P"
)
_NPM_VALUES = words_of(
    "--prefix --registry --cache --loglevel -C -w --workspace --omit --include --only --cpu --os --libc --arch"
    " --target_arch --userconfig --network-timeout --fetch-timeout --fetch-retries --modules-folder"
    " --cache-folder --cwd --filter -F --dir --store-dir --mutex --network-concurrency --tag --maxsockets"
)

_DNF_VERBS = words_of("install reinstall localinstall groupinstall")

_APK = Manager(
    "apk",
    words_of("add"),
    words_of(
        "-t --virtual -p --root -X --repository --arch --cache-dir --cache-max-age --keys-dir --repositories-file"
        " --timeout --wait --progress-fd"
    ),
    _apk,
)
_APT = Manager("apt", words_of("install"), _APT_VALUES, _apt)
_PIP = Manager(
    "pip",
    words_of("install wheel download"),
    _PIP_VALUES,
    _pip,
    files=words_of("-r --requirement --requirements"),
)
_NPM_VERBS = "install i in ins isntall add ci clean-install install-clean"
_CONDA = Manager(
    "conda",
    words_of("install create update"),
    words_of(
        "-n --name -p --prefix -c --channel -f --file --platform --subdir --solver -r --root-prefix --override"
    ),
    _conda,
    files=words_of("-f --file"),
)

MANAGERS: dict[str, Manager] = {
    "apk": _APK,
    "apt-get": _APT,
    "apt": _APT,
    "aptitude": _APT,
    "apt-fast": _APT,
    "dpkg": Manager(
        "dpkg",
        words_of("-i --install"),
        words_of("--root --admindir --instdir --force --no-force"),
        _apt,
        clusters=False,
    ),
    "rpm": Manager(
        "rpm",
        frozenset(),
        words_of("--root --dbpath --prefix --relocate -r --excludepath -D --define -E"),
        _rpm,
    ),
    "yum": Manager("yum", _DNF_VERBS, _DNF_VALUES, _rpm),
    "dnf": Manager("dnf", _DNF_VERBS, _DNF_VALUES, _rpm),
    "dnf5": Manager("dnf", _DNF_VERBS, _DNF_VALUES, _rpm),
    "microdnf": Manager("microdnf", _DNF_VERBS, _DNF_VALUES, _rpm),
    "tdnf": Manager("tdnf", _DNF_VERBS, _DNF_VALUES, _rpm),
    "zypper": Manager(
        "zypper",
        words_of("install in"),
        words_of(
            "-R --root -D --reposd-dir -C --cache-dir -r --repo --from -t --type -c --config --plus-repo"
        ),
        _rpm,
    ),
    "pip": _PIP,
    "npm": Manager("npm", words_of(_NPM_VERBS), _NPM_VALUES, _npm, clusters=False),
    "yarn": Manager("yarn", words_of("install add"), _NPM_VALUES, _npm, clusters=False, bare=True),
    "pnpm": Manager("pnpm", words_of("install i add"), _NPM_VALUES, _npm, clusters=False),
    "gem": Manager(
        "gem",
        words_of("install i"),
        words_of(
            "-v --version -i --install-dir -n --bindir --platform -s --source -P --trust-policy -B --build-root -p"
        ),
        _gem,
    ),
    "bundle": Manager(
        "bundle",
        words_of("install"),
        words_of(
            "-j --jobs --path --without --with --retry --gemfile --binstubs --trust-policy --target-rbconfig"
        ),
        _gem,
        bare=True,
    ),
    "cargo": Manager(
        "cargo",
        words_of("install binstall"),
        words_of(
            "--version --vers --git --branch --tag --rev --path --root --target --target-dir -F --features --bin"
            " --example --profile -j --jobs --registry --index --config -Z --message-format --color"
        ),
        _at,
    ),
    "go": Manager(
        "go",
        words_of("install get"),
        words_of(
            "-ldflags -tags -gcflags -asmflags -gccgoflags -o -mod -modfile -overlay -p -pkgdir -toolexec -C"
            " -buildmode -compiler -installsuffix"
        ),
        _at,
        clusters=False,
    ),
    "conda": _CONDA,
    "mamba": _CONDA,
    "micromamba": _CONDA,
}
