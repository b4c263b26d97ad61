# Everything below runs in a virtual environment that make builds by itself and keeps up to date: .venv
#
#   make demo      registers a real CT to a simulated fluoroscopy; pictures and scene land in demo-output/
#   make setup     installs the engine and what its tests need, and nothing else
#   make test      style, types, and all tests
#   make lint      style and types alone
#   make screenshots  makes the pictures of the Slicer module again
#   make figures   draws the icon, the figures of the documentation and the README's screenshot again
#   make site      builds the documents as a site in build/site
#   make manifest lists the files that Slicer installs in ProSTRegistration/CMakeLists.txt
#   make repository URL=https://github.com/OWNER/SlicerNAME  writes the repository's address wherever it stands
#   make clean     removes the environment and everything that was generated
#
# PYTHON=python3.12 chooses another interpreter, DEMO_FLAGS=--phantom runs the demo without its download.

PYTHON ?= python3
DEMO_FLAGS ?=

TORCH := torch==2.13.0
BIN := .venv/bin
READY := .venv/.ready
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore

.PHONY: help setup demo test lint figures screenshots site manifest repository clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(READY)

demo: $(READY)
	$(BIN)/prostreg demo --out demo-output $(DEMO_FLAGS)

# One process per core, at most four: each needs up to 2 GB. A file's tests stay together, because they share what is dear to make.
# After ten failures it ends: one fault that lets every test of the panel wait in vain would otherwise take hours.
test: lint
	$(BIN)/python Testing/compile_kernels.py
	$(BIN)/python -m pytest -q --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder --maxfail=10

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

figures: $(READY)
	$(BIN)/python docs/figures/icon.py
	$(BIN)/python docs/figures/conventions.py
	$(BIN)/python docs/figures/simulator.py
	$(BIN)/prostreg demo --out demo-output
	$(BIN)/python docs/figures/screenshot.py demo-output/spine-demo/overlay.png Resources/Screenshots/demo-overlay.png
	$(BIN)/prostreg demo --out demo-output/phantom --phantom
	$(BIN)/python docs/figures/sample_thumbnails.py demo-output ProSTRegistration/Resources/Icons/SampleSpine.png
	$(BIN)/python docs/figures/sample_thumbnails.py demo-output/phantom ProSTRegistration/Resources/Icons/SamplePhantom.png

screenshots: $(READY)
	$(BIN)/python docs/figures/slicer_screenshots.py Resources/Screenshots

site: $(READY)
	@$(BIN)/python -c 'import mkdocs, material, mkdocstrings_handlers.python' 2>/dev/null || $(PIP_INSTALL) --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

manifest:
	$(PYTHON) Testing/Packaging/write_manifest.py

repository:
	$(PYTHON) Testing/Packaging/write_repository.py "$(URL)"

clean:
	rm -rf .venv demo-output build dist ProSTRegistration/*.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first and pinned, so that development and tests see one version of it.
$(READY): pyproject.toml Makefile
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit("$(PYTHON) is Python %d.%d, but 3.10 to 3.13 is needed (slicer-core has no other builds): name one with make PYTHON=/path/to/python3" % v)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || { echo "Making the virtual environment .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing $(TORCH)"
	@$(PIP_INSTALL) "$(TORCH)" || { echo "Installing torch failed; pip's message above says why. It needs the network and, with torch's CUDA build, 8 GB of disk: see docs/troubleshooting.md"; exit 1; }
	@echo "Installing the engine and what its tests and the scene need"
	@$(PIP_INSTALL) --editable ".[scene,test,figures,evaluation,training]" || { echo "Installing failed; pip's message above says why: see docs/troubleshooting.md"; exit 1; }
	@touch $(READY)
