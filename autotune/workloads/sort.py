"""Sorts whole wide rows in three orders: a Spark program that stands alone.

    spark-submit sort.py --data data/records --output out

reads the table of ``records_data.py``. The steps: ``by_amount`` (one number, then another),
``by_text`` (words, many of them missing) and ``by_place_and_time``; ``id`` breaks ties. Each sorts
all columns over all partitions and keeps of the result the number of rows and a checksum: the sum,
over the rows, of a hash of the whole row times its place. Two rows that change places change it.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

CHUNK = 1 << 16  # rows: so many hashes below 2^30, times places below 2^16, add up to a long


def main() -> None:
    """Read the arguments and sort in each order, as one named step."""
    parser = argparse.ArgumentParser(description="Sort wide rows in three orders.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune sort").getOrCreate()
    records = spark.read.parquet(f"{options.data}/records")
    orders: dict[str, list[str | Column]] = {
        "by_amount": [F.desc("amount_cents"), "quantity", "id"],
        "by_text": [F.asc_nulls_last("note"), F.desc("category"), "id"],
        "by_place_and_time": ["country", "moment", "id"],
    }
    for name, order in orders.items():
        spark.sparkContext.setJobDescription(name)
        answer = checksum(records.orderBy(*order))
        answer.write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def checksum(ordered: DataFrame) -> DataFrame:
    """Return the number of rows and the sum of every row's hash times its place.

    A row's place is known only once the rows of all partitions before its own are counted. So
    every chunk of a partition is summed up with places that begin at zero, and then moved by
    the rows before it, times the sum of its hashes.
    """
    # Without what tells a row's partition and place in it, Spark would find the order to be of
    # no consequence and leave the sort out.
    placed = ordered.select("*", F.monotonically_increasing_id().alias("place"))
    every_column = F.crc32(F.concat_ws("|", *[F.col(n).cast("string") for n in ordered.columns]))
    chunks = (
        placed.select(
            F.expr(f"place div {CHUNK}").alias("chunk"),
            (F.col("place") % CHUNK).alias("within"),
            F.shiftright(every_column, 2).alias("hash"),
        )
        .groupBy("chunk")
        .agg(
            F.count("*").alias("rows"),
            F.sum("hash").alias("hashes"),
            F.sum(F.col("hash") * F.col("within")).alias("placed"),
        )
    )
    earlier = Window.orderBy("chunk").rowsBetween(Window.unboundedPreceding, -1)
    moved = chunks.withColumn("before", F.coalesce(F.sum("rows").over(earlier), F.lit(0)))
    total = F.expr("cast(placed as decimal(38,0)) + cast(before as decimal(18,0)) * hashes")
    return moved.agg(
        F.sum("rows").alias("rows"), F.sum(total).cast("decimal(38,0)").alias("checksum")
    )


if __name__ == "__main__":
    main()
