"""``fastgd generate``: artificial data sets."""

from __future__ import annotations

from pathlib import Path

import click

from .console import echo
from .file_checks import FileChecking
from .values import TABLE_FILE

KINDS = ("linear", "logistic", "tutorial")


@click.command(cls=FileChecking, short_help="Write an artificial data set.")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("out", type=TABLE_FILE)
@click.option("--rows", type=click.IntRange(min=1), default=10_000, help="Number of rows.")
@click.option("--features", type=click.IntRange(min=1), default=20, help="Number of features.")
@click.option("--noise", type=click.FloatRange(min=0), default=1.0, help="Scale of the noise in the target.")
@click.option("--seed", type=int, default=0, help="Seed of the random numbers.")
def generate(kind: str, out: Path, rows: int, features: int, noise: float, seed: int) -> None:
    """Write an artificial data set of KIND to the file OUT (.csv, .tsv, .parquet, .npy, .npz, .svm, ...)."""
    from fastgd.data.readers.generators import generate as draw
    from fastgd.data.writers.write_table import write

    table = draw(kind, rows, features, noise=noise, seed=seed)
    write(out, table.X, table.y, table.feature_names)
    echo(f"{out}: {table.n_samples:,} rows x {table.n_features} columns and the target {table.target_name}")
