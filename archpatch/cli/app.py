"""The group of sub-commands, each imported when it is called, and what becomes of errors and signals."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from archpatch import __version__
from archpatch.report.safe import safe

# name -> (module and function, the line of `archpatch --help`)
COMMANDS = {
    "check": ("archpatch.cli.check:check", "Find pitfalls; change nothing."),
    "fix": ("archpatch.cli.check:fix", "Write the safe fixes; --unsafe also the others."),
    "diff": ("archpatch.cli.check:diff", "Print what fix would write, as a patch."),
    "verify": ("archpatch.cli.verify:verify", "Prove images and fixes with BuildKit."),
    "review": ("archpatch.cli.review:review", "Comment on a pull request."),
    "rules": ("archpatch.cli.rules:rules", "List the rules."),
    "explain": ("archpatch.cli.rules:explain", "Show the manual page of a rule."),
    "parse": ("archpatch.cli.parse:parse", "Show the tree of a Dockerfile."),
    "init": ("archpatch.cli.init:init", "Write a config, a hook and a workflow for this repository."),
    "baseline": ("archpatch.cli.baseline:baseline", "Record today's findings, to see only new ones."),
    "clean": ("archpatch.cli.clean:clean", "Remove what archpatch keeps on disk."),
    "report": ("archpatch.cli.reports:report", "Merge and convert reports."),
}

OK, FOUND, USAGE, NOTHING, FAILED = range(5)


class Lazy(click.Group):
    """A group whose commands are modules; those that are not there yet are not shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of COMMANDS."""
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in COMMANDS or not _exists(name):
            return None
        module, function = COMMANDS[name][0].split(":")
        command = getattr(import_module(module), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UsageError that names the nearest command."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from archpatch.misspelt import nearest  # for a misspelt word alone

            near = nearest(args[0], COMMANDS)
            raise click.UsageError(f"No such command {args[0]!r}; the nearest is {near!r}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _exists(name: str) -> bool:
    module = COMMANDS[name][0].partition(":")[0].rpartition(".")[2]
    folder = os.path.dirname(__file__)
    return os.path.exists(os.path.join(folder, f"{module}.py"))


@click.group(
    cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Start with: archpatch check"
)
@click.version_option(__version__, prog_name="archpatch", message="%(prog)s %(version)s")
def app() -> None:
    """Finds what makes a Dockerfile work on one CPU architecture only, and mends it."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code. Prints one line for each error."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = app.main(list(arguments), prog_name="archpatch", standalone_mode=False)
        if sys.stdout is not None:  # None: closed by who started us
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return USAGE
    except click.ClickException as error:
        complain(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx:
            complain(f"see {error.ctx.command_path} --help", "help")
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return 128 + signal.SIGINT
    except Exception as error:
        if isinstance(error, OSError) and (reason := _lost(error)):
            complain(reason)
            return USAGE
        if os.environ.get("ARCHPATCH_DEBUG"):
            raise
        complain(
            f"internal error: {type(error).__name__}: {error}. Please report it (ARCHPATCH_DEBUG=1 shows more)."
        )
        return USAGE
    return code if isinstance(code, int) else OK


def _lost(error: OSError) -> str:
    """What the program was started without, if that is the cause: room for what it prints, a folder to stand in."""
    try:
        os.getcwd()
    except OSError:
        return "the current folder is gone"
    if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT) and error.filename is None:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # what is still in the buffer must not fail again at exit
        return f"standard output: {os.strerror(error.errno)}"
    return ""


def complain(message: str, label: str = "error") -> None:
    """One line on standard error, whatever the message holds."""
    click.echo(f"{label}: {safe(message)}", err=True)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
