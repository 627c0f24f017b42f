"""Joins and aggregates facts on a key that few values dominate: it stands alone.

    spark-submit skew.py --data data/skew --output out --salt 8 --broadcast no

reads ``DATA/facts`` and ``DATA/dimension`` (see ``skew_data.py``). A shuffle by the key sends all
rows of a hot key to one task, which the others then wait for. That happens in the join alone:
the aggregation adds up by key and user before it shuffles, and shuffles by both, so that a hot
key is many groups on many tasks. Two remedies are arguments: ``--salt N`` spreads every key over
N parts (the dimension is repeated N times for the join, unless it is broadcast; the aggregation
goes in two stages, which only costs there), ``--broadcast yes`` joins without a shuffle of the
facts; with ``no`` it is Spark that chooses. The answers don't depend on either.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F


def main() -> None:
    """Read the arguments and answer both questions as named steps."""
    parser = argparse.ArgumentParser(description="Join and aggregate on a skewed key.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--salt", type=int, default=1, help="parts of every key; 1: no salt")
    parser.add_argument("--broadcast", choices=("yes", "no"), default="no")
    options = parser.parse_args()
    if options.salt < 1:
        parser.error("--salt must be at least 1")
    spark = SparkSession.builder.appName("autotune skew").getOrCreate()
    facts = spark.read.parquet(f"{options.data}/facts")
    dimension = spark.read.parquet(f"{options.data}/dimension")
    answers = {
        "join": fees(joined(facts, dimension, options.salt, options.broadcast == "yes")),
        "aggregation": by_magnitude(keys(facts, options.salt)),
    }
    for name, answer in answers.items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def checksum(*columns: str) -> Column:
    """Return a sum of hashes that is exact, whatever the order of the rows."""
    return F.sum(F.xxhash64(*columns).cast("decimal(38,0)")).alias("checksum")


def part(column: str, parts: int) -> Column:
    """Return the part, from 0, that a row belongs to by the value of a column."""
    return F.pmod(F.xxhash64(column), F.lit(parts)).cast("int")


def joined(facts: DataFrame, dimension: DataFrame, salt: int, broadcast: bool) -> DataFrame:
    """Join the facts with the dimension, part by part where there is salt and a shuffle."""
    on = ["key"]
    if salt > 1 and not broadcast:  # what is broadcast shouldn't be sent N times over
        facts = facts.withColumn("part", part("id", salt))
        parts = F.explode(F.sequence(F.lit(0), F.lit(salt - 1)))
        dimension = dimension.withColumn("part", parts)
        on = ["key", "part"]
    return facts.join(F.broadcast(dimension) if broadcast else dimension, on)


def fees(sales: DataFrame) -> DataFrame:
    """By region, tier and channel: sales, amount and fee in hundredths of a basis point."""
    return sales.groupBy("region", "tier", "channel").agg(
        F.count("*").alias("sales"),
        F.sum("amount_cents").alias("cents"),
        F.sum(F.col("amount_cents") * F.col("fee_bp")).alias("cents_bp"),
        checksum("id", "text"),
    )


def keys(facts: DataFrame, salt: int) -> DataFrame:
    """For every key: sales, amount, the dearest one, distinct users."""
    measures = (
        F.count("*").alias("sales"),
        F.sum("amount_cents").alias("cents"),
        F.max("amount_cents").alias("dearest"),
        F.countDistinct("user").alias("users"),
    )
    if salt == 1:
        return facts.groupBy("key").agg(*measures)
    # A user is in one part of a key only, so that the distinct users of the parts add up.
    parts = facts.groupBy("key", part("user", salt).alias("part")).agg(*measures)
    return parts.groupBy("key").agg(
        *[F.sum(name).alias(name) for name in ("sales", "cents", "users")],
        F.max("dearest").alias("dearest"),
    )


def by_magnitude(keys: DataFrame) -> DataFrame:
    """By the number of digits of a key's sales: keys, sums, and a checksum of all keys."""
    digits = F.length(F.col("sales").cast("string")).alias("digits")
    return keys.groupBy(digits).agg(
        F.count("*").alias("keys"),
        F.sum("sales").alias("sales"),
        F.sum("cents").alias("cents"),
        F.sum("users").alias("users"),
        F.max("dearest").alias("dearest"),
        checksum("key", "sales", "cents", "dearest", "users"),
    )


if __name__ == "__main__":
    main()
