"""Take memory without end: in a Python worker, or in this program itself; at most 3 GiB."""

import sys
import time

from pyspark.sql import SparkSession

PIECE_BYTES = 32 << 20


def hoard(rows=()):
    held = []
    while len(held) * PIECE_BYTES < 3 << 30:
        held.append(b"x" * PIECE_BYTES)
        time.sleep(0.05)
    return rows


spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
if sys.argv[1] == "worker":
    spark.sparkContext.parallelize([1], 1).mapPartitions(hoard).count()
else:
    hoard()
