"""AP805."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.copied.paths import arch_paths, follow_target, is_rootfs, keeps_name, other_arch_file


class RootfsTarball(Rule):
    """The whole file system comes from an archive for one architecture: `ADD rootfs-amd64.tar.gz /` on scratch.

    An image from scratch has whatever architecture is asked for on its label, and what is in the archive under it. The
    image for arm64 holds amd64 programs and nothing else; the first RUN, or the start, ends in `exec format error`.

    It is fine in a file that is for that architecture by its name, and in a stage of a per-arch family: `FROM scratch AS
    root-amd64` and `root-arm64`, `FROM root-${TARGETARCH}`.

    The fix writes `${TARGETARCH}` into the archive's name where it says `amd64`: safe where the build context holds the
    archive for arm64 too, else unsafe. `x86_64` is respelled by two ARGs, unsafe too.
    """

    code, name, severity = "AP805", "rootfs-tarball", Severity.WARNING
    hints = ("scratch",)
    errors = ("exec format error",)
    examples = (
        Example(
            "FROM scratch\nADD rootfs-amd64.tar.gz /\n",
            "FROM scratch\nARG TARGETARCH\nADD rootfs-${TARGETARCH}.tar.gz /\n",
            files={"rootfs-amd64.tar.gz": "", "rootfs-arm64.tar.gz": ""},
            applicability="safe",
        ),
        Example(
            "FROM scratch\nADD amd64/root.tar.xz /\n",
            "FROM scratch\nARG TARGETARCH\nADD ${TARGETARCH}/root.tar.xz /\n",
            "Nobody knows of the other one",
            applicability="unsafe",
        ),
        Example(
            "FROM scratch\nADD alpine-minirootfs-3.20.0-x86_64.tar.gz /\n",
            "FROM scratch\nARG TARGETARCH\nARG TARGET_ARCH=${TARGETARCH/amd64/x86_64}\n"
            "ARG TARGET_ARCH=${TARGET_ARCH/arm64/aarch64}\n"
            "ADD alpine-minirootfs-3.20.0-${TARGET_ARCH}.tar.gz /\n",
            "The kernel's word",
            applicability="unsafe",
        ),
        Example(
            "FROM scratch AS root-amd64\nADD root-x86_64.tar.gz /\nFROM scratch AS root-arm64\nADD root-aarch64.tar.gz /\n"
            "FROM root-${TARGETARCH}\n",
            title="A stage for each",
        ),
        Example("FROM scratch\nADD rootfs.tar.xz /\n", title="A name that says nothing"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each archive."""
        for found in arch_paths(facts):
            if not is_rootfs(facts, found):
                continue
            unpacked = found.copy.keyword == "ADD"
            known = other_arch_file(facts, found) is not None and (unpacked or keeps_name(found))
            yield self.finding(
                found.source.span,
                f"All that is in this image comes from an archive for {found.word.arch}; built for another architecture it "
                "has that label and not one program that runs there.",
                follow_target(document, facts, found, safe=known),
            )
