"""AP332."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Command, Facts
from archpatch.facts.suppressors import why_fine
from archpatch.platforms import ARM64
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch.text import regex
from archpatch_rules.package.which import stages

# What holds programs of the machine that builds. Sources: Google's issue 227219818 (aapt2 for Linux on arm64);
# lists of sdkmanager's repository, which names linux without an architecture for x86-64.
_NATIVE = regex(r"(?:build-tools;|platform-tools$|emulator$|ndk(?:;|-bundle)|cmake;|skiaparser;|lldb;)")


class AndroidSdkPackage(Rule):
    """sdkmanager installs a part of Android's SDK that Google builds for x86-64 alone: `build-tools`, `platform-tools`, `ndk`.

    So are `emulator` and `cmake;...`. sdkmanager itself is Java and downloads them on arm64 without a word; aapt2, adb and clang end in `exec format error`
    when Gradle starts them.

    It is fine in a branch for amd64, and for `platforms;...` and licences, which hold no programs.

    There is no fix: hold the image to amd64 (`--platform=linux/amd64`), or put programs for arm64 in the place of Google's.
    """

    code, name, severity = "AP332", "android-sdk-package", Severity.WARNING
    hints = ("sdkmanager",)
    errors = ("AAPT2 aapt2-8.1.0-10154469-linux Daemon #0: Daemon startup failed", "exec format error")
    examples = (
        Example(
            'FROM eclipse-temurin:17\nRUN yes | sdkmanager "platform-tools" "platforms;android-34" "build-tools;34.0.0"\n',
            'FROM eclipse-temurin:17\nRUN yes | sdkmanager "platform-tools" "platforms;android-34" "build-tools;34.0.0"\n',
        ),
        Example(
            "FROM eclipse-temurin:17\nARG TOOLS=34.0.0\nRUN sdkmanager --install build-tools\\;${TOOLS}\n",
            "FROM eclipse-temurin:17\nARG TOOLS=34.0.0\nRUN sdkmanager --install build-tools\\;${TOOLS}\n",
            "A version in a variable",
        ),
        Example(
            "FROM eclipse-temurin:17\nENV SDK=/opt/android\nRUN yes | $SDK/cmdline-tools/latest/bin/sdkmanager platform-tools\n",
            "FROM eclipse-temurin:17\nENV SDK=/opt/android\nRUN yes | $SDK/cmdline-tools/latest/bin/sdkmanager platform-tools\n",
            "In a folder that a variable names",
        ),
        Example('FROM eclipse-temurin:17\nRUN sdkmanager --licenses && sdkmanager "platforms;android-34"\n'),
        Example(
            'FROM eclipse-temurin:17\nRUN if [ "$(uname -m)" = x86_64 ]; then sdkmanager "build-tools;34.0.0"; fi\n'
        ),
        Example(
            'FROM --platform=linux/amd64 eclipse-temurin:17 AS apk-amd64\nRUN sdkmanager "ndk;26.1.10909125"\n'
            "FROM nginx\nCOPY --from=apk-amd64 /app.apk /usr/share/nginx/html/\n",
            title="A stage for amd64",
        ),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """One finding for each command, at the first part with programs."""
        if ARM64 not in facts.targets or facts.named_arch:
            return
        for stage in stages(facts):
            for command in stage.commands_with("sdkmanager", later=True):
                if not _is_sdkmanager(command) or command.shell.has("--uninstall", "--list"):
                    continue
                for word in command.shell.arguments:
                    if _NATIVE.match(word.prefix) is None:
                        continue
                    if why_fine(facts, command.run, word.span, command) is None:
                        yield self.finding(
                            word.span,
                            f"Google builds {word.raw.strip(chr(34) + chr(39))} for Linux on x86-64 alone: sdkmanager "
                            "installs it on arm64 too, where its programs end in `exec format error`.",
                        )
                    break


def _is_sdkmanager(command: Command) -> bool:
    """Whether it is called by its name, or by a path that begins with a variable: `$ANDROID_HOME/tools/bin/sdkmanager`."""
    shell = command.shell
    called = shell.words[len(shell.wrappers)].raw.strip('"') if len(shell.words) > len(shell.wrappers) else ""
    return called.rpartition("/")[2] == "sdkmanager"
