"""`refex route --explain`: a decision in words, without an exchange."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from tests.support.referrals import body

EXAMPLES = Path(str(resources.files("producers").joinpath("examples")))


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["route", "--explain", *arguments], env={"COLUMNS": "300"})


def written(folder: Path, document: Any, name: str = "referral.json") -> str:
    (folder / name).write_text(json.dumps(document), encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize("name", ["referral.json", "referral_bundle.json", "referrals.csv"])
def test_the_examples_are_explained_over_the_demo_directory(name: str) -> None:
    result = explain(str(EXAMPLES / name))
    assert result.exit_code == 0, result.output
    assert "chosen: " in result.stdout
    assert "excluded by outside-area" in result.stdout
    assert "distance" in result.stdout


def test_as_json_the_decision_is_the_one_of_the_interfaces(tmp_path: Path) -> None:
    result = explain(written(tmp_path, body()), "--json")
    (item,) = json.loads(result.stdout)["items"]
    decision = item["decision"]
    assert item["need"] == "food-insecurity"
    assert {"decided_at", "policy", "chosen", "candidates"} <= decision.keys()
    assert decision["chosen"] == decision["candidates"][0]["service"]


def test_a_directory_of_ones_own_and_the_rule_that_excludes(tmp_path: Path) -> None:
    service = {
        "id": "s1",
        "name": "Lunch for seniors",
        "status": "active",
        "minimum_age": 60,
        "attributes": [{"taxonomy_term": {"code": "food-insecurity", "name": "Food"}}],
        "service_areas": [{"extent_type": "text", "extent": "94607"}],
    }
    hsds = written(tmp_path, {"id": "o", "name": "Pantry", "services": [service]}, "hsds.json")
    result = explain(written(tmp_path, body()), "--directory", hsds)
    assert result.exit_code == 0, result.output
    assert "excluded by age: serves people of 60 years and older; the person is younger" in result.stdout
    assert "no service fits" in result.stdout


def test_a_file_with_a_bad_referral_fails_and_says_why(tmp_path: Path) -> None:
    result = explain(written(tmp_path, [body(), {"need": 3}]))
    assert result.exit_code == 1
    assert "chosen: " in result.stdout
    assert "referral.json:2" in result.stderr


def test_a_directory_without_services_says_what_to_do(tmp_path: Path) -> None:
    result = explain(written(tmp_path, body()), "--directory", written(tmp_path, [], "empty.json"))
    assert result.exit_code == 1
    assert "import-directory" in result.stderr
