"""Writes one table in every format three times: twice dealt out differently, once changed."""

import sys

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def table(spark: SparkSession) -> DataFrame:
    """Return sums over groups, in the order in which the shuffle happens to give them."""
    number = F.col("id").cast("double")
    rows = spark.range(0, 4000, 1, 7).select(
        (F.col("id") % 37).alias("k"), (number / 7).alias("x"), F.col("id").alias("n")
    )
    sums = rows.groupBy("k").agg(
        F.sum("x").alias("total"),
        F.avg(F.col("x").cast("float")).cast("float").alias("mean"),
        F.sum("n").alias("n"),
        F.sum(F.col("n").cast("decimal(12,2)")).alias("money"),
        F.sum(F.col("x") * F.col("x")).alias("squares"),
    )
    words = F.concat(F.lit('w "é", '), F.col("k").cast("string"), F.lit("\\\nz"))
    return sums.select(
        "*",
        (F.col("k") % 3).alias("part"),
        F.when(F.col("k") % 5 == 0, F.lit("")).when(F.col("k") % 7 > 0, words).alias("word"),
        F.when(F.col("k") % 4 > 0, F.col("total") / 3).alias("maybe"),
        F.when(F.col("k") == 8, F.lit(float("nan"))).otherwise(F.lit(-0.0)).alias("odd"),
        (F.col("k") > 9).alias("flag"),
        F.expr("date'1500-01-01' + cast(k as int)").alias("day"),
        F.expr("timestamp_micros(n * 1000000007)").alias("at"),
    )


def write(rows: DataFrame, out: str) -> None:
    """Write *rows* in every format below *out*."""
    nested = rows.withColumn(
        "inside",
        F.struct(
            F.array("total", "maybe").alias("list"),
            F.create_map(F.lit("n"), "n", F.lit("k"), "k").alias("map"),
        ),
    )
    nested.write.parquet(f"{out}/parquet")
    nested.write.option("compression", "zstd").orc(f"{out}/orc")
    nested.write.json(f"{out}/json")
    rows.write.csv(f"{out}/csv")
    rows.write.option("header", True).option("compression", "gzip").csv(f"{out}/headed")
    rows.write.partitionBy("part", "word").parquet(f"{out}/partitioned")
    rows.select(F.concat_ws(" ", "k", "n", "money")).write.text(f"{out}/text")
    rows.select("k", "n").rdd.map(tuple).saveAsTextFile(f"{out}/lines")


def main() -> None:
    """Write below the folder that is named."""
    spark = SparkSession.builder.appName("every format").getOrCreate()
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    for name, partitions in (("one", "1"), ("five", "5")):
        spark.conf.set("spark.sql.shuffle.partitions", partitions)
        write(table(spark), f"{sys.argv[1]}/{name}")
    changed = F.when(F.col("k") == 11, F.col("n") + 1).otherwise(F.col("n"))
    write(table(spark).withColumn("n", changed), f"{sys.argv[1]}/changed")
    spark.stop()


main()
