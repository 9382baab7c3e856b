"""archpatch verify --image REF: an image that exists, in a registry, in the engine's store, or as a file.

A registry's image is fetched by buildx, with the user's own logins, one manifest at a time: `FROM REF@DIGEST`
built to an OCI layout. What its index claims is asked of `imagetools`, for a build would label it as asked.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archpatch.platforms import Platform, UnknownPlatform
from archpatch.verify.audit import Audit, audit, equal_layers
from archpatch.verify.bakefile import BakeTarget, bake_file, target_name
from archpatch.verify.buildx import Buildx, NoEngine, is_reference
from archpatch.verify.exempt import Exemptions
from archpatch.verify.images import evidence_of
from archpatch.verify.oci import SHARED_LAYERS, Config, Image, LayerCache, Store, config_of
from archpatch.verify.progress import Progress
from archpatch.verify.run import Request
from archpatch.verify.streams import Unreadable
from archpatch.verify.verdict import Evidence, Level, Look, State, Verification, state_of

_MAX_MANIFESTS = 32
_STORE, _REGISTRY = "engine's store", "registry"


@dataclass(frozen=True, slots=True)
class _Found:
    """The images behind a name. `absent`: platforms that are listed there, without their content.

    `others`: platforms that it has and that were not asked for.
    """

    images: Sequence[tuple[Image, Audit]]
    where: str
    absent: tuple[Platform, ...] = ()
    others: tuple[Platform, ...] = ()


@dataclass(frozen=True, slots=True)
class _Manifest:
    digest: str
    platform: Platform | None  # what the index claims; None: a single manifest


def verify_image(reference: str, request: Request, buildx: Buildx | None = None) -> Verification:
    """Inspect an image on every platform that is asked for; without that, on all that it has."""
    buildx = buildx or Buildx(request.settings)
    exemptions = Exemptions.also(request.allow)
    try:
        path = Path(reference)
        found = (
            _in_file(path, exemptions, "file")
            if path.exists()
            else _fetched(buildx, reference, request, exemptions)
        )
    except NoEngine as error:
        return Verification(Level.IMAGE, trouble=str(error))
    except (Unreadable, OSError, ValueError) as error:
        return Verification(Level.IMAGE, trouble=f"{reference}: {error}")
    except BaseException:
        buildx.runner.stop()
        raise
    return Verification(Level.IMAGE, tuple(_looks(reference, found, request.platforms)))


def _in_file(path: Path, exemptions: Exemptions, where: str) -> _Found:
    """Layers are remembered for this file alone: nobody held them against the names that it gives them."""
    with Store(path) as store:
        cache, images = LayerCache(), store.images()
        audited = [(image, audit(image, store.rootfs(image, cache), exemptions)) for image in images]
        return _Found(audited, where, store.absent)


def _looks(reference: str, found: _Found, asked: Sequence[Platform]) -> list[Look]:
    alarms = equal_layers(found.images)
    looks = []
    for image, audited in found.images:
        if asked and image.platform not in asked:
            continue
        evidence = evidence_of(audited)
        if alarm := alarms.get(image.platform):
            evidence = (*evidence, Evidence(alarm.code, alarm.message))
        looks.append(
            Look(
                reference,
                Path(reference),
                image.platform,
                state_of(evidence),
                evidence,
                (f"read from the {found.where}",),
                elf_files=audited.elf_files,
                exempt=audited.exempt,
            )
        )
    there = {image.platform for image, _ in found.images}
    for platform in found.absent:
        if platform not in there and (not asked or platform in asked):
            why = f"the index lists it, and its content is not in the {found.where}"
            evidence = (Evidence("unread", why, State.UNKNOWN),)
            looks.append(Look(reference, Path(reference), platform, State.UNKNOWN, evidence))
    for platform in asked:
        if platform not in there and platform not in found.absent:
            has = ", ".join(sorted(map(str, there.union(found.others)))) or "none"
            evidence = (Evidence("missing-platform", f"the image has no {platform}; it has {has}"),)
            looks.append(Look(reference, Path(reference), platform, State.WRONG, evidence))
    return looks


def _fetched(buildx: Buildx, reference: str, request: Request, exemptions: Exemptions) -> _Found:
    """From where `docker` would take it: a name with a registry from there, any other from the store first.

    (A short name that only exists here must not be looked up at a public registry, where it may be another's.)
    """
    if not is_reference(reference):
        raise Unreadable("is neither a file nor an image's name")
    places = [(_from_store, _STORE), (_from_registry, _REGISTRY)]
    host = reference.split("/")[0]
    if "/" in reference and ("." in host or ":" in host or host == "localhost"):
        places.reverse()
    buildx.versions()
    reasons = []
    for fetch, where in places:
        try:
            return fetch(buildx, reference, request.platforms, exemptions)
        except Unreadable as error:
            reasons.append(f"{where}: {error}")
    raise Unreadable("; ".join(reasons))


def _from_store(buildx: Buildx, reference: str, asked: Sequence[Platform], exemptions: Exemptions) -> _Found:
    if not buildx.ask("image", "inspect", "--format", "{{.Id}}", reference).ok:
        raise Unreadable("no such image")
    with tempfile.TemporaryDirectory(prefix="archpatch-image-") as name:
        path = Path(name) / "image.tar"
        done = buildx.ask("image", "save", "--output", str(path), reference, timeout=buildx.settings.timeout)
        if not done.ok:
            raise Unreadable(done.err.strip()[:300] or "docker image save failed")
        return _in_file(path, exemptions, _STORE)


def _from_registry(
    buildx: Buildx, reference: str, asked: Sequence[Platform], exemptions: Exemptions
) -> _Found:
    answer = buildx.ask("buildx", "imagetools", "inspect", "--raw", reference)
    if not answer.ok:
        raise Unreadable(answer.err.strip().splitlines()[-1][:300] if answer.err.strip() else "no answer")
    raw = _json(answer.out)
    listed = list(_manifests(buildx, reference, raw))
    wanted = [one for one in listed if not asked or one.platform is None or one.platform in asked]
    others = tuple(one.platform for one in listed if one.platform and one not in wanted)
    if len(wanted) > _MAX_MANIFESTS:
        raise Unreadable(f"it has {len(wanted)} images; --platform says which to look at")
    images = [_one(buildx, reference, one, exemptions, SHARED_LAYERS) for one in wanted]
    return _Found(images, _REGISTRY, others=others)


def _manifests(buildx: Buildx, reference: str, raw: Any) -> Iterable[_Manifest]:
    if "manifests" not in raw:
        described = buildx.ask("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", reference)
        yield _Manifest(str(_json(described.out).get("digest")), None)
        return
    try:
        for descriptor in raw["manifests"]:
            platform = descriptor.get("platform") or {}
            if platform.get("os") != "unknown":
                yield _Manifest(str(descriptor["digest"]), _platform(platform))
    except (UnknownPlatform, TypeError, KeyError, AttributeError) as error:
        raise Unreadable(f"its index is not as the format has it ({error})") from None


def _one(
    buildx: Buildx, reference: str, manifest: _Manifest, exemptions: Exemptions, cache: LayerCache
) -> tuple[Image, Audit]:
    """Fetch one manifest's layers; its labels are those of the registry, not of our build."""
    pinned = f"{_repository(reference)}@{manifest.digest}"
    if not is_reference(pinned):
        raise Unreadable(f"{manifest.digest!r} is no digest")
    config, configured = _configured(buildx, pinned)
    platform = manifest.platform or configured
    with tempfile.TemporaryDirectory(prefix="archpatch-image-") as name:
        folder = Path(name)
        (folder / "context").mkdir()
        # FROM would run the triggers of the image; a copy runs nothing, and has its files in one layer.
        text = f"FROM scratch\nCOPY --from={pinned} / /\n" if config.triggers else f"FROM {pinned}\n"
        (folder / "Dockerfile").write_text(text, encoding="utf-8")
        target = BakeTarget(
            target_name("image", str(platform)), folder / "context", folder / "Dockerfile", platform,
            f"type=oci,dest={folder / 'image.tar'}",
        )  # fmt: skip
        (folder / "bake.json").write_text(bake_file([target], buildx.settings), encoding="utf-8")
        built = buildx.bake(folder / "bake.json", target.name, folder / "m.json", [folder], Progress())
        if not built.ok:
            raise Unreadable(f"{platform}: {built.progress.error.strip()[-300:]}")
        with Store(folder / "image.tar") as store:
            [fetched] = store.images()
            image = replace(fetched, platform=platform, configured=configured, config=config)
            return image, audit(image, store.rootfs(image, cache), exemptions)


def _configured(buildx: Buildx, pinned: str) -> tuple[Config, Platform]:
    """What the config of a single manifest says."""
    answer = buildx.ask("buildx", "imagetools", "inspect", "--format", "{{json .Image}}", pinned)
    raw = _json(answer.out)
    try:
        return config_of(raw), _platform(raw)
    except (UnknownPlatform, TypeError, AttributeError) as error:
        raise Unreadable(f"its config is not as the format has it ({error})") from None


def _platform(raw: Any) -> Platform:
    return Platform.parse(
        "/".join(filter(None, (raw.get("os"), raw.get("architecture"), raw.get("variant"))))
    )


def _json(text: str) -> Any:
    """An object that imagetools printed."""
    try:
        raw = json.loads(text)
    except ValueError:
        raise Unreadable("the registry's answer is no JSON") from None
    if not isinstance(raw, dict):
        raise Unreadable("the registry's answer is no manifest")
    return raw


def _repository(reference: str) -> str:
    """The name without tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
