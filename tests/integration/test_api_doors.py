"""Lists, measures, plans and the FHIR door over HTTP, on a real Postgres with the real exchange batch."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from api.app import ROUTES
from tests.support.api import Api, answer


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("api")) as running:
        yield running


async def test_lists_are_newest_first_clamped_and_paged_without_loss(api: Api) -> None:
    made = [await api.submitted("clinic-b") for _ in range(5)]
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    async with api.http("clinic-b") as http:
        while cursor is not None:
            page = (await http.get("/v1/referrals", params={"limit": 2, "cursor": cursor})).json()
            seen += page["items"]
            cursor = page["next_cursor"]
        everything = (await http.get("/v1/referrals", params={"limit": 100_000})).json()
        after = {"updated_after": made[2]["updated_at"]}
        newer = (await http.get("/v1/referrals", params=after)).json()["items"]
        for wrong in ("status=x", "limit=0", "cursor=%25", "updated_after=x"):
            assert (await http.get(f"/v1/referrals?{wrong}")).status_code == 422, wrong
        assert (await http.get("/v1/referrals?status=%00")).status_code == 400
    assert [r["id"] for r in seen] == [r["id"] for r in everything["items"]]
    assert [r["created_at"] for r in seen] == sorted((r["created_at"] for r in seen), reverse=True)
    assert {r["id"] for r in made} <= {r["id"] for r in seen}
    assert {r["id"] for r in newer} == {r["id"] for r in made[3:]}


async def test_an_etag_saves_a_body(api: Api) -> None:
    referral = await api.submitted()
    async with api.http("clinic-a") as http:
        first = await http.get(f"/v1/referrals/{referral['id']}")
        assert first.headers["etag"] == f'"{referral["version"]}"'
        second = await http.get(
            f"/v1/referrals/{referral['id']}", headers={"If-None-Match": first.headers["etag"]}
        )
    assert (second.status_code, second.content) == (304, b"")


async def test_the_plan_authorizes_its_members_referral(api: Api) -> None:
    referral = await api.submitted()
    path = f"/v1/referrals/{referral['id']}/authorization"
    async with api.http("golden-health-plan") as http:
        assert (await http.post(path, json={"status": "maybe"})).status_code == 422
        got = await http.post(
            path, json={"status": "approved", "number": "A-1", "units": 3, "from": "2026-11-01"}
        )
        assert got.status_code == 200
        assert got.json()["authorization"]["number"] == "A-1"


async def test_measures_are_the_payers(api: Api) -> None:
    referral = await api.submitted()
    await answer(api, referral, "accept")
    base = "/v1/contracts/golden-health-plan-2026/measures"
    async with api.http("golden-health-plan") as http:
        found = (await http.get(base)).json()
        by_id = {m["id"]: m for m in found["measures"]}
        assert by_id["received"]["value"] >= 1
        assert by_id["accepted"]["numerator"] >= 1
        listed = (await http.get(f"{base}/accepted/referrals", params={"limit": 1})).json()
        assert len(listed["items"]) == 1
        table = (await http.get(f"{base}/accepted/referrals.csv")).text
        assert referral["id"] in table
        assert (await http.get(f"{base}.csv")).text.startswith("id,version,title")
        assert (await http.get(f"{base}/nonsense/referrals")).status_code == 404
        past = (await http.get(base, params={"as_of": "2020-01-01T00:00:00Z"})).json()
        assert past["measures"][0]["value"] == 0
    for other in ("valley-care-plan", "clinic-a", "food-a", "hub"):
        async with api.http(other) as http:
            foreign, missing = await http.get(base), await http.get("/v1/contracts/none/measures")
            assert (foreign.status_code, foreign.content) == (404, missing.content)
    for figures_only in ("state", "operator"):
        async with api.http(figures_only) as http:
            assert (await http.get(base)).status_code == 200
            assert (await http.get(f"{base}/accepted/referrals")).status_code == 404


async def test_records_whose_rules_come_later_are_taken(api: Api) -> None:
    async with api.http("clinic-a") as http:
        consent = {"person_id": "P-1", "status": "active", "scope": []}
        assert (await http.put("/v1/consents/C-1", json=consent)).status_code == 202
        assert (await http.post("/v1/consents/C-1/revoke", json={"person_id": "P-1"})).status_code == 202
        screening = {"id": "S-1", "person_id": "P-1", "item": [{"linkId": "q1", "answer": "no"}]}
        taken = await http.post("/v1/screenings", json=screening)
        assert (taken.status_code, taken.json()["unknown"]) == (202, [{"question": "q1", "answer": None}])
        wrong = await http.post("/v1/screenings", json=screening | {"item": "no"})
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/item")
        assert (await http.post("/v1/screenings", json={"id": "S-1"})).status_code == 422
    async with api.http("food-a") as http:
        services = (await http.get("/v1/services", params={"q": "food-a"})).json()["items"]
        path = f"/v1/services/{services[0]['id']}/capacity"
        assert (await http.put(path, json={"status": "limited"})).status_code == 200
        assert (await http.put(path, json={"closures": [{"from": "soon"}]})).status_code == 422
    async with api.http("food-b") as http:
        foreign = await http.put(path, json={"status": "full"})
        missing = await http.put(f"/v1/services/{uuid4()}/capacity", json={"status": "full"})
        assert (foreign.status_code, foreign.content) == (404, missing.content)


async def test_a_screening_becomes_needs_in_the_answer_and_in_the_fact(api: Api) -> None:
    body = {
        "resourceType": "QuestionnaireResponse",
        "id": uuid4().hex,
        "questionnaire": "http://loinc.org/q/96777-8",
        "subject": {"reference": "Patient/P-77"},
        "authored": "2026-11-01T10:00:00Z",
        "item": [
            {"linkId": "/88122-7", "answer": [{"valueCoding": {"code": "LA28398-8"}}]},
            {"linkId": "/93030-5", "answer": [{"valueCoding": {"code": "LA33-6"}}]},
            {"linkId": "/95614-4", "answer": [{"valueInteger": 12}]},
        ],
        "help_declined": ["transportation-insecurity"],
    }
    async with api.http("clinic-a") as http:
        got = await http.post("/v1/screenings", json=body)
    assert (got.status_code, got.json()["instrument"]) == (202, "ahc-hrsn"), got.text
    assert {n["domain"]: n["result"] for n in got.json()["needs"]} == {
        "food-insecurity": "negative",
        "intimate-partner-violence": "positive",
        "transportation-insecurity": "help-declined",
    }
    async with api.owner() as owner:
        data = await owner.fetchval("select data::text from stream where id = $1", UUID(got.json()["id"]))
    kept = msgspec.json.decode(data)
    assert {n["domain"]: n["result"] for n in kept["needs"]} == {
        "food-insecurity": "negative",
        "transportation-insecurity": "help-declined",
    }
    assert kept["withheld"] == 1 and "violence" not in data


def gravity_bundle() -> dict[str, Any]:
    """A patient and a request for food, without a Consent."""
    patient = {
        "resourceType": "Patient",
        "identifier": [{"value": "P-9"}],
        "name": [{"family": "Synthetic", "given": ["Test"]}],
        "birthDate": "1980-02-01",
        "address": [{"postalCode": "94607"}],
    }
    request = {
        "resourceType": "ServiceRequest",
        "identifier": [{"value": uuid4().hex}],
        "status": "active",
        "intent": "order",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes",
                        "code": "food-insecurity",
                    }
                ]
            }
        ],
        "subject": {"reference": "urn:uuid:p"},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": "urn:uuid:p", "resource": patient},
            {"fullUrl": "urn:uuid:r", "resource": request},
        ],
    }


async def test_a_fhir_bundle_becomes_referrals_and_tasks(api: Api) -> None:
    bundle = gravity_bundle()
    async with api.http("clinic-a") as http:
        got = await http.post("/fhir", json=bundle, headers={"content-type": "application/fhir+json"})
        assert got.status_code == 202, got.text
        location = next(e["response"]["location"] for e in got.json()["entry"] if "location" in e["response"])
        task = await http.get(f"/fhir/{location}")
        assert task.json()["resourceType"] == "Task"
        assert task.json()["businessStatus"]["text"] == "needs-review"  # without a Consent: absent
        wrong = await http.post("/fhir", json={"resourceType": "Bundle", "type": "transaction"})
        assert wrong.status_code in (400, 422)
        assert wrong.json()["resourceType"] == "OperationOutcome"
        missing = await http.get(f"/fhir/Task/{uuid4()}")
        assert (missing.status_code, missing.json()["resourceType"]) == (404, "OperationOutcome")


async def test_documents_hold_no_person_and_cover_every_route(api: Api) -> None:
    await api.submitted()
    async with api.http() as http:
        document = (await http.get("/openapi.json")).json()
        texts = [
            (await http.get(p)).text for p in ("/metrics", "/docs", "/version", "/livez", "/openapi.json")
        ]
    assert document["openapi"] == "3.1.0"
    listed = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    assert {(r.method, r.path) for r in ROUTES} == listed
    refs = set(re.findall(r'"#/components/schemas/(\w+)"', texts[-1]))
    assert refs <= document["components"]["schemas"].keys()
    assert not any("Synthetic" in text or "clinic-a" in text for text in texts)
    families = set(re.findall(r"^# TYPE (refex_\w+)", texts[0], re.MULTILINE))
    assert len(families) >= 10
    assert float(re.findall(r"^refex_referrals_submitted_total (\S+)", texts[0], re.MULTILINE)[0]) >= 1
