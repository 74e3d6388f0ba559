"""An amendment may correct whose referral it is: from then on it is found under that person, by consent too."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from producers import envelope
from producers.envelope import Said
from referrals import check, ids
from tests.support.api import Api
from tests.support.referrals import body

pytestmark = pytest.mark.real
CLINIC, CONSENT = "clinic-a", "C-2"


@pytest.fixture
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("amended")) as api:
        yield api


def said() -> Said:
    return Said(uuid4(), CLINIC, datetime.now(UTC))


async def submit(api: Api, person: str, consent: str) -> UUID:
    changes = {"person": body()["person"] | {"person_id": person}, "coverage": None}
    sent = body("AMENDED-1", consent={"status": "active", "id": consent}, **changes)
    record = envelope.submitted(said(), check.submission(sent, datetime.now(UTC)), "intake.api")
    await api.broker.send([record])
    return ids.referral_id(CLINIC, "AMENDED-1")


async def test_a_revocation_reaches_a_referral_that_was_amended_to_be_this_persons(api: Api) -> None:
    referral = await submit(api, "P-1", "C-1")
    await submit(api, "P-2", CONSENT)
    person = ids.person_key(CLINIC, "P-2")
    async with api.owner() as owner:
        assert await owner.fetchval("select person_key from referral where id = $1", referral) == person
        content = msgspec.json.encode({"person_id": "P-2", "status": "active", "id": CONSENT})
        consent = ids.consent_id(CLINIC, CONSENT)
        await api.broker.send([envelope.consent_changed(said(), consent, person, "revoke", content)])
        reached = await owner.fetchval("select count(*) from history where kind = 'consent-reach'")
        assert reached == 1, "the command to end it is on its way"
