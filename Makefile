# make run: few-shot NAS on real images; make test: the whole suite. Both set up .venv first.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: run test check lint

run: .venv/ready
	$(BIN)/python -m experiments.few_shot digits --workdir out/digits

test: .venv/ready lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/experiments --ignore tests/test_readme.py

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/ready: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@
