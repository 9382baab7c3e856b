"""AP119."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document


class SingleArchFileFamily(Rule):
    """One Dockerfile an architecture: `Dockerfile-amd64` beside `Dockerfile-arm64`, `x86_64/Dockerfile`.

    Each builds its own image, which a manifest list joins by hand. The files drift apart, and an image built without
    `--platform` from `FROM scratch` is labelled with the builder's architecture.

    It is a sound way where the architectures really differ; so the rules on literal architectures spare such a file.

    There is no automatic fix: one file that uses `$TARGETARCH` and `docker buildx build --platform
    linux/amd64,linux/arm64` does the same for all.
    """

    code, name, severity = "AP119", "single-arch-file-family", Severity.NOTE
    examples = (
        Example(
            "FROM golang:1.23\nRUN GOARCH=amd64 go build -o /app .\n",
            "FROM golang:1.23\nRUN GOARCH=amd64 go build -o /app .\n",
            name="Dockerfile-amd64",
            files={"Dockerfile-arm": "FROM golang:1.23\nRUN GOARCH=arm go build -o /app .\n"},
        ),
        Example(
            "FROM debian:12\nCOPY tool-amd64 /tool\n",
            "FROM debian:12\nCOPY tool-amd64 /tool\n",
            "A family by folders",
            name="images/x86_64/Dockerfile",
        ),
        Example("FROM golang:1.23\n", title="No sibling", name="Dockerfile-amd64"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """The file itself, at its first FROM."""
        if not document.stages or not (facts.family or facts.folder_arch):
            return
        family = (
            f"one of a family with {', '.join(facts.family)}"
            if facts.family
            else "in a folder for one architecture"
        )
        yield self.finding(
            document.stages[0].head.keyword_span,
            f"This file is {family}: what it says for {facts.named_arch} has to be said in the others too. Literals of that "
            "architecture are left as they are.",
        )
