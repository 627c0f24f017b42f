"""Group a small table twice: mostly scheduling, where many shuffle partitions are not merged."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
keys = spark.read.parquet(sys.argv[1]).groupBy("key").count()
keys.groupBy("count").agg({"key": "max"}).collect()
spark.stop()
