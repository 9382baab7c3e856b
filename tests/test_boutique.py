"""The example that proves it: a shop of eight services, and the demo that it takes its shape from."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pytest_regressions.file_regression import FileRegressionFixture

from tests.conftest import Run

SHOP = Path(__file__).parent.parent / "fixtures" / "boutique"
LEVELS = {
    "minimal": (),
    "unsafe": ("--unsafe",),
    "explicit": ("--style", "explicit", "--unsafe"),
}
MENDED = ("mailer", "suggestions", "traffic", "advisor", "basket/src")
RIGHT = ("catalog", "storefront", "exchange")
PEERS = Path(sys.executable).parent  # hadolint and tally stand beside the interpreter


def copy(tree: Path, to: Path) -> Path:
    """A writable copy of a tree, whatever the modes of the original."""
    shutil.copytree(tree, to, copy_function=shutil.copyfile)
    for path in (to, *to.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return to


def files(tree: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(tree)): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()
    }


def changed(before: Path, after: Path) -> set[str]:
    old, new = files(before), files(after)
    assert old.keys() == new.keys(), "fix makes and takes away no file"
    return {name for name in old if old[name] != new[name]}


@pytest.fixture(scope="session", params=LEVELS, ids=str)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, archpatch: Run
) -> tuple[str, Path]:
    """A level, and the shop after `fix` at that level."""
    tree = copy(SHOP, tmp_path_factory.mktemp("shop") / "boutique")
    ran = archpatch("fix", *LEVELS[request.param], tree, cwd=tree)
    assert ran.returncode in (0, 1), ran.stderr.decode()
    return request.param, tree


@pytest.mark.parametrize("service", MENDED)
def test_each_service_is_mended_byte_for_byte(
    shop: tuple[str, Path], service: str, file_regression: FileRegressionFixture
) -> None:
    level, tree = shop
    name = f"{service.split('/')[0]}-{level}"
    mended = (tree / service / "Dockerfile").read_bytes()
    file_regression.check(mended, binary=True, basename=name, extension=".Dockerfile")


@pytest.mark.parametrize("service", RIGHT)
def test_a_service_that_is_right_stays_as_it_is(shop: tuple[str, Path], service: str) -> None:
    assert not changed(SHOP / service, shop[1] / service)


def test_nothing_but_dockerfiles_is_written(shop: tuple[str, Path]) -> None:
    assert {Path(name).name for name in changed(SHOP, shop[1])} <= {"Dockerfile"}


def test_a_second_run_changes_nothing(shop: tuple[str, Path], tmp_path: Path, archpatch: Run) -> None:
    level, tree = shop
    again = copy(tree, tmp_path / "again")
    assert archpatch("fix", *LEVELS[level], again, cwd=again).returncode in (0, 1)
    assert not changed(tree, again)


def test_after_unsafe_fixes_every_image_is_ready(shop: tuple[str, Path], archpatch: Run) -> None:
    level, tree = shop
    if level == "minimal":
        return
    ran = archpatch("check", "--output-format", "json", tree, cwd=tree)
    report = json.loads(ran.stdout)
    assert report["files"] == len(MENDED) + len(RIGHT)
    assert {state for image in report["images"] for state in image["platforms"].values()} == {"ready"}
    assert ran.returncode == 0


# What follows looks at the demo itself, in the corpus.

PYTHON = ("emailservice", "recommendationservice", "loadgenerator", "shoppingassistantservice")
ALPINE = PYTHON[:3]
UPSTREAM_RIGHT = ("frontend", "productcatalogservice", "checkoutservice", "shippingservice", "adservice")


@pytest.fixture(scope="session", params=LEVELS, ids=str)
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, corpus: Path, archpatch: Run
) -> tuple[str, Path, Path]:
    """A level, the demo's services, and the same after `fix` at that level."""
    tree = copy(corpus / "boutique" / "src", tmp_path_factory.mktemp("demo") / "src")
    ran = archpatch("fix", *LEVELS[request.param], tree, cwd=tree)
    assert ran.returncode in (0, 1), ran.stderr.decode()
    return request.param, corpus / "boutique" / "src", tree


def platforms_of(dockerfile: Path) -> list[str]:
    """The text between FROM and the image, for each FROM."""
    return [match[1].strip() for match in re.finditer(r"^FROM((?: +--\S+)*) ", dockerfile.read_text(), re.M)]


@pytest.mark.parametrize("service", PYTHON)
def test_the_python_services_get_images_of_their_own_platform(
    demo: tuple[str, Path, Path], service: str
) -> None:
    level, before, after = demo
    assert platforms_of(before / service / "Dockerfile") == ["--platform=$BUILDPLATFORM", "", ""]
    flag = "--platform=$TARGETPLATFORM" if level == "explicit" else ""
    assert platforms_of(after / service / "Dockerfile") == [flag, "", ""]


@pytest.mark.parametrize("service", UPSTREAM_RIGHT)
def test_the_demo_s_services_that_are_right_stay_as_they_are(
    demo: tuple[str, Path, Path], service: str
) -> None:
    _, before, after = demo
    assert not changed(before / service, after / service)


