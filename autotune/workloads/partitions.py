"""Runs one aggregation over ever more partitions: a Spark program that stands alone.

    spark-submit partitions.py --data data/records --output out --partitions 1,2,4,8,16,32

reads the table of ``records_data.py``. Each step hashes the rows into that many partitions, sums
up every user's purchases there and writes how many users bought how much: ``partitions_1``,
``partitions_2`` … A last step, ``partitions_own``, names no number, so that
``spark.sql.shuffle.partitions`` and adaptive execution choose it. All steps give the same answer,
so their times tell what a partition costs, and what too few of them do.
"""

from __future__ import annotations

import argparse

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

OWN = "own"


def main() -> None:
    """Read the arguments and give the same answer in each way, as one named step."""
    parser = argparse.ArgumentParser(description="Run one aggregation over ever more partitions.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--partitions", type=counts, default="1,2,4,8,16,32")
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune partitions").getOrCreate()
    records = spark.read.parquet(f"{options.data}/records")
    ways = {str(count): records.repartition(count, "user") for count in options.partitions}
    for name, table in {**ways, OWN: records}.items():
        spark.sparkContext.setJobDescription(f"partitions_{name}")
        answer = spending(table)
        answer.write.mode("overwrite").parquet(f"{options.output}/partitions_{name}")
    spark.stop()


def counts(text: str) -> list[int]:
    """Return the numbers of a list with commas between them."""
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise ValueError(text)
    return numbers


def spending(records: DataFrame) -> DataFrame:
    """By how often a user bought: users, cents, the dearest purchase and the words written."""
    users = records.groupBy("user").agg(
        F.count("*").alias("purchases"),
        F.sum("amount_cents").alias("cents"),
        F.max("amount_cents").alias("dearest"),
        F.sum(F.length("note")).alias("letters"),
        F.max("moment").alias("last"),
    )
    return users.groupBy("purchases").agg(
        F.count("*").alias("users"),
        F.sum("cents").alias("cents"),
        F.max("dearest").alias("dearest"),
        F.sum("letters").alias("letters"),
        F.max("last").alias("last"),
    )


if __name__ == "__main__":
    main()
