"""Makes visits to a shop, each with a label to be predicted: a Spark program that stands alone.

    spark-submit visits_data.py --rows 100000 --seed 7 --to data/visits

writes ``TO/visits``. Every value is a hash of the row's number, the seed and the column, so the
same rows come out on any number of cores. Whether a visitor bought something hangs on the
numbers, the categories and the words searched for, so that a model finds something to learn; a
part of it is chance, so that none finds everything.
"""

from __future__ import annotations

import argparse
import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
START = "2025-03-01 00:00:00"
DAYS = 90

# Category: name, weight, what it adds to the log odds of a purchase.
COUNTRIES = (
    ("de", 30, 0.1),
    ("fr", 18, 0.0),
    ("it", 12, -0.1),
    ("es", 9, -0.2),
    ("pl", 7, 0.2),
    ("nl", 6, 0.4),
    ("be", 5, 0.1),
    ("at", 4, 0.3),
    ("se", 3, 0.2),
    ("pt", 3, -0.3),
    ("dk", 2, 0.3),
    ("ie", 1, 0.0),
)
DEVICES = (("phone", 60, -0.4), ("desktop", 31, 0.5), ("tablet", 9, 0.0))
CHANNELS = (
    ("search", 40, 0.2),
    ("direct", 22, 0.5),
    ("advert", 18, -0.6),
    ("letter", 9, 0.7),
    ("friend", 7, 0.4),
    ("other", 4, -0.2),
)
KINDS = (
    "shoe",
    "coat",
    "lamp",
    "desk",
    "chair",
    "book",
    "phone",
    "bike",
    "tent",
    "knife",
    "watch",
)
# Words that tell how near somebody is to buying, and what they add.
MOODS = (
    ("buy", 6, 0.9),
    ("order", 4, 0.8),
    ("delivery", 5, 0.5),
    ("sale", 8, 0.4),
    ("cheap", 12, 0.1),
    ("new", 14, 0.0),
    ("best", 10, -0.1),
    ("review", 9, -0.4),
    ("repair", 5, -0.7),
    ("free", 7, -0.8),
)


def main() -> None:
    """Read the arguments and write the table."""
    parser = argparse.ArgumentParser(description="Make labelled visits to a shop.")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune visits data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    files = max(2, math.ceil(options.rows / ROWS_PER_FILE))
    ids = spark.range(0, options.rows, 1, files).withColumnRenamed("id", "visit")
    spark.sparkContext.setJobDescription("make visits")
    table = visits(ids, options.seed)
    table.write.parquet((options.to.absolute() / "visits").as_uri())
    spark.stop()


def uniform(seed: int, name: str, *keys: Column) -> Column:
    """Return a number in [0, 1) that depends on the keys, the name and the seed alone."""
    bits = F.xxhash64(*keys, F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def normal(seed: int, name: str, *keys: Column) -> Column:
    """Return a standard normal number (Box-Muller) of the same dependence as :func:`uniform`."""
    radius = F.sqrt(-2.0 * F.log(1.0 - uniform(seed, name + " radius", *keys)))
    return radius * F.cos(2.0 * math.pi * uniform(seed, name + " angle", *keys))


def pick(weights: Sequence[float], share: Column) -> Column:
    """Return the index that a number in [0, 1) falls on when it is drawn by weight."""
    sums = list(accumulate(weights))
    size = 1024
    drawn = [bisect_left(sums, (i + 0.5) / size * sums[-1]) for i in range(size)]
    return at(drawn, F.floor(share * size).cast("int"))


def at(values: Sequence[object], index: Column) -> Column:
    """Return the value at an index."""
    return F.element_at(F.array(*[F.lit(value) for value in values]), index + 1)


def visits(ids: DataFrame, seed: int) -> DataFrame:
    """Return the visits: four numbers with gaps, three categories, the search and the label."""
    row = F.col("visit")

    def drawn(name: str) -> Column:
        return uniform(seed, name, row)

    known = ids.withColumns(
        {
            "country": pick([c[1] for c in COUNTRIES], drawn("country")),
            "device": pick([d[1] for d in DEVICES], drawn("device")),
            "channel": pick([c[1] for c in CHANNELS], drawn("channel")),
            "mood": pick([m[1] for m in MOODS], drawn("mood")),
            "second_mood": pick([m[1] for m in MOODS], drawn("second mood")),
            "kind": F.floor(len(KINDS) * drawn("kind") * drawn("kind")).cast("int"),
            "searched": drawn("searched") < 0.8,
            "age": F.rint(F.greatest(38 + 13 * normal(seed, "age", row), F.lit(18.0))),
            "pages": F.floor(1 - 6 * F.log(1 - drawn("pages"))),
            "seconds": F.rint(F.exp(4.5 + 1.1 * normal(seed, "seconds", row))),
            "basket_cents": F.rint(F.exp(8.3 + 0.9 * normal(seed, "basket", row))),
        }
    )
    odds = 1 / (1 + F.exp(-log_odds()))
    moment = F.unix_timestamp(F.lit(START)) + F.floor(drawn("second") * DAYS * 86400)
    words = (
        at([m[0] for m in MOODS], F.col("mood")),
        at(KINDS, F.col("kind")),
        at([m[0] for m in MOODS], F.col("second_mood")),
    )
    return known.select(
        "visit",
        F.timestamp_seconds(moment).alias("at"),
        at([c[0] for c in COUNTRIES], F.col("country")).alias("country"),
        at([d[0] for d in DEVICES], F.col("device")).alias("device"),
        F.when(drawn("no channel") > 0.03, at([c[0] for c in CHANNELS], F.col("channel"))).alias(
            "channel"
        ),
        F.when(drawn("no age") > 0.15, F.col("age").cast("int")).alias("age"),
        F.col("pages").cast("int").alias("pages"),
        F.when(drawn("no seconds") > 0.05, F.col("seconds").cast("int")).alias("seconds"),
        F.when(drawn("no basket") > 0.3, F.col("basket_cents").cast("long")).alias("basket_cents"),
        F.when(F.col("searched"), F.concat_ws(" ", *words)).alias("search"),
        (drawn("bought") < odds).cast("int").alias("bought"),
    )


def log_odds() -> Column:
    """Return the log odds of a purchase: about a quarter of the visits end in one."""
    added = [
        at([float(c[2]) for c in table], F.col(name))
        for name, table in (("country", COUNTRIES), ("device", DEVICES), ("channel", CHANNELS))
    ]
    mood = [at([m[2] for m in MOODS], F.col(name)) for name in ("mood", "second_mood")]
    numbers = (
        0.02 * (F.col("age") - 38),
        0.08 * (F.col("pages") - 6),
        0.4 * (F.log("seconds") - 4.5),
        -0.3 * (F.log("basket_cents") - 8.3),
    )
    words = F.when(F.col("searched"), mood[0] + mood[1]).otherwise(-0.3)
    return sum((*added, *numbers), F.lit(-1.4)) + words


if __name__ == "__main__":
    main()
