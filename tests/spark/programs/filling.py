"""Fill Spark's local folders, or a folder that can't grow; at most 1 GiB."""

import os
import sys
import tempfile
import time

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
if sys.argv[1:] == ["full"]:
    os.write(os.open("/dev/full", os.O_WRONLY), b"x")
with tempfile.NamedTemporaryFile() as file:
    for _ in range(64):
        file.write(b"x" * (16 << 20))
        file.flush()
        time.sleep(0.05)
    time.sleep(600)
