"""Stand-alone Spark programs and data generators: pyspark and the standard library only."""
