# Sets up what each target needs and runs it; repeats fast. `make demo` and `make test` are all that a new machine needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test snapshots test-clusters check bench screenshots format clean

demo: .venv/.run
	$(BIN)/jobtui demo

test: .venv/.dev
	@folder=$$(mktemp -d /tmp/XXXXXX); $(BIN)/python -m pytest -n 3 --basetemp=$$folder/t; code=$$?; rm -rf $$folder; exit $$code

# The kept pictures of the screen, taken anew after a change that was meant: look at what `git diff` says of them.
snapshots: .venv/.dev
	JOBTUI_UPDATE_SNAPSHOTS=1 $(BIN)/python -m pytest -n 2 -q tests/tui/test_screen_snapshots.py
	git status --short tests/tui/snapshots

# Real schedulers, from Debian packages, on loopback: needs root on Debian, and skips with a reason elsewhere. Each file has
# schedulers of its own, so that files can run beside each other; most of their time is waiting. What failed is tried once
# more with fresh schedulers, for the daemons are not ours: both results are shown, and what fails twice has failed.
CLUSTERS := JOBTUI_TEST_CLUSTERS=1 $(BIN)/python -m pytest tests/clusters -ra --durations=8 -n 3 --dist loadfile
test-clusters: .venv/.dev
	@folder=$$(mktemp -d /tmp/XXXXXX); $(CLUSTERS) --basetemp=$$folder/t; code=$$?; \
	  if [ $$code = 1 ]; then $(CLUSTERS) --last-failed --last-failed-no-failures none --basetemp=$$folder/u; code=$$?; fi; \
	  rm -rf $$folder; exit $$code

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: .venv/.dev
	$(BIN)/python -m benchmarks

screenshots: .venv/.dev
	@$(BIN)/python -c 'import cairosvg' 2>/dev/null \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check cairosvg
	$(BIN)/python screenshots/make.py

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "jobtui needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { rm -rf .venv; echo "On Debian this needs: apt-get install python3-venv"; exit 1; }

.venv/.run: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/.run
