"""AP706."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archpatch.facts import Download, Facts, PlatformKind, Written, written
from archpatch.facts.targets import only_asked_for
from archpatch.facts.written import why_arch_is_fine
from archpatch.rewrite import arch_case
from archpatch.rewrite.paths import substitute_written
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Copy, Document, Run
from archpatch.text import Applicability, Edit, Fix, Span, decode, regex

_FOLDER = regex(r"(?<=/)targets/x86_64-linux(?:/(lib|include)(?=$|[/:\"'\s;]))?")
_REPOSITORY = regex(r"(?<=compute/cuda/repos/)[\w.-]+/x86_64(?=$|[/\"'\s])")

_KEY = regex(r"cuda/repos/[\w.-]+/x86_64/\w+\.pub[\"']?;?$")


class CudaPath(Rule):
    """A path of CUDA is written out for amd64: `cuda/targets/x86_64-linux`, `cuda/repos/ubuntu2204/x86_64`.

    NVIDIA calls the folder and the package repository of arm64 servers `sbsa`. With the words of amd64 apt finds no
    package for arm64, and the linker no library.

    It is fine in a branch that asks for the architecture, in an image that is for amd64 by its name, and where the key of
    the repository alone is fetched: it is the same one for both.

    The fix uses the links that every CUDA installation has, `cuda/lib64` and `cuda/include`, or chooses `x86_64` or
    `sbsa` for the repository by a `case`. Both are unsafe: not every version of CUDA is published for arm64.
    """

    code, name, severity = "AP706", "cuda-path", Severity.WARNING
    hints = ("targets/x86_64-linux", "cuda/repos/")
    errors = (
        "/usr/bin/ld: cannot find -lcudart",
        "E: Unable to locate package cuda-toolkit",
        "error while loading shared libraries: libcudart.so",
    )
    examples = (
        Example(
            "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\n"
            "ENV LD_LIBRARY_PATH=/usr/local/cuda/targets/x86_64-linux/lib:$LD_LIBRARY_PATH\n",
            "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\n"
            "ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64:$LD_LIBRARY_PATH\n",
            applicability="unsafe",
        ),
        Example(
            "FROM ubuntu:22.04\n"
            'RUN echo "deb https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64 /" > /etc/apt/a.list\n',
            "FROM ubuntu:22.04\n"
            "ARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _cuda=x86_64 ;; \\\n"
            "      arm64|aarch64) _cuda=sbsa ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            '    esac && \\\n    echo "deb https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/${_cuda} /"'
            " > /etc/apt/a.list\n",
            "The package repository",
            applicability="unsafe",
        ),
        Example(
            "FROM rockylinux:9\n"
            "RUN dnf config-manager --add-repo https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64/cuda-rhel9.repo\n",
            "FROM rockylinux:9\nARG TARGETARCH\n"
            'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
            "      amd64|x86_64) _cuda=x86_64 ;; \\\n"
            "      arm64|aarch64) _cuda=sbsa ;; \\\n"
            '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
            "    esac && \\\n    dnf config-manager --add-repo "
            "https://developer.download.nvidia.com/compute/cuda/repos/rhel9/${_cuda}/cuda-rhel9.repo\n",
            "A file that dnf fetches",
            applicability="unsafe",
        ),
        Example("FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nENV LD_LIBRARY_PATH=/usr/local/cuda/lib64\n"),
        Example(
            "FROM nvidia/cuda:11.2.2-devel-ubuntu20.04\n"
            "RUN apt-key adv --fetch-keys https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2004/x86_64/3bf863cc.pub\n",
            title="The key alone",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each word; what is downloaded by URL is the downloads' matter."""
        fetched = (
            {one.word.span for one in facts.downloads if not _is_added(one)} if _any(document) else set()
        )
        for place in written(facts, "targets/x86_64-linux", "cuda/repos/"):
            match = _FOLDER.search(place.value) or _REPOSITORY.search(place.value)
            if match is not None and _KEY.search(place.value) and not _other_than_keys(document):
                continue
            span = None if match is None else next(place.places(match[0]), None)
            if match is None or span is None or place.word.span in fetched:
                continue
            if why_arch_is_fine(facts, "amd64", place.instruction, span, place.command) is not None:
                continue
            yield self.finding(
                span,
                f"`{match[0]}` is NVIDIA's path for amd64; on arm64 servers its place is `sbsa`, so nothing is found here.",
                _fix(document, facts, place, match, span),
            )


def _any(document: Document) -> bool:
    """Whether a repository of NVIDIA's may be named."""
    return b"cuda/repos/" in document.source


def _other_than_keys(document: Document) -> bool:
    """Whether the file names more of a repository than its key, which is the same one for every architecture."""
    words = decode(document.source).split()
    return any("cuda/repos/" in word and not _KEY.search(word) for word in words)


def _is_added(download: Download) -> bool:
    """Whether it is a repository that dnf itself is told of: `dnf config-manager --add-repo`."""
    return download.kind == "dnf" and download.url.endswith(".repo")


def _fix(document: Document, facts: Facts, place: Written, match: re.Match[str], span: Span) -> Fix | None:
    if match[0].startswith("targets/"):
        if match[1] is None or isinstance(place.instruction, Copy):
            return None
        link = "lib64" if match[1] == "lib" else "include"
        if place.command is None and place.instruction.keyword != "ENV":
            return None
        edits = tuple(Edit.replace(one, link) for one in place.places(match[0]))
        return Fix("Go by the link that every installation has", edits, Applicability.UNSAFE)
    run = place.instruction
    if not isinstance(run, Run) or place.stage.kind is not PlatformKind.TARGET:
        return None
    if not only_asked_for(facts, "amd64", "arm64"):
        return None
    chosen = arch_case(document, facts, run, {"amd64": "x86_64", "arm64": "sbsa"}, (span,), "_cuda")
    if chosen is None:
        return None
    edit = substitute_written(place, Span(span.end - len("x86_64"), span.end), chosen[1])
    if edit is None:
        return None
    return Fix("Choose NVIDIA's word for the architecture", (*chosen[0], edit), Applicability.UNSAFE)
