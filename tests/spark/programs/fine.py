"""Count a little, and write where the first argument says, if there is one."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
rows = spark.range(1000).selectExpr("id % 7 as key").groupBy("key").count()
rows.collect()
if len(sys.argv) > 1:
    rows.write.mode("overwrite").parquet(sys.argv[1])
spark.stop()
