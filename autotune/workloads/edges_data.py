"""Makes a directed graph in several pieces: a Spark program that stands alone.

    spark-submit edges_data.py --rows 200000 --seed 7 --to data/edges

writes ``TO/edges``: a row a link, ``src`` and ``dst``. Every value is a hash of the row's number,
the seed and the column, so the same rows come out on any number of cores. Most of the vertices
lie in one large piece, the rest in small ones. The k-th vertex of a piece is linked to about as
often as k to the power of (1 - tail) / tail says, as pages of a web are: a few have most of the
links. Links may be there twice, and from a vertex to itself.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
LARGE_SHARE = 0.8
SMALL_PIECE = 12  # vertices in each of the small pieces
# Numbers of vertices are spread by a multiplication modulo this prime, which keeps them distinct.
PRIME, FACTOR = 2**31 - 1, 48_271


def main() -> None:
    """Read the arguments and write the table."""
    parser = argparse.ArgumentParser(description="Make a directed graph in several pieces.")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--degree", type=int, default=6, help="mean number of links of a vertex")
    parser.add_argument("--tail", type=float, default=3.0, help="1: no vertex stands out")
    options = parser.parse_args()
    if options.rows < 1 or options.degree < 1:
        parser.error("--rows and --degree must be at least 1")
    if not options.tail > 0:
        parser.error("--tail must be more than 0")
    spark = SparkSession.builder.appName("autotune edges data").getOrCreate()
    files = max(2, math.ceil(options.rows / ROWS_PER_FILE))
    ids = spark.range(0, options.rows, 1, files)
    vertices = max(10, options.rows // options.degree)
    spark.sparkContext.setJobDescription("make edges")
    table = edges(ids, options.seed, vertices, options.tail)
    table.write.parquet((options.to.absolute() / "edges").as_uri())
    spark.stop()


def uniform(seed: int, name: str, *keys: Column) -> Column:
    """Return a number in [0, 1) that depends on the keys, the name and the seed alone."""
    bits = F.xxhash64(*keys, F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def edges(ids: DataFrame, seed: int, vertices: int, tail: float) -> DataFrame:
    """Return the links; both ends of each lie in one piece."""
    row = F.col("id")
    large = int(vertices * LARGE_SHARE)
    source = F.floor(uniform(seed, "source", row) * vertices)
    piece = F.floor((source - large) / SMALL_PIECE) * SMALL_PIECE + large
    first = F.when(source < large, 0).otherwise(piece)
    size = F.when(source < large, large).otherwise(
        F.least(F.lit(SMALL_PIECE), F.lit(vertices) - first)
    )
    target = first + F.floor(size * F.pow(uniform(seed, "target", row), F.lit(tail)))
    return ids.select(numbered(source).alias("src"), numbered(target).alias("dst"))


def numbered(place: Column) -> Column:
    """Return the number that a vertex goes by: neighbours in a piece are no neighbours in it."""
    return ((place + 1) * FACTOR) % PRIME


if __name__ == "__main__":
    main()
