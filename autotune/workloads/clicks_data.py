"""Makes a backlog of clicks in files, in the order of time: a Spark program that stands alone.

    spark-submit clicks_data.py --rows 300000 --seed 7 --to data/clicks

writes ``TO/clicks``: files of clicks as they arrived, each later than the one before it by its
contents and by its time of modification, which is the order in which a stream reads them. Most
clicks arrive within seconds, one in twenty up to 20 minutes late. A few users click far more than
most, and there is an evening peak. Every value is a hash of the row's number, the seed and the
column, so the same rows come out on any number of cores.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

START_S = 1_772_409_600  # 2026-03-02 00:00:00 UTC
DAY_S = 86_400
LATE_SHARE, LATE_S, USUAL_S = 0.05, 1_200, 8
ROWS_PER_FILE = 10_000
ROWS_PER_USER = 25
PAGES = 400
ORIGINS = ("search", "mail", "direct", "advert", "friend")


def main() -> None:
    """Read the arguments, write the files and put their times in order."""
    parser = argparse.ArgumentParser(description="Make a backlog of clicks.")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=int, help="else one for every 10,000 rows")
    parser.add_argument("--format", choices=("json", "parquet"), default="json")
    options = parser.parse_args()
    files = options.files or max(2, options.rows // ROWS_PER_FILE)
    if options.rows < 1 or files < 1:
        parser.error("--rows and --files must be at least 1")
    spark = SparkSession.builder.appName("autotune clicks data").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    # All columns in one method would be too long for the JVM to compile.
    spark.conf.set("spark.sql.codegen.wholeStage", "false")
    spark.sparkContext.setJobDescription("make clicks")
    table = clicks(spark, options.rows, options.seed, files)
    place = options.to.absolute() / "clicks"
    table.write.mode("overwrite").format(options.format).save(place.as_uri())
    for second, path in enumerate(sorted(place.glob("part-*"))):
        os.utime(path, (START_S + second, START_S + second))
    spark.stop()


def uniform(seed: int, name: str) -> Column:
    """Return a number in [0, 1) that depends on the row, the name and the seed alone."""
    bits = F.xxhash64(F.col("id"), F.lit(name), F.lit(seed))
    return F.shiftrightunsigned(bits, 11) * F.lit(2.0**-53)


def clicks(spark: SparkSession, rows: int, seed: int, files: int) -> DataFrame:
    """Return the clicks of one day in the order of their arrival."""
    share = (F.col("id") + uniform(seed, "arrival")) / rows
    # Slow where many arrive in little time: busiest at ten past seven in the evening.
    arrival = share * DAY_S - 9_000 * F.sin((share - 0.7) * 2 * math.pi) + 8_560
    late = uniform(seed, "late") < LATE_SHARE
    delay = F.when(late, uniform(seed, "delay") * LATE_S).otherwise(
        uniform(seed, "delay") * USUAL_S
    )
    millisecond = F.floor((arrival - delay) * 1_000)
    users = max(10, rows // ROWS_PER_USER)
    user = F.floor(F.pow(uniform(seed, "user"), 3) * users)
    page = F.floor(F.pow(uniform(seed, "page"), 2) * PAGES)
    origin = F.floor(uniform(seed, "origin") * len(ORIGINS)).cast("int") + 1
    known = spark.range(0, rows, 1, files).withColumns(
        {"millisecond": millisecond, "user": user, "page_number": page}
    )
    session = F.concat_ws("-", "user", F.floor(F.col("millisecond") / 1_800_000))
    return known.select(
        F.timestamp_millis(START_S * 1_000 + F.col("millisecond")).alias("clicked_at"),
        "user",
        F.concat(F.lit("/article/"), F.col("page_number")).alias("page"),
        session.alias("session"),
        F.floor(uniform(seed, "stay") * 60_000).alias("stay_ms"),
        F.when(
            uniform(seed, "known") < 0.8, F.element_at(F.array(*map(F.lit, ORIGINS)), origin)
        ).alias("origin"),
    )


if __name__ == "__main__":
    main()
