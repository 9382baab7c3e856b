"""Short ways to mend downloads, for tests."""

from __future__ import annotations

from pathlib import Path

from archpatch.engine import Settings, check, fix
from archpatch.registry import load
from archpatch.syntax.parse import parse
from archpatch.text import Applicability

RULES = tuple(rule for rule in load() if rule.code.startswith(("AP4", "AP5")))
HELM = "https://get.helm.sh/helm-v3.9.1-linux-amd64.tar.gz"
NODE = "https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-x64.tar.xz"
CASE = (
    'RUN case "${TARGETARCH:-$(uname -m)}" in \\\n'
    "      amd64|x86_64) _arch=x64 ;; \\\n"
    "      arm64|aarch64) _arch=arm64 ;; \\\n"
    '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
    "    esac && \\\n    "
)


def fixed(text: str, level: Applicability = Applicability.UNSAFE, settings: Settings | None = None) -> str:
    outcome = fix(parse(text.encode(), Path("Dockerfile")), RULES, settings or Settings(), None, level)
    assert not outcome.demoted
    return outcome.source.decode()


def codes(text: str, settings: Settings | None = None) -> list[str]:
    report = check(parse(text.encode(), Path("Dockerfile")), RULES, settings or Settings())
    return [finding.code for finding in report.findings]
