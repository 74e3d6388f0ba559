"""Pages for people: server-rendered HTML per kind of organization, complete without script.

Reads under the caller's role and publishes through api.events; never writes referral state, never shows a code.
`ROUTES` is their part of the route table, `problem` how they write what went wrong.
"""

from api.pages.front import problem as problem
from api.pages.routes import ROUTES as ROUTES
