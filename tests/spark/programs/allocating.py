"""Collect more than the driver has room for: in its heap, or as its first argument limits it."""

import sys

from pyspark.sql import SparkSession

most = sys.argv[1] if len(sys.argv) > 1 else "0"
spark = SparkSession.builder.config("spark.driver.maxResultSize", most).getOrCreate()
spark.range(0, 40_000, 1, 2).selectExpr("repeat(cast(id as string), 20000) as text").collect()
