"""`refex asyncapi`: the AsyncAPI 3.0 document of the topics on stdout, from topics.yaml and the schemas."""

import click

from avro_schemas.asyncapi import document


@click.command(epilog="Example: refex asyncapi > asyncapi.yaml")
def asyncapi() -> None:
    """Print the AsyncAPI document."""
    click.echo(document(), nl=False)
