# `make demo` and `make test` set everything up by themselves: they need Python 3.11 or newer with venv, nothing else.
# torch is the one package outside the hash lock, so that pip may pick the build that fits the machine (CPU or CUDA).

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH  := torch==2.13.*

.PHONY: demo test test-slow lint setup lock clean

demo: $(VENV)/.stamp-run
	$(BIN)/openfoley demo --out out

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-slow: $(VENV)/.stamp-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/basedpyright

setup: $(VENV)/.stamp-dev

# Each stamp is written last, so an interrupted set-up starts again.
$(VENV)/.stamp-run: requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.stamp-run

define install
	@test -n "$(PYTHON)" || { echo "OpenFoley needs Python 3.11 or newer; none found (set PYTHON=...)" >&2; exit 1; }
	@echo "Setting up $(VENV) from $(1) (about a minute; once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --no-deps -r $(1)
	@$(PIP) install '$(TORCH)'
	@$(PIP) install --no-deps --no-build-isolation -e .
endef

# For maintainers: needs uv. Universal over platforms and Python versions; torch and what only its CUDA build needs stay out.
lock:
	printf 'torch==2.13.0+cpu\n' > $(VENV)/torch-constraint.txt
	uv pip compile -q pyproject.toml --extra plots --group build -c $(VENV)/torch-constraint.txt --no-emit-package torch --generate-hashes \
		--universal --python-version 3.11 --custom-compile-command "make lock" -o requirements.lock
	uv pip compile -q pyproject.toml --extra plots --extra training --extra gym --group dev -c $(VENV)/torch-constraint.txt -c requirements.lock --no-emit-package torch \
		--generate-hashes --universal --python-version 3.11 --custom-compile-command "make lock" -o requirements-dev.lock

clean:
	rm -rf $(VENV) out
