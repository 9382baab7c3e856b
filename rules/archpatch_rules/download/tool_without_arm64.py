"""AP405."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.download.chromium import chromium_instead
from archpatch_rules.download.which import Pitfall, downloads, lacking


class ToolWithoutArm64(Rule):
    """A tool is downloaded that its publisher does not build for a requested platform.

    Nothing fails where the image is built; on arm64 the file cannot be executed.

    It is fine in a branch for amd64 alone, and in an image with an emulator for it (box64, FEX, QEMU).

    On Debian Chromium takes the place of Chrome where a RUN fetches and installs its package, and other architectures than
    amd64 are built; unsafe, for it is another program. Else there is no fix: another tool, the distribution's package or a
    build from source must take its place. A tool whose output has no architecture may stay in a stage that is pinned to
    amd64.
    """

    code, name, severity = "AP405", "tool-without-arm64", Severity.WARNING
    hints = ("://",)
    errors = ("exec format error", "404")
    examples = (
        Example(
            "FROM debian\n"
            "RUN curl -fsSLO https://chromedriver.storage.googleapis.com/114.0.5735.90/chromedriver_linux64.zip\n",
            "FROM debian\n"
            "RUN curl -fsSLO https://chromedriver.storage.googleapis.com/114.0.5735.90/chromedriver_linux64.zip\n",
        ),
        Example(
            "FROM node:22\n"
            "RUN apt-get update && wget https://dl.google.com/linux/direct/google-chrome-stable_current_amd64.deb \\\n"
            " && apt-get install -y ./google-chrome-stable_current_amd64.deb && rm google-chrome-stable_current_amd64.deb\n"
            "ENV CHROME_BIN=/usr/bin/google-chrome\n",
            "FROM node:22\n"
            'RUN apt-get update && if [ "$(dpkg --print-architecture)" = amd64 ]; then '
            "wget https://dl.google.com/linux/direct/google-chrome-stable_current_amd64.deb \\\n"
            " && apt-get install -y ./google-chrome-stable_current_amd64.deb && rm google-chrome-stable_current_amd64.deb; "
            "else apt-get install -y chromium && ln -s chromium /usr/bin/google-chrome; fi\n"
            "ENV CHROME_BIN=/usr/bin/google-chrome\n",
            "Debian's Chromium stands in for Chrome, where it is called for too",
            applicability="unsafe",
        ),
        Example(
            "FROM debian\n"
            'RUN if [ "$(uname -m)" = x86_64 ]; then \\\n'
            "      curl -fsSLO https://chromedriver.storage.googleapis.com/114.0.5735.90/chromedriver_linux64.zip; \\\n"
            "    fi\n",
        ),
        Example(
            "FROM debian\nRUN git clone https://github.com/ptitSeb/box64.git && make -C box64 install\n"
            "RUN curl -fsSL https://steamcdn-a.akamaihd.net/client/installer/steamcmd_linux.tar.gz | tar xz\n",
            title="An emulator runs it",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each download."""
        for download in downloads(facts, Pitfall.NO_ASSET):
            assert download.match is not None
            asset = download.match.asset
            gone = [arch for arch in lacking(facts, download) if asset.spell(arch) is None]
            yield self.finding(
                download.span,
                f"No build of {asset.tool} for {' or '.join(gone)} is known."
                + (f" {asset.note[:1].upper()}{asset.note[1:]}." if asset.note else ""),
                chromium_instead(document, download),
            )
