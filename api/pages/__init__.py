"""Pages for people: server-rendered HTML per kind of organization, complete without script.

Reads under the caller's role and publishes through api.events; never writes referral state, never shows a code.
"""
