"""Whether a form comes from a page of ours: what browsers say of themselves, which no script can change.

Comes in: a request that changes something, by a browser. Goes out: nothing, or the 403. Must never take a form that a
browser says came from elsewhere, nor a body that is no form.
Sources: Fetch Metadata (Sec-Fetch-Site); RFC 6454 (Origin); OWASP on cross-site request forgery.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from api.context import context
from api.problems import Problem

OURS = frozenset({"same-origin", "none"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def check(request: Request) -> None:
    """Raise the 403 for what another site sent; who sends neither header is no browser, and holds no cookie."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if (site is not None and site not in OURS) or (origin is not None and not _ours(request, origin)):
        raise Problem("csrf")
    if request.state.door == "page" and not request.headers.get("content-type", "").startswith(FORMS):
        raise Problem("unsupported", "send the page's form")


def _ours(request: Request, origin: str) -> bool:
    """Our public address, or the very host that was asked: a proxy before us may have taken TLS off."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https"):
        return False
    public = urlsplit(context(request).settings.base_url)
    return (parts.scheme, parts.netloc) == (public.scheme, public.netloc) or (
        parts.netloc == request.headers.get("host")
    )
