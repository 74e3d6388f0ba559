"""Simulated clinics, plans, community organizations and a navigator, who use public doors only.

Comes in: where the exchange is and everybody's own credentials. Goes out: referrals that keep moving. Must never
reach inside: no database, no administrator's login.
"""

from producers.simulator.senders import Site
from producers.simulator.traffic import Traffic

__all__ = ["Site", "Traffic"]
