"""One report of several: what the shards of a run, or several runs, have found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from archpatch.discover import Unreadable, read
from archpatch.report.json import Object, dump

_MAX_SIZE = 512 << 20  # bytes of one report


class BadReport(Exception):
    """A file that cannot be merged; str() is one line that names it."""


def merge(paths: Sequence[Path]) -> bytes:
    """The merged report: of JSON version 1, or of SARIF 2.1.0. Raises BadReport."""
    reports = [(path, _load(path)) for path in paths]
    kinds = {_kind(path, report) for path, report in reports}
    if len(kinds) > 1:
        raise BadReport("these are reports of different formats")
    return (_merged_sarif if "sarif" in kinds else _merged_json)(reports)


def _load(path: Path) -> Object:
    try:
        report = json.loads(read(path, _MAX_SIZE))
    except Unreadable as error:
        raise BadReport(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise BadReport(f"{path}: is not JSON") from error
    if not isinstance(report, dict):
        raise BadReport(f"{path}: is no report")
    return report


def _kind(path: Path, report: Object) -> str:
    if report.get("version") == "2.1.0" and isinstance(report.get("runs"), list):
        return "sarif"
    lists = ("images", "findings", "unknown", "errors", "platforms")
    counts = ("files", "suppressed")
    if (
        report.get("version") == 1
        and all(isinstance(report.get(key), list) for key in lists)
        and all(isinstance(report.get(key), int) for key in counts)
    ):
        return "json"
    raise BadReport(f"{path}: is no report of version 1, and no SARIF 2.1.0")


def _merged_json(reports: Sequence[tuple[Path, Object]]) -> bytes:
    """Counts are added up; what two reports both say stands once."""
    first_path, first = reports[0]
    for path, report in reports:
        for key in ("style", "platforms"):
            if report.get(key) != first.get(key):
                raise BadReport(f"{path}: has another {key} than {first_path}")
    images = _once(report["images"] for _, report in reports)
    shared = sum(_length(report["images"]) for _, report in reports) - len(images)
    merged = {
        **first,
        "files": _total(reports, "files") - shared,
        "images": sorted(images, key=_place),
        "findings": sorted(_once(report["findings"] for _, report in reports), key=_place),
        "suppressed": _total(reports, "suppressed"),
        "unknown": sorted(_once(report["unknown"] for _, report in reports), key=_place),
        "errors": sorted(_once(report["errors"] for _, report in reports), key=_place),
    }
    if told := [_baseline(path, report) for path, report in reports if "baseline" in report]:
        mended = {str(name) for _, names in told for name in names}
        merged["baseline"] = {"known": sum(known for known, _ in told), "mended": sorted(mended)}
    return dump(merged, indent=2)


def _baseline(path: Path, report: Object) -> tuple[int, list[object]]:
    told = report["baseline"]
    known, mended = (told.get("known"), told.get("mended")) if isinstance(told, dict) else (None, None)
    if not isinstance(known, int) or not isinstance(mended, list):
        raise BadReport(f"{path}: what it says of a baseline is none")
    return known, mended


def _length(items: object) -> int:
    return len(items) if isinstance(items, list) else 0


def _total(reports: Sequence[tuple[Path, Object]], key: str) -> int:
    return sum(value for _, report in reports if isinstance(value := report[key], int))


def _once(lists: Iterable[object]) -> list[object]:
    """The items of all lists, equal ones once, in their order."""
    seen: dict[str, object] = {}
    for items in lists:
        for item in items if isinstance(items, list) else ():
            seen.setdefault(json.dumps(item, sort_keys=True), item)
    return list(seen.values())


def _place(item: object) -> tuple[str, int, str]:
    if not isinstance(item, Mapping):
        return ("", 0, "")
    start = item.get("start")
    offset = start.get("offset", 0) if isinstance(start, Mapping) else item.get("line") or 0
    name = item.get("path", item.get("path_base64", ""))
    return (str(name), offset if isinstance(offset, int) else 0, str(item.get("code", "")))


def _merged_sarif(reports: Sequence[tuple[Path, Object]]) -> bytes:
    """One run for each tool and category: GitHub takes no more than twenty runs of a file."""
    runs: dict[str, Object] = {}
    for path, report in reports:
        found = report["runs"]
        for run in found if isinstance(found, list) else ():
            try:
                key = json.dumps(
                    [run["tool"]["driver"]["name"], run.get("automationDetails")], sort_keys=True
                )
                if key in runs:
                    _add_run(runs[key], run)
                else:
                    runs[key] = run
            except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
                raise BadReport(f"{path}: a run lacks what SARIF asks for") from error
    return dump({**reports[0][1], "runs": list(runs.values())}, indent=1)


def _add_run(into: Object, run: Object) -> None:
    """Results and notes of a run that another of the same tool takes up. Raises what a bad run causes."""
    rules = _list(_driver(into), "rules")
    index: dict[object, int] = {rule["id"]: at for at, rule in enumerate(rules)}
    theirs = _list(_driver(run), "rules")
    for rule in theirs:
        if rule["id"] not in index:
            index[rule["id"]] = len(rules)
            rules.append(rule)
    results = _list(into, "results")
    seen = {json.dumps(one, sort_keys=True) for one in results}
    for one in _list(run, "results"):
        if "ruleIndex" in one:
            one["ruleIndex"] = index[theirs[int(str(one["ruleIndex"]))]["id"]]
        if json.dumps(one, sort_keys=True) not in seen:
            results.append(one)
    _list(into, "invocations").extend(_list(run, "invocations"))


def _driver(run: Object) -> Object:
    driver: Object = run["tool"]["driver"]  # type: ignore[index]  # a wrong type is a bad run, said by the caller
    return driver


def _list(holder: Object, key: str) -> list[Object]:
    value = holder.setdefault(key, [])
    if not isinstance(value, list):
        raise TypeError(key)
    return value
