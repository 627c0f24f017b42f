"""Keep Python workers busy, deaf to SIGTERM: in one SQL step for ever, or so many seconds."""

import signal
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 600


def spin(value):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        pass
    return value


spark = SparkSession.builder.getOrCreate()
spark.range(100).count()
spark.range(0, 4, 1, 2).select(udf(spin, "long")("id")).collect()
