"""Hold so many MiB in the driver's heap at once, as its first argument says."""

import sys

from pyspark.sql import SparkSession

PIECE_BYTES = 16 << 20

spark = SparkSession.builder.getOrCreate()
gateway = spark.sparkContext._gateway
pieces = int(sys.argv[1]) * (1 << 20) // PIECE_BYTES
held = [gateway.jvm.java.nio.ByteBuffer.allocate(PIECE_BYTES) for _ in range(pieces)]
spark.range(10).count()
