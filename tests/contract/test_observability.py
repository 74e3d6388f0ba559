"""Alerts and dashboard ask only for metrics that the API has, and each alert says what to do."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from api import metrics
from stream_processors import metrics as worker

INFRA = Path(__file__).parents[2] / "infra"
RULES: dict[str, Any] = yaml.safe_load((INFRA / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((INFRA / "grafana" / "dashboards" / "refex.json").read_text(encoding="utf-8"))


def names() -> set[str]:
    """Every series the API offers, by name."""
    found = set()
    for family in metrics.REGISTRY.collect():
        found |= {f"{family.name}{end}" for end in _ends(family.type)}
    return found


def _ends(kind: str) -> tuple[str, ...]:
    return {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(kind, ("",))


def asked(text: str) -> set[str]:
    return set(re.findall(r"\brefex_[a-z_]+", text))


def test_alerts_ask_for_metrics_that_exist() -> None:
    expressions = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    found = asked(" ".join(expressions))
    assert len(found) >= 4
    assert found <= names()


def test_alerts_say_what_to_do() -> None:
    for rule in (rule for group in RULES["groups"] for rule in group["rules"]):
        assert rule["annotations"]["summary"] and rule["annotations"]["description"].endswith(".")
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    found = asked(" ".join(expressions))
    assert len(found) >= 8
    assert found <= names()
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in DASHBOARD["panels"])


def test_nothing_is_asked_by_person_or_referral() -> None:
    text = json.dumps(DASHBOARD) + json.dumps(RULES)
    assert not re.search(r"by \((?:[^)]*)\b(person|referral_id|organization|tenant)\b", text)


LABELS = {"method", "status", "topic", "action"}
"""What a metric may be split by: words of ours, few of each; whom it is about is none of them."""


def test_no_label_may_name_a_person_a_referral_or_an_organization() -> None:
    found = {
        f"{name}: {label}"
        for module in (metrics, worker)
        for name, metric in vars(module).items()
        for label in getattr(metric, "_labelnames", ())
        if label not in LABELS
    }
    assert not found, "a label of its own must be a word of ours: add it to LABELS, or count without it"


def test_prometheus_and_grafana_find_their_files() -> None:
    scrape = yaml.safe_load((INFRA / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert scrape["rule_files"] == ["/etc/prometheus/alerts.yml"]
    provisioning = INFRA / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))
    assert source["datasources"][0]["type"] == "prometheus"
    providers = yaml.safe_load((provisioning / "dashboards" / "refex.yml").read_text(encoding="utf-8"))
    assert providers["providers"][0]["options"]["path"] == "/var/lib/refex-dashboards"
