"""The bake file that is handed to buildx: JSON, one target for each image and platform.

bake reads JSON strings as HCL templates, so `${` and `%{` of the outside are doubled; nothing in it is evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archpatch.platforms import Platform
from archpatch.verify.buildx import Settings

_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class BakeTarget:
    """One image for one platform. `output` is a bake output such as `type=oci,dest=...`; None: others are built on it."""

    name: str
    context: Path | str
    dockerfile: Path | str
    platform: Platform
    output: str | None
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)


def target_name(*parts: str) -> str:
    """A name that bake takes, made of texts of the outside."""
    return "--".join(_NAME.sub("-", part).strip("-") or "x" for part in parts)


def bake_file(targets: Iterable[BakeTarget], settings: Settings) -> str:
    """The text of the file."""
    found = {}
    default = []
    for target in targets:
        found[target.name] = _target(target, settings)
        if target.output is not None:
            default.append(target.name)
    file = {"group": {"default": {"targets": default}}, "target": found}
    return json.dumps(file, indent=2, ensure_ascii=False) + "\n"


def _target(target: BakeTarget, settings: Settings) -> dict[str, object]:
    raw: dict[str, object] = {
        "context": _literal(str(target.context)),
        "dockerfile": _literal(str(target.dockerfile)),
        "platforms": [str(target.platform)],
        "output": [_literal(target.output or "type=cacheonly")],
    }
    if target.stage:
        raw["target"] = _literal(target.stage)
    if target.args:
        raw["args"] = {_literal(name): _literal(value) for name, value in target.args.items()}
    if target.contexts:
        raw["contexts"] = {_literal(name): _literal(place) for name, place in target.contexts.items()}
    scope = str(target.platform).replace("/", "-")
    for key, values in (("cache-from", settings.cache_from), ("cache-to", settings.cache_to)):
        if values and (key == "cache-from" or target.output is not None):
            # One place for each image and platform, else they overwrite one another.
            raw[key] = [
                _literal(value.replace("{platform}", scope).replace("{target}", target.name))
                for value in values
            ]
    if settings.network:
        raw["network"] = settings.network
    return raw


def _literal(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")
