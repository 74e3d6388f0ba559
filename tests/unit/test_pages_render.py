"""Every page draws with sample models in both languages: whole, escaped, labelled, light, without inline code."""

import re
from collections import Counter
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from msgspec import structs

from api.pages import render
from api.pages.text import LANGUAGES, Text
from api.principal import Principal
from tests.unit import pages_models, pages_samples

PAYLOAD = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
VOID_OF_LABEL = {"hidden", "submit", "button"}
WHOLE = "<!doctype html>"


def principal(type: str, says: str = "Riverside Clinic") -> Principal:
    """Somebody who is logged in."""
    return Principal(
        organization="x",
        type=type,
        name=says,
        user="u",
        scopes=frozenset(),
        expires_at=pages_samples.NOW,
        credential=b"",
        email=says,
        csrf="token",
    )


def drawn(language: str, says: str = "") -> list[tuple[str, str]]:
    """Template and HTML of every sample."""
    text = Text(language)
    made = []
    for template, models in pages_models.models(language, says).items():
        type = template.split("_")[0].removesuffix(".html")
        who = principal(type, says or "Org") if type in render.HOMES else None
        for model in models:
            frame = render.frame(text, who, f"/{type}?q={says}", "accept", demo=True)
            made.append((template, render.html(template, text, frame, model)))
    return made


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.found.append((tag, dict(attrs)))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        """The attributes of every element of these kinds."""
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_draws_in_both_languages(language: str) -> None:
    for template, html in drawn(language):
        assert html.startswith(WHOLE), template
        assert f'<html lang="{language}">' in html, template
        assert len(html.encode()) < 50_000, template


def test_every_template_is_drawn_by_a_sample() -> None:
    files = set(render.environment().list_templates())
    pages = {f for f in files if not f.startswith("_") and f not in ("layout.html", "macros.html")}
    assert set(pages_models.models()) == pages


def test_what_people_wrote_is_escaped_everywhere() -> None:
    for template, html in drawn("en", PAYLOAD):
        assert "<script>alert" not in html, template
        assert "<img" not in html, template
        assert "49" not in re.sub(r"[^<>]*<[^>]*>", "", html), template
        tags = Elements(html).found
        assert not [a for _, a in tags if any(name.startswith("on") for name in a)], template


def test_no_inline_script_or_style_and_nothing_from_elsewhere() -> None:
    for template, html in drawn("en"):
        elements = Elements(html)
        assert all(a.get("src", "").startswith("/static/") for a in elements.all("script")), template  # type: ignore[union-attr]
        assert not elements.all("style"), template
        assert not [a for _, a in elements.found if "style" in a], template
        links = [a.get("href") or a.get("src") or a.get("action") for _, a in elements.found]
        assert not [x for x in links if x and re.match(r"(https?:)?//|javascript:", x)], template


def test_every_field_has_a_label_and_every_id_is_unique() -> None:
    for template, html in drawn("en"):
        elements = Elements(html)
        ids = Counter(a["id"] for _, a in elements.found if a.get("id"))
        assert not [i for i, n in ids.items() if n > 1], template
        labels = {a.get("for") for a in elements.all("label")}
        fields = [
            a for a in elements.all("input", "select", "textarea") if a.get("type") not in VOID_OF_LABEL
        ]
        assert not [a for a in fields if a.get("id") not in labels], template
        described = {i for _, a in elements.found for i in (a.get("aria-describedby") or "").split()}
        assert described <= ids.keys(), template


def test_every_form_that_changes_something_carries_the_token() -> None:
    for template, html in drawn("en"):
        for form in re.findall(r'<form method="post".*?</form>', html, re.DOTALL):
            assert 'name="csrf"' in form, template


def test_every_page_has_one_heading_of_the_first_rank_and_a_title() -> None:
    for template, html in drawn("es"):
        assert len(re.findall(r"<h1[ >]", html)) == 1, template
        assert re.search(r"<title>[^<]+</title>", html), template


def test_icons_that_templates_name_exist() -> None:
    sprite = resources.files("api").joinpath("static", "icons.svg").read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([a-z]+)"', sprite))
    used = {name for _, html in drawn("en") for name in re.findall(r"icons\.svg[^#\"]*#([a-z-]+)", html)}
    assert used <= known
    assert known - used <= {"speech", "place"}


def test_the_script_is_short_and_the_stylesheet_light() -> None:
    folder = resources.files("api").joinpath("static")
    assert len(folder.joinpath("live.js").read_text(encoding="utf-8").splitlines()) <= 100
    assert len(folder.joinpath("pages.css").read_bytes()) < 20_000


@pytest.mark.parametrize(("opened", "said"), [(0, False), (1, True), (3, True)])
def test_an_organization_is_told_on_every_page_that_an_operator_opened_something(
    opened: int, said: bool
) -> None:
    who = structs.replace(principal("clinic"), opened=opened)
    model = pages_models.models()["clinic_list.html"][0]
    html = render.html("clinic_list.html", Text(), render.frame(Text(), who), model)
    assert ("The operator of the exchange opened" in html) == said
    assert 'href="/break-glass"' not in html, "that page is not for everybody"


def test_a_missing_name_is_an_error_and_not_an_empty_place() -> None:
    model: dict[str, Any] = dict(pages_models.models()["clinic_list.html"][0])
    del model["rows"]
    with pytest.raises(Exception, match="rows"):
        render.html("clinic_list.html", Text(), render.frame(Text(), principal("clinic")), model)
