"""AP329."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import Applicability, Fix
from archpatch_rules.package.which import is_fine, on_amd64_alone, packages, stages

# Source: Google's own images of its CLI, which leave these out on arm64.
_AMD64_ONLY = frozenset(
    {"anthos-auth", "appctl", "cloud-spanner-emulator", "nomos", "spanner-emulator", "spanner-migration-tool"}
)
_PREFIXES = ("google-cloud-cli-", "google-cloud-sdk-")


class GcloudComponent(Rule):
    """A component of Google's Cloud CLI is installed that Google has for amd64 alone.

    On arm64 apt ends with `Unable to locate package google-cloud-cli-spanner-emulator`, and `gcloud components install`
    with `The following components are unknown`.

    It is fine in a branch that asks for the architecture.

    The fix installs a package of apt on amd64 alone. It is unsafe: whether the arm64 image can do without is for a person to
    say. For `gcloud components install` there is none.
    """

    code, name, severity = "AP329", "gcloud-component", Severity.ERROR
    hints = ("google-cloud", "gcloud")
    errors = ("The following components are unknown", "Unable to locate package google-cloud-cli-")
    examples = (
        Example(
            "FROM debian\nRUN apt-get update && apt-get install -y google-cloud-cli google-cloud-cli-spanner-emulator\n",
            "FROM debian\nRUN apt-get update && apt-get install -y google-cloud-cli "
            '$([ "$(dpkg --print-architecture)" = amd64 ] && echo google-cloud-cli-spanner-emulator)\n',
            applicability="unsafe",
        ),
        Example(
            "FROM google/cloud-sdk\nRUN gcloud components install --quiet beta cloud-spanner-emulator\n",
            "FROM google/cloud-sdk\nRUN gcloud components install --quiet beta cloud-spanner-emulator\n",
        ),
        Example("FROM google/cloud-sdk\nRUN gcloud components install --quiet beta pubsub-emulator\n"),
        Example(
            "FROM debian\nRUN if [ `uname -m` = x86_64 ]; then apt-get install -y google-cloud-cli-spanner-emulator; fi\n"
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each component."""
        if "arm64" not in others(facts):
            return
        for install, package in packages(facts, "apt"):
            prefix = next((one for one in _PREFIXES if package.name.startswith(one)), None)
            if (
                prefix
                and package.name.removeprefix(prefix) in _AMD64_ONLY
                and not is_fine(facts, install, package)
            ):
                edit = on_amd64_alone(install, package)
                yield self.finding(
                    package.word.span,
                    f"{package.name} exists for amd64 alone: on arm64, apt does not find it.",
                    Fix("Install it on amd64 alone", (edit,), Applicability.UNSAFE) if edit else None,
                )
        for stage in stages(facts):
            for command in stage.commands_with("gcloud", later=True):
                texts = [word.literal for word in command.shell.arguments]
                if command.shell.name != "gcloud" or "components" not in texts or "install" not in texts:
                    continue
                for word, text in zip(command.shell.arguments, texts, strict=True):
                    if text in _AMD64_ONLY and why_fine(facts, command.run, word.span, command) is None:
                        yield self.finding(word.span, f"Google has the component {text} for amd64 alone.")
