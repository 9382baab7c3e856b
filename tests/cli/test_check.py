"""check, fix and diff as a user meets them: what they write, print and exit with."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

from archpatch import look, session
from archpatch.discover import Found
from tests.cli.conftest import BROKEN, CLEAN, MENDED, SAFE, UNSAFE, Cli, put

JSON = ("--output-format", "json")


def test_check_finds_and_changes_nothing(cli: Cli) -> None:
    path = put("a/Dockerfile", SAFE)
    ran = cli("check")
    assert ran.code == 1
    assert "warning[AP101]" in ran.text
    assert "a/Dockerfile:1:6" in ran.text
    assert "1 ready after fix" in ran.text
    assert ran.text.endswith("Next: archpatch fix\n")
    assert path.read_bytes() == SAFE


def test_fix_writes_the_safe_fix_and_the_second_run_nothing(cli: Cli) -> None:
    path = put("a/Dockerfile", SAFE)
    ran = cli("fix", "a")
    assert (ran.code, path.read_bytes()) == (0, MENDED)
    assert "fixed a/Dockerfile: AP101" in ran.text
    before = path.stat()
    again = cli("fix", "a")
    assert again.code == 0
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_unsafe_fix_is_written_on_request_alone(cli: Cli) -> None:
    path = put("Dockerfile", UNSAFE)
    ran = cli("fix")
    assert (ran.code, path.read_bytes()) == (1, UNSAFE)
    assert "Next: archpatch fix --unsafe --diff\n" in ran.text
    assert cli("fix", "--unsafe").code == 0
    assert path.read_bytes() == CLEAN


@pytest.mark.parametrize("command", [("fix", "--diff"), ("diff",)], ids=" ".join)
def test_a_diff_writes_nothing_and_git_applies_it(cli: Cli, command: tuple[str, ...]) -> None:
    paths = [put("a/Dockerfile", SAFE.replace(b"\n", b"\r\n")), put("b c/Dockerfile.é", SAFE.rstrip())]
    ran = cli(*command)
    assert ran.code == 1
    assert [path.read_bytes() for path in paths] == [SAFE.replace(b"\n", b"\r\n"), SAFE.rstrip()]
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=ran.out, check=True)
    assert [path.read_bytes() for path in paths] == [MENDED.replace(b"\n", b"\r\n"), MENDED.rstrip()]
    after = cli(*command)
    assert (after.code, after.out) == (0, b"")


def test_a_diff_exits_with_1_for_what_no_fix_mends(cli: Cli) -> None:
    put("Dockerfile", UNSAFE)
    ran = cli("diff")
    assert (ran.code, ran.out) == (1, b"")


def test_standard_input_is_mended_to_standard_output(cli: Cli) -> None:
    ran = cli("fix", "-", input=SAFE)
    assert (ran.code, ran.out) == (0, MENDED)
    assert "AP101" in ran.err
    assert os.listdir() == []


def test_standard_input_bears_the_name_it_is_given(cli: Cli) -> None:
    ran = cli("check", "-", "--stdin-filename", "x/Dockerfile", *JSON, input=SAFE)
    assert json.loads(ran.out)["findings"][0]["path"] == "x/Dockerfile"
    assert b"--- a/x/Dockerfile\n" in cli("diff", "-", "--stdin-filename", "x/Dockerfile", input=SAFE).out


EXITS = [
    pytest.param({"Dockerfile": CLEAN}, (), 0, id="clean"),
    pytest.param({"Dockerfile": SAFE}, (), 1, id="a warning"),
    pytest.param({"Dockerfile": SAFE}, ("--exit-zero",), 0, id="a warning that shall not count"),
    pytest.param({"Dockerfile": SAFE}, ("--fail-on", "error"), 0, id="a warning below --fail-on"),
    pytest.param({"Dockerfile": SAFE}, ("--ignore", "AP1"), 0, id="an ignored family"),
    pytest.param({"Dockerfile": SAFE}, ("--select", "AP102"), 0, id="a rule that was not selected"),
    pytest.param({"Dockerfile": SAFE}, ("--platform", "linux/amd64"), 0, id="a target that the file is right for"),
    pytest.param({}, (), 3, id="no file"),
    pytest.param({"Dockerfile.j2": CLEAN, "README": b""}, (), 3, id="a template alone"),
    pytest.param({"Dockerfile": BROKEN}, (), 4, id="a file that does not parse"),
    pytest.param({"Dockerfile": b"FROM a\0"}, (), 4, id="a binary file"),
    pytest.param({"Dockerfile": b"#" * 20_000_000}, (), 4, id="a file of 20 MB"),
    pytest.param({"Dockerfile": SAFE}, (".", "gone"), 4, id="a missing file before findings"),
    pytest.param({"a/Dockerfile": BROKEN, "Dockerfile": SAFE}, ("--exit-zero",), 4, id="--exit-zero hides findings alone"),
    pytest.param({"Dockerfile": SAFE, "archpatch.toml": b"x = 1"}, (), 2, id="a broken config"),
    pytest.param({"Dockerfile": SAFE, "archpatch.toml": b"x = 1"}, ("--isolated",), 1, id="a broken config that is not read"),
    pytest.param({"a/Dockerfile": CLEAN, "a/archpatch.toml": b"x = 1"}, (".", "gone"), 2, id="a config before a missing file"),
    pytest.param({"Dockerfile": SAFE}, ("--select", "AP999"), 2, id="an unknown code"),
    pytest.param({"Dockerfile": SAFE}, ("--platform", "linux"), 2, id="half a platform"),
    pytest.param({"Dockerfile": SAFE}, ("--no-such-option",), 2, id="an unknown option"),
    pytest.param({"Dockerfile": SAFE}, ("--output-format", "yaml"), 2, id="an unknown format"),
    pytest.param({"Dockerfile": SAFE}, ("--config", "gone.toml"), 2, id="a config that is not there"),
    pytest.param({"Dockerfile": SAFE}, ("-", "Dockerfile"), 2, id="standard input beside a file"),
    pytest.param({"Dockerfile": SAFE}, ("--shard", "3/2"), 2, id="a shard that is none"),
    pytest.param({"Dockerfile": SAFE}, (*JSON, "--output-format", "full"), 2, id="two reports for one place"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "arguments", "code"), EXITS)
def test_exit_codes(cli: Cli, files: dict[str, bytes], arguments: tuple[str, ...], code: int) -> None:
    for name, content in files.items():
        put(name, content)
    ran = cli("check", *arguments)
    assert ran.code == code, ran.err
    assert bool(ran.err) == (code in (2, 3, 4))
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 0), (("--exit-non-zero-on-fix",), 1), (("--exit-non-zero-on-fix", "--exit-zero"), 1)],
    ids=["fixed", "fixed and asked to say so", "--exit-zero is of findings"],
)
def test_exit_codes_of_fix(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    put("Dockerfile", SAFE)
    assert cli("fix", *arguments).code == code
    assert cli("fix", *arguments).code == 0


def test_a_file_that_cannot_be_written_is_one_line_and_the_others_are(cli: Cli) -> None:
    refused, other = put("a/Dockerfile", SAFE), put("b/Dockerfile", SAFE)
    refused.chmod(0o444)
    ran = cli("fix")
    assert ran.code == 4
    assert ran.err == "error: a/Dockerfile: is read-only (mode 0444); not written\n"
    assert "Next:" not in ran.text
    assert (refused.read_bytes(), other.read_bytes()) == (SAFE, MENDED)


def test_bad_input_is_one_line_each_and_the_others_are_done(cli: Cli) -> None:
    put("a/Dockerfile", b"\0")
    put("b/Dockerfile", b"x" * 20_000_000)
    put("c/archpatch.toml", b"selct = []")
    put("c/Dockerfile", SAFE)
    put("d/Dockerfile", SAFE)
    os.mkfifo("pipe")
    ran = cli("fix", "a", "b", "c", "d", "pipe", "gone")
    assert ran.code == 2
    assert [line.split(": ", 2)[1] for line in ran.err.splitlines()] == [
        "a/Dockerfile",
        "b/Dockerfile",
        f"{Path.cwd()}/c/archpatch.toml:1",
        "gone",
        "pipe",
    ]
    assert Path("d/Dockerfile").read_bytes() == MENDED
    assert Path("c/Dockerfile").read_bytes() == SAFE


def test_a_misspelt_code_is_told_the_nearest(cli: Cli) -> None:
    put("Dockerfile", SAFE)
    assert "no rule is called 'AP1O1'; the nearest is AP1" in cli("check", "--select", "AP1O1").err
    put("archpatch.toml", b'ignore = ["final-stage-on-built-platform"]')
    assert "the nearest is final-stage-on-build-platform" in cli("check").err


def test_a_rule_that_fails_is_named_and_the_file_stays(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [put("a/Dockerfile", SAFE), put("b/Dockerfile", CLEAN)]
    real = look.engine.fix

    def fails(document: object, *rest: object, **more: object) -> object:
        if getattr(document, "path", None) == paths[0]:
            raise RuntimeError("a bug\x1b[2J")
        return real(document, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(look.engine, "fix", fails)
    ran = cli("fix")
    assert ran.code == 2
    assert "a/Dockerfile: internal error: RuntimeError: a bug\\x1b[2J" in ran.err
    assert paths[0].read_bytes() == SAFE


def test_the_config_of_each_folder_counts_for_its_files(cli: Cli) -> None:
    put("a/Dockerfile", SAFE)
    put("b/Dockerfile", SAFE)
    put("b/archpatch.toml", b'ignore = ["AP101"]')
    put("c/Dockerfile", SAFE)
    put("c/archpatch.toml", b'fail-on = "error"')
    report = json.loads(cli("check", *JSON).out)
    assert [finding["path"] for finding in report["findings"]] == ["a/Dockerfile", "c/Dockerfile"]
    assert cli("check", "a").code == 1
    assert cli("check", "b", "c").code == 0


def test_per_file_ignores_and_exclude(cli: Cli) -> None:
    put("legacy/Dockerfile", SAFE)
    put("vendor/Dockerfile", SAFE)
    put("src/Dockerfile", SAFE)
    put("archpatch.toml", b'exclude = ["vendor"]\n[per-file-ignores]\n"legacy/*" = ["AP1"]')
    report = json.loads(cli("check", *JSON).out)
    assert [finding["path"] for finding in report["findings"]] == ["src/Dockerfile"]
    assert report["files"] == 2
    assert json.loads(cli("check", "vendor/Dockerfile", *JSON).out)["files"] == 1  # named: looked at


def test_the_command_line_wins_over_the_config(cli: Cli) -> None:
    put("Dockerfile", SAFE)
    put(
        "archpatch.toml",
        b'select = ["AP102"]\nfail-on = "note"\nstyle = "explicit"\nplatforms = ["linux/arm/v7"]',
    )
    assert cli("check").code in (0, 1)
    report = json.loads(cli("check", "--select", "AP101", "--style", "minimal", *JSON).out)
    assert [finding["code"] for finding in report["findings"]] == ["AP101"]
    assert (report["style"], report["platforms"]) == ("minimal", ["linux/arm/v7"])


def test_files_from_a_list(cli: Cli) -> None:
    put("a/x", SAFE)
    put("b/Dockerfile", SAFE)
    ran = cli("check", "--files-from", "-", *JSON, input=b"a/x\n")
    assert [image["path"] for image in json.loads(ran.out)["images"]] == ["a/x"]
    put("list", b"b/Dockerfile\0a/x\0")
    ran = cli("check", "--files-from", "list", *JSON)
    assert [image["path"] for image in json.loads(ran.out)["images"]] == ["b/Dockerfile", "a/x"]
    assert cli("check", "--files-from", "-").code == 3


def test_a_shard_without_files_is_no_error(cli: Cli) -> None:
    put("Dockerfile", CLEAN)
    codes = [cli("check", "--shard", f"{k}/4").code for k in range(1, 5)]
    assert codes == [0, 0, 0, 0]


def test_several_reports_at_once(cli: Cli) -> None:
    put("Dockerfile", SAFE)
    ran = cli("check", "--output-format", "json:out/r.json", "--output-format", "concise")
    assert "out/r.json: No such file or directory" in ran.err
    Path("out").mkdir()
    ran = cli("check", "--output-format", "json:out/r.json", "--output-format", "concise")
    assert ran.text.startswith("Dockerfile:1:6: warning AP101 [*] ")
    assert json.loads(Path("out/r.json").read_bytes())["files"] == 1


def test_statistics_and_quiet(cli: Cli) -> None:
    put("a/Dockerfile", SAFE)
    put("b/Dockerfile", SAFE)
    ran = cli("check", "--statistics", "--quiet")
    assert ran.text == "     2  AP101  final-stage-on-build-platform  [2 safe]\n"
    assert cli("check", "--quiet", "--output-format", "concise").text.count("\n") == 2


@pytest.mark.parametrize(
    ("environment", "arguments", "colored"),
    [
        ({}, (), False),
        ({"FORCE_COLOR": "1"}, (), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
        ({"FORCE_COLOR": "1"}, ("--color", "never"), False),
        ({"FORCE_COLOR": "1"}, JSON, False),
    ],
)
def test_colors(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    arguments: tuple[str, ...],
    *,
    colored: bool,
) -> None:
    put("Dockerfile", SAFE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (b"\x1b[" in cli("check", *arguments).out) is colored


def test_many_files_give_the_same_report_in_one_process_and_in_several(cli: Cli) -> None:
    for number in range(session.POOL_FROM + 10):
        put(f"d{number}/Dockerfile", (SAFE, UNSAFE, CLEAN, BROKEN)[number % 4])
    one, two = cli("check", "--jobs", "1", *JSON), cli("check", "--jobs", "2", *JSON)
    assert one == two
    assert cli("fix", "--jobs", "2").code == 4
    assert Path("d0/Dockerfile").read_bytes() == MENDED


def test_what_is_equal_in_many_results_is_kept_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_AT_ONCE", 20)
    paths = tuple(put(f"d{number}/Dockerfile", CLEAN) for number in range(session.POOL_FROM + 10))
    files = session.run(Found(paths, total=len(paths)), session.Options(jobs=2)).files
    assert [id(file.path) for file in files] == list(map(id, paths))
    for part in ("targets", "states", "others", "changes"):
        assert len({id(getattr(file, part)) for file in files}) == 1


def test_a_file_that_kills_its_process_is_named_and_the_others_are_done(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [put(f"d{number:03}/Dockerfile", SAFE) for number in range(session.POOL_FROM + 2)]
    real = look.parse

    def dies(source: bytes, path: Path) -> object:
        if path == paths[5]:
            os._exit(9)
        return real(source, path)

    monkeypatch.setattr(look, "parse", dies)
    ran = cli("check", "--jobs", "2", *JSON)
    report = json.loads(ran.out)
    assert ran.code == 2
    assert [(error["path"], error["kind"]) for error in report["errors"]] == [("d005/Dockerfile", "internal")]
    assert len(report["findings"]) == len(paths) - 1


def test_the_json_report_fits_its_schema(cli: Cli) -> None:
    put("a/Dockerfile", SAFE + b"RUN if\n")
    put("b/Dockerfile", UNSAFE)
    put("c/Dockerfile", BROKEN)
    os.mkdir(b"\xff")
    Path(os.fsdecode(b"\xff/Dockerfile")).write_bytes(b"FROM --platform=$BUILDPLATFORM \xff\nFROM \xfe\n")
    report = json.loads(cli("check", ".", "gone", *JSON).out)
    schema = json.loads((Path(session.__file__).parent / "schemas/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(report)
    assert report["files"] == 4
    assert report["unknown"][0]["path"] == "a/Dockerfile"
    assert {error["kind"] for error in report["errors"]} == {"parse", "read"}
    assert any("path_base64" in image for image in report["images"])


def test_no_command_and_unknown_commands(cli: Cli) -> None:
    assert cli().code == 2
    assert "No such command" in cli("chek").err
    assert cli("--help").code == 0


@pytest.mark.parametrize("command", ["check", "fix", "diff", "parse", "rules", "explain"])
def test_each_command_has_help(cli: Cli, command: str) -> None:
    ran = cli(command, "--help")
    assert ran.code == 0
    assert ran.text.startswith(f"Usage: archpatch {command}")


def test_ready_after_a_fix_is_said_of_what_is_clean_once_the_fix_is_in(cli: Cli) -> None:
    pinned = (
        "FROM --platform=linux/amd64 debian:bookworm\nRUN curl -fsSLO https://github.com/Kitware/CMake/{}\n"
    )
    too_old = "releases/download/v3.16.2/cmake-3.16.2-Linux-x86_64.sh"
    built = "releases/download/v3.28.0/cmake-3.28.0-linux-x86_64.sh"
    put("old/Dockerfile", pinned.format(too_old).encode())
    put("new/Dockerfile", pinned.format(built).encode())
    assert "linux/arm64: 1 needs you" in cli("check", "old").text
    assert "linux/arm64: 1 ready after fix --unsafe" in cli("check", "new").text


def test_what_the_fix_of_another_finding_mends_is_no_work_for_anyone(cli: Cli) -> None:
    url = "https://github.com/neovim/neovim/releases/download/v0.11.2/nvim-linux-x86_64.tar.gz"
    text = f"FROM debian\nRUN curl -fsSL {url} | tar -C /opt -xz\nENV PATH=/opt/nvim-linux-x86_64/bin:$PATH\n"
    put("along/Dockerfile", text.encode())
    put("apart/Dockerfile", text.encode() + b"ENV TOOLS=/opt/tools-x86_64/bin\nENV PATH=$TOOLS:$PATH\n")
    assert "linux/arm64: 1 ready after fix --unsafe" in cli("check", "along").text
    assert "linux/arm64: 1 needs you" in cli("check", "apart").text
