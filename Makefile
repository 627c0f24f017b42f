PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo test check quick spark test-old-spark lock clean

demo: $(VENV)/installed
	$(RUN)/autotune doctor
	$(RUN)/autotune tune experiments/taxi.yaml

test: check quick spark

check: $(VENV)/installed
	$(RUN)/ruff format --no-cache --check .
	$(RUN)/ruff check --no-cache .
	$(RUN)/mypy
	$(RUN)/lint-imports

quick: $(VENV)/installed
	$(RUN)/pytest -n 2 -m "not spark and not server and not old_spark"

# Two tests at a time, then those that must be alone; all share archives of class data, made anew.
spark: $(VENV)/installed
	archives=$$(mktemp -d) && trap 'rm -rf "$$archives"' EXIT && export AUTOTUNE_CACHE="$$archives" && \
	  $(RUN)/pytest -n 2 --dist loadfile --durations=20 \
	    -m "(spark or server) and not old_spark and not alone" && \
	  $(RUN)/pytest --durations=20 -m "alone and not old_spark"

# OLD_SPARK_HOME: the folder of another Spark, such as site-packages/pyspark of pyspark 3.5.
test-old-spark: $(VENV)/installed
	OLD_SPARK_HOME="$(OLD_SPARK_HOME)" $(RUN)/pytest -m old_spark

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --require-hashes -r requirements.lock
	$(RUN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The lock is made for every platform and Python that the project supports; needs uv.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --extra test --extra bench --extra postgres \
	  --output-file requirements.lock pyproject.toml requirements-build.in

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
