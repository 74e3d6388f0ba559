"""`refex demo`: the embedded exchange with simulated clinics, plans, community organizations and a navigator.

Must never let the simulation reach the exchange by anything but its public doors.
"""

import time
from typing import Any

import click

from cli.exchange import RunningExchange
from cli.up import Options, serve, up_options
from producers.simulator import Site, Traffic

DEFAULT_RATE = 30.0


@click.command(epilog="Example: refex demo --rate 60")
@click.option(
    "--rate",
    type=click.FloatRange(0, 6000),
    default=DEFAULT_RATE,
    show_default=True,
    metavar="PER_MINUTE",
    help="Simulated referrals a minute, after a burst at the start.",
)
@click.option("--seed", type=int, help="Simulate the same people again; default: new ones at each start.")
@up_options
def demo(rate: float, seed: int | None, **asked: Any) -> None:
    """Run the whole exchange with simulated traffic; prints the address and the demo log-ins."""

    async def traffic(exchange: RunningExchange) -> None:
        await simulate(exchange, rate, int(time.time()) % 10_000_000 if seed is None else seed)

    serve(Options(**asked), demo=True, traffic=traffic)


async def simulate(exchange: RunningExchange, rate: float, seed: int) -> None:
    """Simulated traffic on a running exchange, until cancelled."""
    kafka = exchange.services.kafka
    site = Site(
        url=exchange.local_url,
        bootstrap=kafka.bootstrap,
        security_protocol=kafka.security_protocol,
        mechanism=kafka.sasl_mechanism,
    )
    await Traffic(site, exchange.keeping.participants(), rate, seed, exchange.plan.progress).run()
