"""Sample models of the pages about an organization's people; `says` stands in every text field."""

from typing import Any
from uuid import UUID

from api.pages import people_models
from api.pages.forms import form
from api.pages.show import Show
from api.people import Made, Unwise
from tests.unit.pages_samples import ago

NONE = {"next_href": "", "first_href": ""}
MORE = {"next_href": "/people?cursor=x", "first_href": "/people"}


def models(show: Show, says: str) -> dict[str, list[dict[str, Any]]]:
    """Template -> its models."""
    id = UUID(int=7)
    ana: dict[str, Any] = {
        "id": id,
        "email": says or "ana@x.example.org",
        "name": says or "Ana",
        "role": says or "admin",
        "active": True,
        "last_log_in": ago(days=2),
        "second_step": True,
    }
    ben = ana | {"id": UUID(int=8), "active": False, "last_log_in": None, "second_step": False}
    wrong = people_models.errors(show, Unwise("taken", "email"))
    refused = form({"role": "admin"}, {}, people_models.errors(show, Unwise("own-end"))[""])
    return {
        "people.html": [
            people_models.everybody(show, [ana, ben], str(id), MORE),
            people_models.everybody(show, [ana], str(id), NONE),
            people_models.everybody(show, [], str(id), NONE),
        ],
        "people_new.html": [
            people_models.new(show, form({}), "clinic", links=True),
            people_models.new(show, form({"name": says, "email": says}, wrong), "mco", links=False),
        ],
        "people_one.html": [
            people_models.one(show, ana, "clinic", form({"role": "admin"}), own=True, links=True),
            people_models.one(show, ana, "hub", refused, own=False, links=True),
            people_models.one(show, ben, "mco", form({}, {"role": "x"}), own=False, links=False),
        ],
        "people_password.html": [
            people_models.password(show, Made(id, says or "b@x.example.org", says or "tamu-rilo"))
        ],
    }
