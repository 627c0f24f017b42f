"""Key-value work on RDDs, where objects are serialised: a Spark program that stands alone.

    spark-submit rdd.py --data data/records --output out

reads ``DATA/records`` (see ``records_data.py``). ``reduce_by_key``, ``group_by_key``, ``join`` and
``sort`` handle Python objects, which the JVM sees as pickled bytes; ``distinct`` shuffles rows as
JVM objects, which ``spark.serializer`` writes and reads. Unlike SQL, RDDs take their
number of partitions from ``spark.default.parallelism`` or from what they read, and know no
adaptive execution. The answers depend on none of these.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterable, Iterator

from pyspark import RDD
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

Record = tuple[int, int, int, int, str, str]
"""Of a purchase: id, key, user, amount in cents, category, country."""

COLUMNS = ("id", "key", "user", "amount_cents", "category", "country")
DEAREST = 3
DEAR_CENTS = 100_000
QUANTILES = 1_000


def main() -> None:
    """Read the arguments and answer each question as one named step."""
    parser = argparse.ArgumentParser(description="Key-value work on RDDs.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    spark = SparkSession.builder.appName("autotune rdd").getOrCreate()
    table = spark.read.parquet(f"{options.data}/records")
    steps = {
        "reduce_by_key": totals,
        "group_by_key": dearest,
        "join": shares,
        "sort": quantiles,
        "distinct": distinct_rows,
    }
    for name, step in steps.items():
        spark.sparkContext.setJobDescription(name)
        step(spark, table).write.mode("overwrite").parquet(f"{options.output}/{name}")
    spark.stop()


def purchases(table: DataFrame) -> RDD[Record]:
    """Return the table as Python tuples; what has no amount counts as zero."""
    whole = table.select(*COLUMNS).fillna(0, ["amount_cents"])
    return whole.rdd.map(lambda row: tuple(row))


def totals(spark: SparkSession, table: DataFrame) -> DataFrame:
    """By category and country: purchases and amount; most is added up before the shuffle."""
    pairs = purchases(table).map(lambda row: ((row[4], row[5]), (1, row[3])))
    sums = pairs.reduceByKey(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    rows = sums.map(lambda pair: (*pair[0], *pair[1]))
    return spark.createDataFrame(
        rows, "category string, country string, purchases long, cents long"
    )


def dearest(spark: SparkSession, table: DataFrame) -> DataFrame:
    """For every key: its dearest purchases; all of them are shuffled to find these."""
    groups = purchases(table).map(lambda row: (row[1], (row[3], row[0]))).groupByKey()
    return spark.createDataFrame(
        groups.flatMap(places), "key long, place long, cents long, id long"
    )


def places(group: tuple[int, Iterable[tuple[int, int]]]) -> Iterator[tuple[int, ...]]:
    """Rank the dearest purchases of one key; of equal ones the later is first."""
    for place, (cents, row) in enumerate(heapq.nlargest(DEAREST, group[1])):
        yield group[0], place + 1, cents, row


def shares(spark: SparkSession, table: DataFrame) -> DataFrame:
    """By tenths of what a user spent in all that one dear purchase makes: such purchases."""
    rows = purchases(table)
    spent = rows.map(lambda row: (row[2], row[3])).reduceByKey(lambda a, b: a + b)
    dear = rows.filter(lambda row: row[3] >= DEAR_CENTS).map(lambda row: (row[2], row[3]))
    tenths = dear.join(spent).map(lambda pair: (tenth(*pair[1]), (1, pair[1][0])))
    sums = tenths.reduceByKey(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return spark.createDataFrame(
        sums.map(lambda pair: (pair[0], *pair[1])), "tenth long, purchases long, cents long"
    )


def tenth(cents: int, spent: int) -> int:
    """Return the tenths of all that was spent; 11 where refunds make it more than that."""
    return min(11, 10 * cents // spent) if spent > 0 else 11


def quantiles(spark: SparkSession, table: DataFrame) -> DataFrame:
    """Sort all purchases by amount, and keep a thousand at equal distances."""
    step = max(1, table.count() // QUANTILES)
    pairs = purchases(table).map(lambda row: ((row[3], row[0]), row[4]))
    ranked: RDD[tuple[tuple[tuple[int, int], str], int]] = pairs.sortByKey().zipWithIndex()
    kept = ranked.filter(lambda pair: pair[1] % step == 0)
    rows = kept.map(lambda pair: (pair[1], *pair[0][0], pair[0][1]))
    return spark.createDataFrame(rows, "place long, cents long, id long, category string")


def distinct_rows(spark: SparkSession, table: DataFrame) -> DataFrame:
    """By category: the different pairs of user and country, found among rows as JVM objects."""
    rows = table.select("user", "category", "country")
    # A DataFrame would shuffle its own binary rows; the RDD of Scala shuffles objects.
    distinct = rows._jdf.toJavaRDD().distinct()
    again = spark._jsparkSession.createDataFrame(distinct, rows._jdf.schema())
    return DataFrame(again, spark).groupBy("category").agg(F.count("*").alias("pairs"))


if __name__ == "__main__":
    main()
