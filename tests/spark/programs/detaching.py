"""Leave a daemon behind: out of the session, deaf to SIGTERM; its process id goes to a file."""

import os
import signal
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(sys.argv[1]).write_text(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
spark = SparkSession.builder.getOrCreate()
spark.range(10).count()
