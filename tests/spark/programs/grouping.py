"""Group a small table: mostly scheduling, where many shuffle partitions are not merged."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.read.parquet(sys.argv[1]).groupBy("key").count().collect()
spark.stop()
