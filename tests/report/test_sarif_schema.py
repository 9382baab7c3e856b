"""SARIF against the schema of OASIS, in the file that ARCHPATCH_SARIF_SCHEMA names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from archpatch.discover import discover
from archpatch.report import Look, render
from archpatch.report.model import Verb
from archpatch.session import Options, run
from tests.report.test_hostile import RESULTS

_SCHEMA = os.environ.get("ARCHPATCH_SARIF_SCHEMA")
pytestmark = pytest.mark.skipif(not _SCHEMA, reason="ARCHPATCH_SARIF_SCHEMA names no schema")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    """What judges; the schema itself is judged first."""
    assert _SCHEMA
    schema = json.loads(Path(_SCHEMA).read_bytes())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_report_of_the_example_is_valid(validator: jsonschema.Draft7Validator) -> None:
    result = run(discover([Path("fixtures/boutique")]), Options(isolated=True, verb=Verb.CHECK))
    assert result.files
    validator.validate(json.loads(render("sarif", result, Look())))


def test_reports_of_hostile_files_are_valid(validator: jsonschema.Draft7Validator) -> None:
    for result in RESULTS[::5]:
        validator.validate(json.loads(render("sarif", result, Look())))


def test_a_report_that_is_none_is_not_valid(validator: jsonschema.Draft7Validator) -> None:
    assert not validator.is_valid({"version": "2.1.0", "runs": [{"tool": {}}]})
