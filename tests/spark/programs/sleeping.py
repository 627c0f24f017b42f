"""Never end."""

import time

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
time.sleep(600)
