# Everything a contributor runs. Each target works from a fresh clone; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.docs-installed

# Two processes, one thread each: torch and BLAS on more threads than cores slow each other down.
WORKERS ?= 2
TESTS ?= tests
COHORT ?= build/bench/cohort.csv
SCREEN = $(if $(DISPLAY)$(WAYLAND_DISPLAY),,xvfb-run -a -s "-screen 0 1500x1000x24")

.DEFAULT_GOAL := help
.PHONY: help setup libraries demo pictures test explore check format bench docs follow clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | awk -F '\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

setup: libraries $(INSTALLED)  ## make .venv with the known good versions, and install missing system libraries (Debian)
	@echo "Ready. Try 'make demo', or $(BIN)/ims-tumor --help"

libraries:
	@scripts/system-libraries.sh

$(INSTALLED): pyproject.toml constraints.txt scripts/find-python.sh
	@set -e; if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    python=$$(scripts/find-python.sh); \
	    echo "Making $(VENV) with $$python"; \
	    "$$python" -m venv $(VENV); \
	fi
	@echo "Installing napari-ims-tumor and its tools (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[docs]"
	@touch $@

demo: setup  ## play the whole story on a simulated slide: in a window, or off-screen without a display
	$(BIN)/python -m napari_ims_tumor.demo -o demo-output

pictures: setup  ## take the pictures of the documentation anew, with mouse and keys at a real window
	$(BIN)/python -m napari_ims_tumor.demo --tell -o build/pictures
	mkdir -p docs/images && cp build/pictures/pictures/*.png docs/images/
	$(BIN)/python scripts/sample_picture.py docs/images/sample-truth.png
	$(BIN)/python scripts/report_picture.py docs/images/report.png
	$(SCREEN) $(BIN)/python scripts/regions_picture.py docs/images/regions.png

test: setup  ## run all tests, windows on virtual displays (TESTS=tests/msi for one room)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(TESTS)

explore: setup  ## run all tests with examples that nobody has seen before (TESTS=tests/io for one room)
	IMS_TUMOR_EXAMPLES=explore OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(TESTS)

check: $(INSTALLED)  ## lint, format, types and import floors, in under a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)  ## put the code into its format, and fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) $(COHORT)  ## run the benchmarks against other tools (COHORT=your.csv for your own slides)
	$(BIN)/python benchmarks/reader.py
	$(BIN)/python benchmarks/window.py
	$(BIN)/python benchmarks/classifier.py $(COHORT)

build/bench/cohort.csv: | $(INSTALLED)
	$(BIN)/ims-tumor simulate -o build/bench --slides 2 --rows 48 --columns 64 --channels 2000

docs: $(DOCS_INSTALLED)  ## build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

follow: setup  ## do all that the documentation says, on simulated slides (half an hour)
	$(BIN)/python scripts/follow_docs.py

clean:  ## remove what was built; .venv stays (rm -r .venv to make it anew)
	rm -rf build dist site demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks examples scripts -type d -name __pycache__ -prune -exec rm -rf {} +
