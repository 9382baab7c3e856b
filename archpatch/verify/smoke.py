"""Level `run`: a command of the user's in the built image. The strongest proof, and the only one that runs it.

On a builder's own machine a foreign program may run all the same; so this comes after the inspection, never
in its place.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace

from archpatch.platforms import Platform
from archpatch.verify.build import Bench, Candidate, Outcome, put_down, workspace_of
from archpatch.verify.buildx import Buildx
from archpatch.verify.progress import Progress
from archpatch.verify.triage import diagnose
from archpatch.verify.verdict import Evidence, State, state_of

_TIMEOUT = 120.0  # seconds for the command


def run(bench: Bench, candidate: Candidate, platform: Platform, outcome: Outcome) -> Outcome:
    """Load the image (its build is in the builder's cache), run the command without network, remove both again."""
    name = f"archpatch-verify-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        evidence = _load_and_run(bench, candidate, platform, name)
    finally:
        # Also where the command did not end, or all programs of the run were stopped.
        last = Buildx(bench.buildx.settings)
        last.ask("container", "rm", "--force", "--volumes", name)
        last.ask("image", "rm", "--force", f"{name}:smoke")
    if evidence is None:
        return outcome
    found = (*outcome.look.evidence, evidence)
    return replace(outcome, look=replace(outcome.look, evidence=found, state=state_of(found)))


def _load_and_run(bench: Bench, candidate: Candidate, platform: Platform, name: str) -> Evidence | None:
    job, buildx = candidate.job, bench.buildx
    with workspace_of(bench, candidate) as place:
        target = put_down(bench, job, platform, place, f"type=docker,name={name}:smoke")
        built = buildx.bake(
            place.bake, target, place.metadata, [place.folder, place.context, *job.folders], Progress()
        )
    if not built.ok:
        return Evidence("run", "the image could not be loaded into the engine", State.UNKNOWN)
    command = (
        "run",
        "--rm",
        f"--name={name}",
        "--pull=never",
        "--network=none",
        f"--platform={platform}",
        f"{name}:smoke",
        *bench.run_command,
    )
    bench.watch(job.name, platform, "running the command")
    done = buildx.ask(*command, timeout=_TIMEOUT)
    if done.ok:
        return None
    if done.code is None:
        return Evidence("run", f"the command did not end within {_TIMEOUT:.0f} seconds", State.UNKNOWN)
    log = f"{done.out}\n{done.err}"
    found = diagnose(log)
    meaning = found.meaning if found.name != "failed" else f"it ended with {done.code}"
    state = State.UNKNOWN if found.state is State.UNKNOWN else State.WRONG
    return Evidence("run", f"{meaning} ({found.line})", state, log=log[-4000:])
