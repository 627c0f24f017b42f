"""Set properties itself, as many programs do: they beat what is asked for from outside."""

from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.config("spark.sql.shuffle.partitions", "3")
    .config("spark.driver.memory", "4g")
    .getOrCreate()
)
spark.range(100).selectExpr("id % 3 as k").groupBy("k").count().collect()
