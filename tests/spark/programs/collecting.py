"""Bring six MiB to the driver that can't be compressed."""

import os

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.sparkContext.parallelize(range(6), 2).map(lambda _: os.urandom(1 << 20)).collect()
