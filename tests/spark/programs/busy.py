"""Keep Python workers busy: in one SQL step for ever, deaf to SIGTERM."""

import signal
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf


def spin(value):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + 600
    while time.monotonic() < end:
        pass
    return value


spark = SparkSession.builder.getOrCreate()
spark.range(100).count()
spark.range(0, 4, 1, 2).select(udf(spin, "long")("id")).collect()
