"""What programs rely on stays: the fields of the JSON reports, and the exit codes.

`tests/compatibility` holds the schemas of version 1 as they were published. The package's own may gain fields and
values; nothing of the published ones may go, get another name or another type. A new version gets new files there.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import Struct

from tests.verify.images import Spec, elf, layout, tar

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Json = dict[str, Any]

PUBLISHED = Path(__file__).parent / "compatibility"
NAMES = ("report", "verify")

SAFE = b"FROM --platform=$BUILDPLATFORM alpine AS base\nFROM base\n"
UNSAFE = b"FROM --platform=linux/amd64 alpine\n"
CLEAN = b"FROM alpine\n"
BROKEN = b"FROM alpine\nNONSENSE x\n"
UNREADABLE = b"FROM alpine\nRUN if\n"


def published(name: str) -> Json:
    schema: Json = json.loads((PUBLISHED / f"{name}.v1.schema.json").read_text())
    return schema


def shipped(name: str) -> Json:
    schema: Json = json.loads((resources.files("archpatch") / "schemas" / f"{name}.schema.json").read_text())
    return schema


class Field(Struct, frozen=True):
    """What a schema says of one field. `values`: those it may have, None for any."""

    types: frozenset[str]
    always: bool
    values: frozenset[object] | None


_JSON_TYPES = {str: "string", int: "integer", bool: "boolean", type(None): "null", float: "number"}


def fields(
    schema: Json, node: Json | None = None, path: str = "$", always: bool = True
) -> Iterator[tuple[str, Field]]:
    """Every field of a report by its path: `$.findings[].start.line`; `*` is any name."""
    node = _whole(schema, schema if node is None else node)
    choices = [_whole(schema, one) for one in node.get("oneOf", ()) if "required" not in one or "type" in one]
    values = node.get("enum", [node["const"]] if "const" in node else None)
    types = node.get("type", [_JSON_TYPES[type(value)] for value in values or ()])
    types = [types] if isinstance(types, str) else list(types)
    types += [one["type"] for one in choices]
    yield path, Field(frozenset(types), always, None if values is None else frozenset(values))
    for part in (node, *choices):
        for name, inner in part.get("properties", {}).items():
            yield from fields(schema, inner, f"{path}.{name}", name in part.get("required", ()))
        if "items" in part:
            yield from fields(schema, part["items"], f"{path}[]")
        if isinstance(part.get("additionalProperties"), dict):
            yield from fields(schema, part["additionalProperties"], f"{path}.*")


def _whole(schema: Json, node: Json) -> Json:
    """A node with what it refers to put in."""
    if "$ref" not in node:
        return node
    base = _whole(schema, schema["$defs"][node["$ref"].removeprefix("#/$defs/")])
    own = {
        name: inner or base.get("properties", {}).get(name, {})
        for name, inner in node.get("properties", {}).items()
    }
    return {
        **base,
        **{key: value for key, value in node.items() if key != "$ref"},
        "properties": {**base.get("properties", {}), **own},
        "required": [*base.get("required", ()), *node.get("required", ())],
    }


def breaks(old: Json, new: Json) -> list[str]:
    """What a program that was written for `old` would miss in reports of `new`."""
    now = dict(fields(new))
    found = []
    for path, was in fields(old):
        field = now.get(path)
        if field is None:
            found.append(f"{path} is gone")
        elif not field.types <= was.types:
            found.append(f"{path} was {sorted(was.types)} and is {sorted(field.types)}")
        elif was.always and not field.always:
            found.append(f"{path} may be missing")
        elif was.values is not None and not was.values <= (field.values or was.values):
            found.append(
                f"{path} no longer says {sorted(map(str, was.values - (field.values or was.values)))}"
            )
    return found


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_published_goes_or_changes(name: str) -> None:
    assert breaks(published(name), shipped(name)) == []


def drop(schema: Json) -> None:
    del schema["$defs"]["finding"]["properties"]["fingerprint"]


def rename(schema: Json) -> None:
    places = schema["$defs"]["place"]["properties"]
    places["col"] = places.pop("column")


def retype(schema: Json) -> None:
    schema["$defs"]["place"]["properties"]["line"]["type"] = "string"


def widen(schema: Json) -> None:
    schema["properties"]["style"] = {"type": ["string", "null"]}


def leave_out(schema: Json) -> None:
    schema["required"].remove("images")


def lose_a_value(schema: Json) -> None:
    schema["$defs"]["fix"]["properties"]["applicability"]["enum"].remove("manual")


def count_anew(schema: Json) -> None:
    schema["properties"]["version"]["const"] = 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (drop, "$.findings[].fingerprint is gone"),
        (rename, "$.findings[].start.column is gone"),
        (retype, "$.findings[].start.line was ['integer'] and is ['string']"),
        (widen, "$.style was ['string'] and is ['null', 'string']"),
        (leave_out, "$.images may be missing"),
        (lose_a_value, "$.findings[].fix.applicability no longer says ['manual']"),
        (count_anew, "$.version no longer says ['1']"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_change_that_breaks_programs_is_seen(change: Callable[[Json], None], expected: str) -> None:
    schema = copy.deepcopy(published("report"))
    change(schema)
    assert expected in breaks(published("report"), schema)


def test_an_addition_breaks_nothing() -> None:
    schema = copy.deepcopy(published("report"))
    schema["properties"]["more"] = {"type": "string"}
    schema["required"].append("more")
    schema["$defs"]["image"]["properties"]["platforms"]["additionalProperties"]["enum"].append("half-ready")
    assert breaks(published("report"), schema) == []


def opened(node: Any) -> Any:
    """A schema that allows additions."""
    if isinstance(node, dict):
        return {
            key: opened(value)
            for key, value in node.items()
            if (key, value) != ("additionalProperties", False)
        }
    return [opened(one) for one in node] if isinstance(node, list) else node


def assert_fits(name: str, report: object, part: str = "") -> None:
    """A report fits the package's schema, and the published one but for additions."""
    for schema in (shipped(name), opened(published(name))):
        whole = {"$ref": f"#/$defs/{part}", "$defs": schema["$defs"]} if part else schema
        jsonschema.Draft202012Validator(whole).validate(report)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Every kind of thing that a report can hold."""
    folder = tmp_path / "tree"
    for name, text in {
        "safe/Dockerfile": SAFE,
        "unsafe/Dockerfile": UNSAFE,
        "clean/Dockerfile": CLEAN,
        "broken/Dockerfile": BROKEN,
        "unreadable/Dockerfile": UNREADABLE,
        "manual/Dockerfile": b"FROM alpine\nRUN wget https://example.com/tool-linux-amd64 && echo 1 tool | sha256sum -c\n",
        "hidden/Dockerfile": b"# archpatch: ignore-file[AP102] on purpose\n" + UNSAFE,
        os.fsdecode(b"\xff/Dockerfile"): b"FROM --platform=$BUILDPLATFORM \xff AS \xfe\nFROM \xfe\n",
        "file/Dockerfile": b"FROM python:3\nRUN pip install -r requirements.txt\nCOPY --from=x /bin/a-amd64 /a\n",
        "config/archpatch.toml": b"nonsense = 1\n",
        "config/Dockerfile": CLEAN,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    (folder / "readonly").mkdir()
    (folder / "readonly" / "Dockerfile").write_bytes(SAFE)
    (folder / "readonly" / "Dockerfile").chmod(0o444)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", ".", "gone"),
        ("check", "--style", "explicit", "--platform", "linux/arm/v7,linux/arm64"),
        ("diff", "--unsafe"),
        ("fix", "--unsafe"),
        ("check", "--baseline", "known.json"),
    ],
    ids=" ".join,
)
def test_real_reports_fit_both_schemas(archpatch: Run, tree: Path, arguments: tuple[str, ...]) -> None:
    if "--baseline" in arguments:
        archpatch("baseline", "--output", "known.json", "safe", cwd=tree)
    output = tree / "report.json"
    archpatch(*arguments, "--output-format", f"json:{output}", "--output-format", "jsonl:lines", cwd=tree)
    report = json.loads(output.read_text())
    assert_fits("report", report)
    assert report["findings"]
    assert {error["kind"] for error in report["errors"]} >= {"parse", "config"}
    lines = [json.loads(line) for line in (tree / "lines").read_text().splitlines()]
    assert lines == report["findings"]
    for line in lines:
        assert_fits("report", line, "finding")


def test_merged_reports_fit_both_schemas(archpatch: Run, tree: Path) -> None:
    for name in ("safe", "unsafe"):
        archpatch("check", name, "--output-format", f"json:{name}.json", cwd=tree)
    merged = archpatch("report", "merge", "safe.json", "unsafe.json", cwd=tree)
    assert_fits("report", json.loads(merged.stdout))


def test_the_reports_of_real_files_fit_both_schemas(archpatch: Run, corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    archpatch("check", "--isolated", "--output-format", f"json:{output}", corpus / "real", timeout=600)
    report = json.loads(output.read_text())
    assert report["files"] > 100
    assert_fits("report", report)


NO_ENGINE = {**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name, arch in (("right", "arm64"), ("wrong", "amd64")):
        layout(tmp_path / f"{name}.tar", Spec([tar({"app": elf(arch)})], "arm64", config={"Cmd": ["/app"]}))
    (tmp_path / "unknown.tar").write_bytes(b"no image")
    return tmp_path


@pytest.mark.parametrize(("name", "code"), [("right", 0), ("wrong", 1), ("unknown", 5)])
def test_verifications_fit_both_schemas_and_end_with_their_code(
    archpatch: Run, images: Path, name: str, code: int
) -> None:
    command = ("verify", "--image", f"{name}.tar", "--output-format", "json")
    ran = archpatch(*command, cwd=images, env=NO_ENGINE)
    report = json.loads(ran.stdout)
    assert ran.returncode == code
    assert report["state"] == name
    assert_fits("verify", report)


def test_a_plan_fits_both_schemas(archpatch: Run, tree: Path) -> None:
    ran = archpatch("verify", "--level", "plan", "--output-format", "json", "safe", cwd=tree, env=NO_ENGINE)
    assert_fits("verify", json.loads(ran.stdout))


CODES = [
    pytest.param(("check", "clean"), 0, id="clean"),
    pytest.param(("check", "unsafe"), 1, id="findings that can be mended"),
    pytest.param(("check", "unsafe", "--exit-zero"), 0, id="findings, and zero is asked for"),
    pytest.param(("check", "unsafe", "--fail-on", "error"), 0, id="findings below the level"),
    pytest.param(("check", "hidden"), 0, id="findings that a comment hides"),
    pytest.param(("diff", "safe"), 1, id="a diff"),
    pytest.param(("fix", "--diff", "safe"), 1, id="a diff by fix"),
    pytest.param(("diff", "clean"), 0, id="an empty diff"),
    pytest.param(("fix", "safe"), 0, id="everything is mended"),
    pytest.param(("fix", "safe", "--exit-non-zero-on-fix"), 1, id="something was written"),
    pytest.param(("fix", "clean", "--exit-non-zero-on-fix"), 0, id="nothing was written"),
    pytest.param(("fix", "unsafe"), 1, id="something is left"),
    pytest.param(("fix", "unsafe", "--unsafe"), 0, id="nothing is left"),
    pytest.param(("check", "--nonsense"), 2, id="an unknown option"),
    pytest.param(("check", "--select", "ZZ9"), 2, id="an unknown rule"),
    pytest.param(("chek",), 2, id="an unknown command"),
    pytest.param(("check", "config"), 2, id="a config with an unknown key"),
    pytest.param(("check", "--config", "gone.toml", "clean"), 2, id="a config that is not there"),
    pytest.param(("check", "empty"), 3, id="no file"),
    pytest.param(("verify", "empty"), 3, id="no file to verify"),
    pytest.param(("check", "broken"), 4, id="a file that does not parse"),
    pytest.param(("check", "gone/Dockerfile"), 4, id="a file that is not there"),
    pytest.param(("fix", "readonly"), 4, id="a file that cannot be written"),
    pytest.param(("check", "broken", "unsafe"), 4, id="4 wins over 1"),
    pytest.param(("check", "broken", "unsafe", "config"), 2, id="2 wins over 4 and 1"),
    pytest.param(("check", "broken", "--exit-zero"), 4, id="an error is no finding"),
    pytest.param(("--version",), 0, id="the version"),
    pytest.param(("rules",), 0, id="the rules"),
    pytest.param(("explain", "AP101"), 0, id="a page of the manual"),
]


@pytest.mark.parametrize(("arguments", "code"), CODES)
def test_each_exit_code_comes_from_a_real_process(
    archpatch: Run, tree: Path, arguments: tuple[str, ...], code: int
) -> None:
    (tree / "empty").mkdir()
    ran = archpatch(*arguments, cwd=tree)
    assert ran.returncode == code, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr


PACKS = {
    "a rule that fails": "class Fails(Toy):\n    def check(self, document, facts):\n        raise LookupError('x')\n"
    "        yield\nRULES = (Fails(),)\n",
    "a pack that cannot be loaded": "raise LookupError('x')\n",
}
TOY = (
    "from archpatch.rule import Rule, Severity\n"
    "class Toy(Rule):\n    '''Toy.'''\n    code, name, severity, examples = 'ZZ101', 'toy', Severity.ERROR, ()\n"
)


@pytest.mark.parametrize("pack", PACKS)
def test_an_internal_error_ends_with_2_and_one_line(
    archpatch: Run, tree: Path, tmp_path: Path, pack: str
) -> None:
    (tmp_path / "zz_pack.py").write_text(TOY + PACKS[pack])
    info = tmp_path / "zz_pack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zz-pack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[archpatch.rules]\nzz = zz_pack\n")
    ran = archpatch("check", "clean", "unsafe", cwd=tree, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert ran.returncode == 2
    assert b"zz" in ran.stderr.lower()
    assert b"Traceback" not in ran.stderr


def test_a_rule_that_fails_takes_no_finding_of_another_and_no_file_is_written(
    archpatch: Run, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "zz_pack.py").write_text(TOY + PACKS["a rule that fails"])
    info = tmp_path / "zz_pack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zz-pack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[archpatch.rules]\nzz = zz_pack\n")
    before = (tree / "unsafe" / "Dockerfile").read_bytes()
    said = {}
    for pack in ("", str(tmp_path)):
        env = {**os.environ, "PYTHONPATH": pack}
        ran = archpatch(
            "check", "--output-format", "json", "--no-cache", "unsafe", "clean", cwd=tree, env=env
        )
        said[pack] = json.loads(ran.stdout)
    alone, beside = said.values()
    assert beside["findings"] == alone["findings"] != []
    told = [(error["kind"], error["message"]) for error in beside["errors"]]
    assert told == [("internal", "rule ZZ101 (toy) failed: LookupError: x; the file is as it was")] * 2
    arm64 = {image["path"]: image["platforms"]["linux/arm64"] for image in beside["images"]}
    assert arm64 == {"clean/Dockerfile": "unknown", "unsafe/Dockerfile": "unknown"}
    ran = archpatch("fix", "--unsafe", "unsafe", cwd=tree, env=env)
    assert ran.returncode == 2
    assert ran.stderr.count(b"rule ZZ101") == 1
    assert (tree / "unsafe" / "Dockerfile").read_bytes() == before
