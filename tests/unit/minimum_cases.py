"""Made-up referrals for the test of minimum necessary: every text is a canary that names its own place."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from api import views
from referrals.consent import Known
from referrals.ids import consent_id
from referrals.state import Hop, Outcome, PayerBefore, Referral
from referrals.submission import Coding, Consent, Submission
from referrals.words import SENSITIVITIES, HopStatus, ReferralStatus, table

NOW = datetime(2026, 11, 2, 17, 0, tzinfo=UTC)
CBO, OTHER, PLAN, CLINIC = "asked-cbo", "canary/other-cbo", "plan", "clinic"


def leaves(value: Any, path: str) -> Any:
    """The same shape with every text replaced by a canary of its place."""
    if isinstance(value, dict):
        return {k: leaves(v, f"{path}{k}.") for k, v in value.items()}
    if isinstance(value, list):
        return [leaves(v, path) for v in value]
    return f"canary/{path.removesuffix('.')}" if value == "" else value


PERSON = {
    **dict.fromkeys(("person_id", "given_name", "family_name", "birth_date", "gender", "phone", "email"), ""),
    "address": {"line": "", "city": "", "state": "", "county": "Alameda", "postal_code": "94607-1234"},
    "spoken_language": "es",
    "written_language": "",
    "interpreter_needed": True,
    "race_ethnicity": [{"system": "", "code": ""}],
    "accessibility": [""],
    "attributes": [{"system": "", "code": "", "value": ""}],
    "contact": {
        "alternate": {"name": "", "relationship": "", "phone": ""},
        "phones": [{"number": ""}],
        "best_times": "",
    },
}
SUBMISSION = {
    "sender_referral_id": "",
    "case_id": "",
    "person": PERSON,
    "need": {
        "domain": "food-insecurity",
        "service": {"system": "", "code": "", "display": ""},
        "code": {"system": "", "code": "", "display": ""},
        "note": "",
    },
    "coverage": {"payer": PLAN, "member_id": ""},
    "related_person": {"relationship": "", "name": "", "phone": ""},
    "referrer": {"name": "", "role": "", "phone": "", "email": "", "npi": "", "site": ""},
    "service_area": {"postal_code": "94607-4321", "county": ""},
    "based_on_referral": "",
    "excluded_organizations": [""],
    "preferred_organization": "",
    "consent": {
        "status": "active",
        "id": "",
        "method": "",
        "granted_by": {"relationship": "", "name": ""},
        "discloser": "",
        "document_sha256": "",
    },
}


class Case(NamedTuple):
    """A made-up referral and what the test knows of it."""

    seen: views.Seen
    own: HopStatus
    labelled: bool
    masked: bool
    allowed: bool
    prohibited: bool
    pays: str
    told: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any referral at any stage."""
    own = draw(st.sampled_from(list(HopStatus)))
    status = draw(st.sampled_from(list(ReferralStatus)))
    domain = draw(st.sampled_from(sorted(table("domains"))))
    sensitivity = tuple(draw(st.lists(st.sampled_from(SENSITIVITIES), unique=True, max_size=2)))
    programme = draw(st.sampled_from([None, "Victim Services", "food-as-medicine"]))
    consent = draw(st.sampled_from(["active", "active", "refused", "revoked", "expired", "absent"]))
    revoked = draw(st.booleans())
    prohibited = draw(st.booleans())
    released = draw(st.booleans())
    pays = draw(st.sampled_from(["now", "before", "never"]))
    labels = {*sensitivity, *table("domains")[domain]["sensitivity"]}
    said: dict[str, Any] = leaves(SUBMISSION, "")
    said["need"] |= {"domain": domain, "programme": programme}
    said["person"]["contact"]["prohibited"] = prohibited
    said["consent"] |= {"recipients": [{"organization": o} for o in (CBO, PLAN)]}
    said["consent"] |= {"data_categories": ["outcome", "referral"]} if released else {}
    submission = msgspec.convert(said, Submission)
    ended = revoked and consent == "active"
    known = Known(NOW + timedelta(hours=1), Consent(status="revoked"))
    records = {consent_id(CLINIC, submission.consent.id or ""): known} if ended else {}
    left = PayerBefore(
        payer=PLAN, contract="plan-2026", until=NOW, status=ReferralStatus.ACCEPTED, services=1
    )
    delivered = {"service_event_id": "e", "code": "canary/delivered", "date": "2026-11-01", "units": 1}
    hops = (_hop(1, OTHER, HopStatus.REJECTED), _hop(2, CBO, own))
    state = Referral(
        id=UUID(int=7),
        sender=CLINIC,
        sender_referral_id=submission.sender_referral_id,
        person_key=UUID(int=8),
        domain=domain,
        programme=programme,
        code=Coding(display="canary/need.code.display"),
        digest="d",
        contract="plan-2026",
        hub="hub",
        payer={"now": PLAN, "before": "next-plan", "never": None}[pays],
        named_payer=PLAN,
        payers_before=(left,) if pays == "before" else (),
        status=status,
        version=5,
        requested_at=NOW,
        created_at=NOW,
        updated_at=NOW,
        case_id=submission.case_id,
        sensitivity=sensitivity,
        postal_code="94607",
        county="alameda",
        consent_status=consent,
        consent_id=submission.consent.id,
        detail="canary/detail",
        hops=hops,
        services_delivered=(delivered,),
        outcome=Outcome("service-provided", "resolved") if status is ReferralStatus.COMPLETED else None,
    )
    seen = views.Seen(state, submission, "canary/outcome-note", True, records, NOW + timedelta(days=1))
    told = released or not labels
    masked = "violence" in labels or programme == "Victim Services"
    return Case(seen, own, bool(labels), masked, consent == "active" and not ended, prohibited, pays, told)


def _hop(number: int, organization: str, status: HopStatus) -> Hop:
    return Hop(
        hop=f"hop-{number}",
        number=number,
        organization=organization,
        service=f"service-of-{organization}",
        status=status,
        requested_at=NOW,
        due_at=NOW + timedelta(days=2),
        review_date="2026-11-09",
        pauses=((NOW, None),),
        accepted_at=NOW,
    )


def plain(own: HopStatus) -> Case:
    """A referral that was just asked about, and nothing more."""
    submission = msgspec.convert(leaves(SUBMISSION, ""), Submission)
    state = Referral(
        id=UUID(int=7),
        sender=CLINIC,
        sender_referral_id="r",
        person_key=UUID(int=8),
        domain="food-insecurity",
        digest="d",
        contract="plan-2026",
        hub="hub",
        payer=PLAN,
        status=ReferralStatus.REQUESTED,
        version=5,
        requested_at=NOW,
        created_at=NOW,
        updated_at=NOW,
        hops=(_hop(1, OTHER, HopStatus.REJECTED), _hop(2, CBO, own)),
    )
    return Case(views.Seen(state, submission, at=NOW), own, False, False, True, False, "now", True)
