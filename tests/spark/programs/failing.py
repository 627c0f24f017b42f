"""Fail like a person's own program does."""

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
raise ValueError("the column 'fare' has no numbers")
