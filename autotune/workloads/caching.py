"""Asks one prepared table six questions, kept or not: a Spark program that stands alone.

    spark-submit caching.py --data data/records --output out --storage-level MEMORY_AND_DISK

reads the table of ``records_data.py``, takes the JSON of each row apart and aggregates the result
six times. ``--storage-level`` says where the prepared table is kept after the first step: nowhere
(``NONE``: it is prepared anew each time, but only the columns that are asked for), on the heap
(``MEMORY_ONLY``), serialised once more (``…_SER``), on the disk, twice (``…_2``). What is kept of
a DataFrame are batches of compressed columns at every level; objects against bytes is a matter of
RDDs. At the usual sizes the table fits into Spark's default heap; at L it may not fit into the
smallest heaps of the search space.
"""

from __future__ import annotations

import argparse

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

# Named as in Spark's guide. PySpark's own constants are serialised where Scala's are not.
LEVELS = {
    "NONE": None,
    "MEMORY_ONLY": StorageLevel(False, True, False, True),
    "MEMORY_ONLY_SER": StorageLevel(False, True, False, False),
    "MEMORY_AND_DISK": StorageLevel(True, True, False, True),
    "MEMORY_AND_DISK_SER": StorageLevel(True, True, False, False),
    "MEMORY_AND_DISK_2": StorageLevel(True, True, False, True, 2),
    "DISK_ONLY": StorageLevel(True, False, False, False),
}
PAYLOAD = "session string, agent string, path string, shown_ms long, coupon string"


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Ask one prepared table six questions.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--storage-level", choices=LEVELS, default="MEMORY_AND_DISK")
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune caching").getOrCreate()
    table = prepared(spark.read.parquet(f"{options.data}/records"))
    level = LEVELS[options.storage_level]
    if level is not None:
        table = table.persist(level)
    for name, answer in answers(table).items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def prepared(records: DataFrame) -> DataFrame:
    """Take the JSON apart and add what the questions ask for."""
    parsed = records.withColumn("seen", F.from_json("payload", PAYLOAD)).drop("payload")
    return parsed.select(
        *("id", "user", "amount_cents", "quantity", "category", "country", "note"),
        *("seen.session", "seen.agent", "seen.path", "seen.shown_ms", "seen.coupon"),
        F.regexp_extract("seen.path", r"/(\d+)$", 1).cast("int").alias("product"),
        F.weekofyear("moment").alias("week"),
        F.size(F.split(F.coalesce("note", F.lit("")), " +")).alias("words"),
    )


def sums() -> list[Column]:
    """Return what is asked of every group: purchases, pieces, cents and milliseconds shown."""
    return [
        F.count("*").alias("purchases"),
        F.sum("quantity").alias("pieces"),
        F.sum("amount_cents").alias("cents"),
        F.sum("shown_ms").alias("shown_ms"),
    ]


def answers(table: DataFrame) -> dict[str, DataFrame]:
    """Return the six questions by the names of their steps."""
    mobile = F.col("agent").contains("Mobile").alias("mobile")
    return {
        "products": table.groupBy("product").agg(*sums()),
        "agents": table.groupBy("agent", mobile).agg(*sums(), F.max("session").alias("last")),
        "weeks": table.groupBy("week", "country").agg(*sums()),
        "notes": table.groupBy("category", "words").agg(*sums(), F.max("note").alias("last")),
        "coupons": table.groupBy(F.substring("coupon", 1, 2).alias("begins")).agg(*sums()),
        "dearest": table.orderBy(F.desc("amount_cents"), "id").limit(100),
    }


if __name__ == "__main__":
    main()
