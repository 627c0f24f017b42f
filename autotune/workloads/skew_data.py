"""Makes facts of which most fall on few keys, and the dimension of these keys: it stands alone.

    spark-submit skew_data.py --rows 2000000 --seed 7 --hot-share 0.8 --to data/skew

writes ``TO/facts`` and ``TO/dimension``. ``--hot-share`` of the facts belong to ``--hot-keys``
keys, each of which has four times as many as the next, but for the last, which has a third of the
one before it; the others are even. The text of the dimension makes it larger than what Spark
broadcasts by itself (10 MB). Every value is a hash of the row's number, the seed and the column,
so the same rows come out on any number of cores.
"""

from __future__ import annotations

import argparse
import math

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

ROWS_PER_FILE = 250_000
KEYS = 100_000
HOT_KEYS = 4
HOT_SHARE = 0.8
FOUR = math.log(4)
DAYS = 90
START = "2025-01-01 00:00:00"
REGIONS = ("north", "east", "south", "west", "middle", "islands")
CHANNELS = ("shop", "web", "phone", "partner")


def main() -> None:
    """Read the arguments and write both tables."""
    parser = argparse.ArgumentParser(description="Make facts on skewed keys and a dimension.")
    parser.add_argument("--to", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--hot-keys", type=int, default=HOT_KEYS)
    parser.add_argument("--hot-share", type=float, default=HOT_SHARE)
    options = parser.parse_args()
    if options.rows < 1 or not 1 <= options.hot_keys <= options.keys:
        parser.error("--rows and --hot-keys must be at least 1, --keys at least --hot-keys")
    if not 0 <= options.hot_share <= 1:
        parser.error("--hot-share must be between 0 and 1")
    spark = SparkSession.builder.appName("autotune skew data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    key = skewed_key(options.seed, options.keys, options.hot_keys, options.hot_share)
    tables = {
        "facts": facts(spark, options.rows, options.seed, key),
        "dimension": dimension(spark, options.keys, options.seed),
    }
    for name, table in tables.items():
        spark.sparkContext.setJobDescription(f"make {name}")
        table.write.parquet(f"{options.to}/{name}")
    spark.stop()


def drawn(seed: int, name: str, below: int) -> Column:
    """Return a whole number in [0, below) that depends on id, name and seed alone."""
    return F.pmod(F.xxhash64(F.col("id"), F.lit(seed), F.lit(name)), F.lit(below))


def uniform(seed: int, name: str) -> Column:
    """Return a number in [0, 1) of the same dependence as :func:`drawn`."""
    bits = F.xxhash64(F.col("id"), F.lit(seed), F.lit(name))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def one_of(values: tuple[str, ...], index: Column) -> Column:
    """Return the value at an index that counts from zero."""
    return F.element_at(F.array(*map(F.lit, values)), index.cast("int") + 1)


def skewed_key(seed: int, keys: int, hot_keys: int, hot_share: float) -> Column:
    """Return a fact's key; the hot ones lie evenly among the others."""
    # The i-th hot key has a share of 3/4 · (1/4)^i: the logarithm of an even number, base 4. The
    # last one has what is left.
    place = F.floor(-F.log(1.0 - uniform(seed, "place")) / FOUR)
    hot = F.least(place, F.lit(hot_keys - 1)) * (keys // hot_keys)
    return F.when(uniform(seed, "hot") < hot_share, hot).otherwise(drawn(seed, "key", keys))


def facts(spark: SparkSession, rows: int, seed: int, key: Column) -> DataFrame:
    """Return the facts: one row a sale, users without an account have none."""
    second = F.unix_timestamp(F.lit(START)) + drawn(seed, "second", DAYS * 86_400)
    user = F.when(drawn(seed, "guest", 20) > 0, drawn(seed, "user", max(1, rows // 20)))
    return spark.range(0, rows, 1, max(2, math.ceil(rows / ROWS_PER_FILE))).select(
        "id",
        key.alias("key"),
        user.alias("user"),
        F.timestamp_seconds(second).cast("timestamp_ntz").alias("moment"),
        F.floor(500 * F.exp(3 * uniform(seed, "amount"))).cast("long").alias("amount_cents"),
        (1 + drawn(seed, "quantity", 5)).cast("int").alias("quantity"),
        one_of(CHANNELS, drawn(seed, "channel", len(CHANNELS))).alias("channel"),
    )


def dimension(spark: SparkSession, keys: int, seed: int) -> DataFrame:
    """Return one row a key: where it belongs, its fee in basis points, and a text."""
    halves = [F.sha2(F.concat_ws(" ", "id", F.lit(seed), F.lit(half)), 256) for half in "ab"]
    return spark.range(0, keys, 1, 2).select(
        F.col("id").alias("key"),
        one_of(REGIONS, drawn(seed, "region", len(REGIONS))).alias("region"),
        (1 + drawn(seed, "tier", 5)).cast("int").alias("tier"),
        F.when(drawn(seed, "free", 10) > 0, 25 + drawn(seed, "fee", 400)).alias("fee_bp"),
        F.concat(*halves).alias("text"),
    )


if __name__ == "__main__":
    main()
