"""Level `run`: a command of the user's in the built image. The strongest proof, and the only one that runs it.

On a builder's own machine a foreign program may run all the same; so this comes after the inspection, never
in its place.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace

from archpatch.platforms import Platform
from archpatch.verify.bakefile import bake_file
from archpatch.verify.build import Bench, Candidate, Outcome
from archpatch.verify.plan import without_frontend
from archpatch.verify.progress import Progress
from archpatch.verify.triage import diagnose
from archpatch.verify.verdict import Evidence, State, state_of
from archpatch.verify.workspace import workspace

_TIMEOUT = 120.0  # seconds for the command


def run(bench: Bench, candidate: Candidate, platform: Platform, outcome: Outcome) -> Outcome:
    """Load the image (its build is in the builder's cache), run the command without network, remove the image."""
    name = f"archpatch-verify-{os.getpid()}-{secrets.token_hex(4)}:smoke"
    try:
        evidence = _load_and_run(bench, candidate, platform, name)
    finally:
        bench.buildx.ask("image", "rm", "--force", name)
    if evidence is None:
        return outcome
    found = (*outcome.look.evidence, evidence)
    return replace(outcome, look=replace(outcome.look, evidence=found, state=state_of(found)))


def _load_and_run(bench: Bench, candidate: Candidate, platform: Platform, name: str) -> Evidence | None:
    job, buildx = candidate.job, bench.buildx
    source = candidate.source if bench.trust_syntax else without_frontend(candidate.source)[0]
    with workspace(job.dockerfile, source, job.context, candidate.files) as place:
        target = job.target(platform, place.dockerfile, place.context, f"type=docker,name={name}")
        place.bake.write_text(bake_file([target], buildx.settings), encoding="utf-8")
        built = buildx.bake(
            place.bake, target.name, place.metadata, [place.folder, place.context], Progress()
        )
    if not built.ok:
        return Evidence("run", "the image could not be loaded into the engine", State.UNKNOWN)
    command = (
        "run",
        "--rm",
        "--pull=never",
        "--network=none",
        f"--platform={platform}",
        name,
        *bench.run_command,
    )
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
