"""Makes ratings of films by people: a Spark program that stands alone.

    spark-submit ratings_data.py --rows 300000 --seed 7 --to data/ratings

writes ``TO/ratings``: user, item, stars (0.5 to 5) and the moment. Every value is a hash of the
row's number, the seed and the column, so the same rows come out on any number of cores. A few
films and a few people have most of the ratings; now and then somebody rates a film again. Stars
come from a hidden taste of each person and nature of each film, which a factorisation can find,
and from chance, which it can't.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
START = "2023-01-01 00:00:00"
DAYS = 700
TRAITS = 3
CHANCE = 0.51  # standard deviation of what no model can know, in stars


def main() -> None:
    """Read the arguments and write the table."""
    parser = argparse.ArgumentParser(description="Make ratings of films by people.")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--per-user", type=int, default=60, help="mean number of ratings")
    parser.add_argument("--per-item", type=int, default=150, help="mean number of ratings")
    options = parser.parse_args()
    if options.rows < 1 or options.per_user < 1 or options.per_item < 1:
        parser.error("--rows, --per-user and --per-item must be at least 1")
    spark = SparkSession.builder.appName("autotune ratings data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    files = max(2, math.ceil(options.rows / ROWS_PER_FILE))
    ids = spark.range(0, options.rows, 1, files)
    users = max(2, options.rows // options.per_user)
    items = max(2, options.rows // options.per_item)
    spark.sparkContext.setJobDescription("make ratings")
    table = ratings(ids, options.seed, users, items)
    table.write.parquet((options.to.absolute() / "ratings").as_uri())
    spark.stop()


def uniform(seed: int, name: str, *keys: Column) -> Column:
    """Return a number in [0, 1) that depends on the keys, the name and the seed alone."""
    bits = F.xxhash64(*keys, F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def normal(seed: int, name: str, *keys: Column) -> Column:
    """Return a standard normal number (Box-Muller) of the same dependence as :func:`uniform`."""
    radius = F.sqrt(-2.0 * F.log(1.0 - uniform(seed, name + " radius", *keys)))
    return radius * F.cos(2.0 * math.pi * uniform(seed, name + " angle", *keys))


def ratings(ids: DataFrame, seed: int, users: int, items: int) -> DataFrame:
    """Return the ratings; the share of the k-th person or film falls with a power of k."""
    row = F.col("id")
    who = ids.withColumns(
        {
            "user": F.floor(users * F.pow(uniform(seed, "user", row), F.lit(1.5))).cast("int") + 1,
            "item": F.floor(items * F.pow(uniform(seed, "item", row), F.lit(2.5))).cast("int") + 1,
        }
    )
    user, item = F.col("user"), F.col("item")
    liking = [
        normal(seed, f"taste {i}", user) * normal(seed, f"nature {i}", item) for i in range(TRAITS)
    ]
    kindness = 0.3 * normal(seed, "kindness", user) + 0.4 * normal(seed, "quality", item)
    known = 3.3 + kindness + 0.45 * sum(liking[1:], liking[0])
    stars = F.rint(2 * (known + CHANCE * normal(seed, "chance", row))) / 2
    moment = F.unix_timestamp(F.lit(START)) + F.floor(uniform(seed, "moment", row) * DAYS * 86400)
    return who.select(
        "user",
        "item",
        F.greatest(F.least(stars, F.lit(5.0)), F.lit(0.5)).cast("float").alias("stars"),
        F.timestamp_seconds(moment).alias("rated_at"),
    )


if __name__ == "__main__":
    main()
