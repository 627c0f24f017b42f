"""End well, or fail when it is told to, and leave a JVM whose shutdown never ends."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
lang = spark._jvm.java.lang
queue = spark._jvm.java.util.concurrent.SynchronousQueue()
# Taking from a queue that nobody fills, as something that can be run: a proxy of a method handle.
signature = lang.invoke.MethodType.methodType(lang.Class.forName("java.lang.Object"))
lookup = lang.invoke.MethodHandles.publicLookup()
take = lookup.findVirtual(queue.getClass(), "take", signature).bindTo(queue)
runnable = lang.Class.forName("java.lang.Runnable")
waiting = lang.invoke.MethodHandleProxies.asInterfaceInstance(runnable, take)
lang.Runtime.getRuntime().addShutdownHook(lang.Thread(waiting))
spark.range(10).count()
if sys.argv[1:] == ["failing"]:
    raise ValueError("the column 'fare' has no numbers")
