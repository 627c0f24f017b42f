"""A short tour of Spark SQL, whose classes become the class-data-sharing archive.

    spark-submit warmup.py FOLDER

Standard parts that most jobs load: session, Parquet in and out, CSV, expressions, aggregation,
joins of both kinds, windows, sorting, caching, an RDD and a Python function.
"""

import sys

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as f
from pyspark.sql.types import LongType


def main(folder: str) -> None:
    """Read, write and compute a little of everything below *folder*."""
    spark = SparkSession.builder.getOrCreate()
    rows = spark.range(0, 2000, 1, 2).select(
        "id",
        (f.col("id") % 7).alias("key"),
        f.col("id").cast("string").alias("text"),
        (f.col("id") * 0.5).alias("number"),
        f.expr("timestamp_seconds(id * 3600)").alias("moment"),
        f.expr("cast(id as decimal(12, 2))").alias("amount"),
    )
    rows.write.mode("overwrite").partitionBy("key").parquet(f"{folder}/table")
    table = spark.read.parquet(f"{folder}/table")
    table.createOrReplaceTempView("rows")
    table.limit(50).write.mode("overwrite").option("header", True).csv(f"{folder}/csv")
    spark.read.option("header", True).csv(f"{folder}/csv").count()
    grouped = spark.sql(
        "select a.key, count(*) n, count(distinct b.text) texts, sum(a.number) total,"
        " avg(a.amount) mean, max(hour(b.moment)) latest from rows a join rows b on a.id = b.id"
        " where a.id > 3 and b.text like '%1%' group by a.key having n > 1 order by total desc"
    )
    grouped.collect()
    spark.sql(
        "select /*+ merge(b) */ a.key, substr(b.text, 1, 2) head, count(*) n from rows a"
        " left join rows b on a.id = b.id group by 1, 2 order by n desc limit 10"
    ).collect()
    ranked = table.withColumn(
        "rank", f.row_number().over(Window.partitionBy("key").orderBy("number"))
    )
    ranked.cache().filter("rank < 3").count()
    double = f.udf(lambda value: value * 2, LongType())
    table.select(double("id")).agg({"*": "count"}).collect()
    spark.sparkContext.parallelize(range(100), 2).map(lambda n: (n % 3, n)).reduceByKey(
        lambda a, b: a + b
    ).collect()
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
