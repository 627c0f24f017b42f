"""The Spark wing: installation, submission, supervision and event logs."""
