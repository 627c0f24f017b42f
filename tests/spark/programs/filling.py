"""Fill the folder for temporary files; at most 1 GiB."""

import tempfile
import time

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
with tempfile.NamedTemporaryFile() as file:
    for _ in range(64):
        file.write(b"x" * (16 << 20))
        file.flush()
        time.sleep(0.05)
    time.sleep(600)
