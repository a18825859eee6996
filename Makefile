.PHONY: check format lint types test fast

check: format lint types test  ## everything a change must pass

format:
	ruff format --check .

lint:
	ruff check .

types:
	mypy

test:
	pytest

fast:  ## without the language model
	pytest -m "not model" -q
