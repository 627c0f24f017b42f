"""Take several steps, with a pause after each."""

import time

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
for step in range(20):
    spark.range(1000 + step).selectExpr("id % 7 as k").groupBy("k").count().collect()
    time.sleep(1)
