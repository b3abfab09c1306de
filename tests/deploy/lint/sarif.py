"""What SARIF 2.1.0 requires of the parts that the linter writes, as far as code hosts rely on it."""

from collections.abc import Mapping
from typing import Any

LEVELS = {"none", "note", "warning", "error"}
KINDS = {"element", "property"}


def assert_valid(log: Mapping[str, Any]) -> None:
    """Raise AssertionError where ``log`` is no SARIF 2.1.0."""
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert set(run) == {"tool", "invocations", "artifacts", "columnKind", "results"}
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = run["tool"]["driver"]
    assert set(driver) == {"name", "version", "semanticVersion", "rules"}
    rules = driver["rules"]
    for rule in rules:
        _rule(rule)
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert [set(one) for one in run["invocations"]] == [{"executionSuccessful"}]
    for artifact in run["artifacts"]:
        _uri(artifact["location"])
    for result in run["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        assert len(result["locations"]) == 1
        for location in (*result["locations"], *result.get("relatedLocations", ())):
            _location(location)
        ids = [one["id"] for one in result.get("relatedLocations", ())]
        assert ids == list(range(len(ids)))


def _rule(rule: Mapping[str, Any]) -> None:
    assert set(rule) == {
        "id",
        "shortDescription",
        "fullDescription",
        "help",
        "defaultConfiguration",
        "properties",
    }
    assert rule["defaultConfiguration"]["level"] in LEVELS
    for text in ("shortDescription", "fullDescription", "help"):
        assert rule[text]["text"].strip()
    assert len(set(rule["properties"]["tags"])) == len(rule["properties"]["tags"])


def _location(location: Mapping[str, Any]) -> None:
    assert set(location) <= {"id", "physicalLocation", "logicalLocations", "message"}
    physical = location["physicalLocation"]
    assert set(physical) <= {"artifactLocation", "region"}
    _uri(physical["artifactLocation"])
    region = physical.get("region", {"startLine": 1})
    assert region["startLine"] >= 1
    assert set(region) in ({"startLine"}, {"startLine", "startColumn", "endColumn"})
    assert 1 <= region.get("startColumn", 1) < region.get("endColumn", 2)
    for logical in location.get("logicalLocations", ()):
        assert logical["kind"] in KINDS
        assert logical["fullyQualifiedName"].startswith("/")


def _uri(location: Mapping[str, str]) -> None:
    uri = location["uri"]
    assert uri
    assert " " not in uri
    assert "\\" not in uri
