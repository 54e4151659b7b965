# make run: few-shot NAS on real images, with controls; make test: the whole suite. Both set up .venv first.
PYTHON ?= python3.11
BIN := .venv/bin
OLDEST := .venv-oldest/bin
FAST := -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/experiments --ignore tests/test_examples.py
# What only tests and options need: torch reads NAS-Bench-201's API file, submitit launches jobs, the rest write and check
# official files.
EXTRAS := torch==2.13.0 nats_bench==1.8 tensorboardX==2.6.5 submitit==1.5.4

.PHONY: run test check check-oldest lint

run: .venv/ready
	$(BIN)/python -m experiments.few_shot digits --workdir out/digits

test: .venv/tested lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/tested lint
	$(BIN)/python -m pytest $(FAST)

check-oldest: .venv-oldest/tested
	$(OLDEST)/python -m pytest $(FAST)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/ready: requirements.txt
	$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt & pip=$$!; seconds=0; \
	trap 'kill $$pip' INT TERM; while kill -0 $$pip 2> /dev/null; do \
		test $$((seconds % 15)) -ne 0 || echo "installing requirements.txt: $$seconds s"; \
		sleep 1; seconds=$$((seconds + 1)); \
	done; wait $$pip
	touch $@

.venv/tested: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check $(EXTRAS)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps analog-nasbench==0.1.3
	touch $@

.venv-oldest/tested: tests/requirements-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	$(OLDEST)/pip install --quiet --disable-pip-version-check --requirement $< $(EXTRAS)
	$(OLDEST)/pip install --quiet --disable-pip-version-check --no-deps analog-nasbench==0.1.3
	touch $@
