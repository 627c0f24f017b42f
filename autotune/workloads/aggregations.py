"""Aggregates purchases in seven ways: a Spark program that stands alone.

    spark-submit aggregations.py --data data/records --output out

reads the table of ``records_data.py``. The steps: ``few_groups`` (20) and ``many_groups`` (several
for each user, summarised); ``cube`` (each row counted four times); ``distinct_exact`` and
``distinct_approximate``; ``percentiles_exact`` and ``percentiles_approximate``. An approximate
count keeps the largest of some hashes, in whatever order they come; an approximate percentile does
depend on how the rows are split, so of that one it is only told whether it lies where it should.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

PERCENTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ACCURACY = 1000  # of the approximate percentile: ranks are right to a thousandth
TOLERANCE = 0.01
DISTINCT = ("user", "key", "country", "note", "payload")


def main() -> None:
    """Read the arguments and aggregate in each way, as one named step."""
    parser = argparse.ArgumentParser(description="Aggregate purchases in seven ways.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune aggregations").getOrCreate()
    records = spark.read.parquet(f"{options.data}/records")
    answers = {
        "few_groups": records.groupBy("category").agg(*sums()),
        "many_groups": many_groups(records),
        "cube": records.cube("category", "country").agg(F.grouping_id().alias("level"), *sums()),
        "distinct_exact": distinct_exact(records),
        "distinct_approximate": distinct_approximate(records),
        "percentiles_exact": percentiles_exact(records),
        "percentiles_approximate": percentiles_approximate(records),
    }
    for name, answer in answers.items():
        spark.sparkContext.setJobDescription(name)
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def sums() -> list[Column]:
    """Return what is asked of every group; all of it whole numbers."""
    return [
        F.count("*").alias("purchases"),
        F.count("note").alias("notes"),
        F.sum("quantity").alias("pieces"),
        F.sum("amount_cents").alias("cents"),
        F.min("amount_cents").alias("cheapest"),
        F.max("amount_cents").alias("dearest"),
        F.max("moment").alias("last"),
    ]


def many_groups(records: DataFrame) -> DataFrame:
    """By category: how many users bought there how often, from a group for each of them."""
    groups = records.groupBy("user", "category").agg(*sums())
    return groups.groupBy("category", "purchases").agg(
        F.count("*").alias("users"),
        F.sum("cents").alias("cents"),
        F.sum(F.col("dearest") - F.col("cheapest")).alias("spread"),
        F.max("last").alias("last"),
    )


def distinct_exact(records: DataFrame) -> DataFrame:
    """By category: how many different users, keys, countries and notes."""
    return records.groupBy("category").agg(
        *[F.countDistinct(name).alias(name) for name in DISTINCT[:-1]]
    )


def distinct_approximate(records: DataFrame) -> DataFrame:
    """By key: about how many different users, countries, notes and payloads."""
    return records.groupBy("key").agg(
        *[F.approx_count_distinct(name).alias(name) for name in DISTINCT if name != "key"]
    )


def percentiles_exact(records: DataFrame) -> DataFrame:
    """By country: percentiles of the amount, from a count of each amount there is."""
    return records.groupBy("country").agg(percentiles(0).alias("cents"))


def percentiles_approximate(records: DataFrame) -> DataFrame:
    """By category: whether each approximate percentile lies within a hundredth of its rank."""
    guessed = records.groupBy("category").agg(
        F.percentile_approx("amount_cents", list(PERCENTILES), ACCURACY).alias("guess"),
        percentiles(-TOLERANCE).alias("low"),
        percentiles(TOLERANCE).alias("high"),
    )
    each = guessed.select("category", F.explode(F.arrays_zip("guess", "low", "high")).alias("p"))
    near = F.col("p.guess").between(F.floor("p.low"), F.ceil("p.high"))
    return each.groupBy("category").agg(
        F.count("*").alias("asked"), F.sum(near.cast("int")).alias("near")
    )


def percentiles(shift: float) -> Column:
    """Return the exact percentiles of the amount, each moved by so much."""
    return F.percentile("amount_cents", [share + shift for share in PERCENTILES])


if __name__ == "__main__":
    main()
