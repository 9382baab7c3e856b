"""AP328."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archpatch.facts import Facts, Install, StageFacts
from archpatch.facts.suppressors import why_fine
from archpatch.facts.targets import others
from archpatch.platforms import arch_words
from archpatch.rule import Example, Finding, Related, Rule, Severity
from archpatch.syntax.tree import Document, Env
from archpatch.text import Span, decode
from archpatch_rules.package.which import installs

_FROZEN = ("BUNDLE_FROZEN", "BUNDLE_DEPLOYMENT")


class GemPlatform(Rule):
    """Bundler or gem is held to one platform, by the lock file or by `--platform`.

    A frozen `bundle install` ends with `Your bundle only supports platforms ["x86_64-linux"] but your local platform is
    aarch64-linux`; `gem install --platform x86_64-linux` installs native code that arm64 cannot load.

    It is fine where PLATFORMS of Gemfile.lock has `ruby` or `aarch64-linux`, and where nothing freezes the lock file:
    Bundler then adds the platform itself.

    There is no fix here: `bundle lock --add-platform aarch64-linux`, run where the project lives, writes it into the lock file.
    """

    code, name, severity = "AP328", "gem-platform", Severity.ERROR
    hints = ("bundle", "gem install")
    errors = (
        "Your bundle only supports platforms",
        "Your bundle is locked to",
        "Could not find a matching gem",
    )
    examples = (
        Example(
            "FROM ruby:3.3\nENV BUNDLE_DEPLOYMENT=1\nCOPY Gemfile Gemfile.lock ./\nRUN bundle install\n",
            "FROM ruby:3.3\nENV BUNDLE_DEPLOYMENT=1\nCOPY Gemfile Gemfile.lock ./\nRUN bundle install\n",
            files={"Gemfile.lock": "GEM\n  specs:\n\nPLATFORMS\n  x86_64-linux\n\nDEPENDENCIES\n"},
        ),
        Example(
            "FROM ruby:3.3\nRUN gem install --platform x86_64-linux nokogiri\n",
            "FROM ruby:3.3\nRUN gem install --platform x86_64-linux nokogiri\n",
        ),
        Example(
            "FROM ruby:3.3\nENV BUNDLE_DEPLOYMENT=1\nCOPY Gemfile Gemfile.lock ./\nRUN bundle install\n",
            files={"Gemfile.lock": "PLATFORMS\n  aarch64-linux\n  x86_64-linux\n"},
        ),
        Example(
            "FROM ruby:3.3\nCOPY Gemfile Gemfile.lock ./\nRUN bundle install\n",
            files={"Gemfile.lock": "PLATFORMS\n  x86_64-linux\n"},
            title="Nothing is frozen",
        ),
        Example("FROM ruby:3.3\nRUN gem install nokogiri\n"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command."""
        if "arm64" not in others(facts):
            return
        for install in installs(facts, "gem"):
            word = install.option("--platform")
            found = next(iter(arch_words(word.raw)), None) if word else None
            if (
                word is not None
                and found is not None
                and found.arch != facts.named_arch
                and why_fine(facts, install.run, word.span, install.command) is None
            ):
                yield self.finding(
                    word.span,
                    f"The gem is installed for {found.text} on every platform: ruby cannot load it on another one.",
                )
        for install in installs(facts, "bundle"):
            locked = _locked(facts)
            if locked is not None and _is_frozen(install):
                yield self.finding(
                    install.command.shell.span,
                    "Gemfile.lock has the platform x86_64-linux alone, and is frozen: on arm64 Bundler refuses it. `bundle lock "
                    "--add-platform aarch64-linux` adds the other one.",
                    related=(
                        Related(
                            locked, "the lock file's platforms", facts.document.path.parent / "Gemfile.lock"
                        ),
                    ),
                )


def _locked(facts: Facts) -> Span | None:
    """Where the build context's Gemfile.lock names its platforms, if they leave arm64 out."""
    content = facts.context.read(Path("Gemfile.lock")) if facts.context else None
    text = decode(content or b"")
    at = text.find("PLATFORMS\n")
    if at < 0:
        return None
    names = text[at:].partition("\n\n")[0].split()[1:]
    fits = any(name == "ruby" or name.startswith(("aarch64-linux", "arm64-linux")) for name in names)
    start = len(text[:at].encode("utf-8", "surrogateescape"))
    return None if fits or not names else Span(start, start + len("PLATFORMS"))


def _is_frozen(install: Install) -> bool:
    stage: StageFacts = install.command.stage
    if install.command.shell.has("--deployment", "--frozen"):
        return True
    if any(
        declaration.name.value in _FROZEN
        for one in stage.chain
        for step in one.body
        if isinstance(step, Env)
        for declaration in step.declarations
    ):
        return True
    return any(
        command.shell.name == "bundle"
        and {"config", "true"} <= {word.literal for word in command.shell.arguments}
        and {"deployment", "frozen"} & {word.literal for word in command.shell.arguments}
        for one in stage.chain
        for command in one.commands
    )
