"""Ask the driver's heap for more than it has."""

from pyspark.sql import SparkSession

spark = SparkSession.builder.config("spark.driver.maxResultSize", "0").getOrCreate()
spark.range(0, 40_000, 1, 2).selectExpr("repeat(cast(id as string), 20000) as text").collect()
