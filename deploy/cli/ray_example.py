"""``trapline ray-example``: how to have a Ray cluster on the machines that one has."""

import click

from deploy.launching.ray_examples import EXAMPLES


@click.command("ray-example")
@click.argument("kind", type=click.Choice(tuple(EXAMPLES)))
def ray_example(kind: str) -> None:
    """Write an example of how to start Ray where machines are known already.

    static: a list of machines and ssh. slurm: inside an allocation. kuberay: in Kubernetes. Each tells
    what of it was tried. To be changed to your names; deploy/launching/RAY.md tells the rest.

    \b
    trapline ray-example static > start-ray.sh
    trapline ray-example slurm > trapline.sbatch
    trapline ray-example kuberay > ray.yaml
    """
    click.echo(EXAMPLES[kind], nl=False)