def test_only_unsafe_gives_the_dotnet_service_a_protoc_of_its_distribution(
    demo: tuple[str, Path, Path],
) -> None:
    level, _, after = demo
    text = (after / "cartservice" / "src" / "Dockerfile").read_text()
    times = 0 if level == "minimal" else 1
    assert text.count("protobuf-compiler") == times
    assert text.count("-p:Protobuf_ProtocFullPath=/usr/bin/protoc") == times


@pytest.mark.parametrize("service", ALPINE)
def test_the_explicit_style_writes_out_what_the_alpine_services_rely_on(
    demo: tuple[str, Path, Path], service: str
) -> None:
    level, _, after = demo
    text = (after / service / "Dockerfile").read_text()
    for written, pattern in {
        "the argument": r"^ARG TARGETPLATFORM$",
        "the headers of the C library": r"\bg\+\+.*\bmusl-dev\b",
        "the compiler's runtime": r"\blibstdc\+\+.*\blibgcc\b",
    }.items():
        assert len(re.findall(pattern, text, re.M)) == (1 if level == "explicit" else 0), written


def test_a_second_run_over_the_demo_changes_nothing(
    demo: tuple[str, Path, Path], tmp_path: Path, archpatch: Run
) -> None:
    level, _, after = demo
    again = copy(after, tmp_path / "again")
    assert archpatch("fix", *LEVELS[level], again, cwd=again).returncode in (0, 1)
    assert not changed(after, again)


# What the linters call a written-out $TARGETPLATFORM; the explicit style writes it on purpose.
REDUNDANT = {"DL3065", "hadolint/DL3065", "buildkit/RedundantTargetPlatform", "RedundantTargetPlatform"}


def peer_findings(peer: str, tree: Path) -> Counter[tuple[str, str]]:
    """What a linter says on platforms of the Dockerfiles in a tree, without lines, which move."""
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("Dockerfile*"))
    options = ["lint", "--slow-checks", "off", "--no-config"] if peer == "tally" else ["--no-fail"]
    ran = subprocess.run(
        [PEERS / peer, *options, "--format", "json", *names], cwd=tree, capture_output=True, timeout=120
    )
    report = json.loads(ran.stdout)
    found = (
        [
            (violation["rule"], violation["message"])
            for file in report["files"]
            for violation in file["violations"]
        ]
        if peer == "tally"
        else [(finding["code"], finding["message"]) for finding in report]
    )
    return Counter(one for one in found if "platform" in " ".join(one).lower())


@pytest.mark.parametrize("peer", ["hadolint", "tally"])
def test_after_a_minimal_fix_the_linters_say_nothing_new_on_platforms(
    demo: tuple[str, Path, Path], peer: str
) -> None:
    level, before, after = demo
    if not (PEERS / peer).exists():
        pytest.skip(f"{peer} is not installed here")
    new = peer_findings(peer, after) - peer_findings(peer, before)
    assert {code for code, _ in new} <= (REDUNDANT if level == "explicit" else set())


def buildkit_checks(dockerfile: Path) -> Counter[str]:
    """The rules of BuildKit that a file breaks. Its images are replaced: the check needs no registry."""
    text = dockerfile.read_text()
    stages = set(re.findall(r"\bAS +(\S+)", text))
    images = set(re.findall(r"^FROM(?: +--\S+)* +(\S+)", text, re.M)) - stages - {"scratch"}
    contexts = [f"--build-context={image}=docker-image://debian:bookworm-slim" for image in sorted(images)]
    ran = subprocess.run(
        ["docker", "buildx", "build", "--call=check,format=json", *contexts, dockerfile.parent],
        capture_output=True,
        timeout=120,
    )
    return Counter(warning["ruleName"] for warning in json.loads(ran.stdout)["warnings"] or [])


@pytest.mark.parametrize("service", [*PYTHON, "cartservice/src"])
def test_after_a_minimal_fix_buildkit_warns_of_nothing_new(
    demo: tuple[str, Path, Path], engine: str, service: str
) -> None:
    level, before, after = demo
    old, new = (buildkit_checks(tree / service / "Dockerfile") for tree in (before, after))
    assert set(new - old) <= (REDUNDANT if level == "explicit" else set())


# Commits that made a file worse: the final stage on the build platform, and defaults on automatic arguments.
INTRODUCED = {
    "AP101": ("01", "02", "03", "04", "08", "09", "10", "13"),
    "AP104": ("05", "06", "07", "11", "12", "17"),
}


@pytest.mark.parametrize(
    ("code", "number"), [(code, number) for code, numbers in INTRODUCED.items() for number in numbers]
)
def test_what_a_later_commit_broke_is_found_and_mended(
    corpus: Path, tmp_path: Path, archpatch: Run, code: str, number: str
) -> None:
    (case,) = (corpus / "introduced").glob(f"{number}-*")
    file = tmp_path / "Dockerfile"
    shutil.copyfile(case / "after.Dockerfile", file)

    def codes() -> set[str]:
        report = json.loads(archpatch("check", "--output-format", "json", file).stdout)
        return {finding["code"] for finding in report["findings"] if finding["severity"] != "note"}

    assert code in codes()
    assert archpatch("fix", file).returncode in (0, 1)
    assert not codes() & INTRODUCED.keys()
    assert not re.search(r"^ARG +(?:TARGET|BUILD)(?:ARCH|PLATFORM)=", file.read_text(), re.M)
