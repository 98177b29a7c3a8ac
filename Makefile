# What a person types; `make help` lists it. `make all` and `make test` need Python 3.11 or newer and a C compiler.

PYTHON ?= python3
CORES ?= 4
VENV := .venv
READY := $(VENV)/.ready
CRATE_VENV := .venv-crate
CRATE_READY := $(CRATE_VENV)/.ready
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
PYTEST := $(RUN) pytest --numprocesses=auto
PIP := --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help all advise install test check style types imports plan fast report crate recover lock clean

help:  ## what there is to type; the default
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Other numbers of cores: CORES=2; another Python: PYTHON=python3.12."
	@echo "Commands of the library, once it is installed: python -m moebench"

all: $(READY)  ## measure, tabulate and draw all that config/config.yaml asks for
	@echo "make all: running the workflow; results appear in results/"
	@$(RUN) snakemake --quiet rules host reason --rerun-incomplete --cores $(CORES) all

advise: $(READY)  ## what to choose; measures what is not measured yet
	@$(RUN) snakemake --quiet all --rerun-incomplete --cores $(CORES) advise

install: $(READY)  ## put the locked versions into .venv, and nothing else

test: check  ## every check, also the slow ones
	@echo "make test: slow tests, the whole workflow at smoke size, its report"
	@$(PYTEST) -m slow -rs

check: $(READY)  ## what to run before every commit
	@echo "make check: format, lint, types, imports, plan and fast tests, side by side"
	@$(MAKE) --no-print-directory --jobs fast style types imports plan

style:
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) snakefmt --check Snakefile workflow/Snakefile rules

types:
	@$(RUN) mypy

imports:
	@$(RUN) lint-imports --no-logo

fast:
	@$(PYTEST) -m "not slow" -rs

plan:
	@$(RUN) snakemake --lint
	@$(RUN) snakemake --dry-run --quiet all --cores $(CORES)

report: $(READY)  ## report.html, from finished results
	@echo "make report: writing report.html"
	@mkdir -p results/logs
	@$(RUN) snakemake --report report.html > results/logs/report.log 2>&1 || { \
	  cat results/logs/report.log; exit 1; }
	@! grep WARNING results/logs/report.log

crate: $(CRATE_READY)  ## pack a finished run as an RO-Crate, and check it; the check asks the network
	@echo "make crate: writing the folder crate, then checking it"
	@rm -rf crate
	@PYTHONPATH="$(CURDIR)" $(CRATE_VENV)/bin/python -m moebench.crate results crate
	@$(CRATE_VENV)/bin/rocrate-validator --disable-color validate --no-paging \
	  --profile-identifier provenance-run-crate --requirement-severity required crate

recover: $(READY)  ## the way back after Snakemake was killed; CANCEL=1 ends its Slurm jobs
	@$(RUN) python -m moebench.recover $(if $(CANCEL),--cancel)
	@$(RUN) snakemake --unlock
	@echo "now run the same command as before, with --rerun-incomplete"

lock: $(READY)  ## resolve every version anew, for developers
	@$(RUN) python envs/lock.py
	@$(RUN) python envs/generate.py

clean:  ## remove results and report.html, but not the environment
	rm -rf results .snakemake .source_cache report.html

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12"; exit 1; }
	@command -v $${CC:-cc} > /dev/null || { \
	  echo "error: no C compiler; install one, on Debian: apt-get install gcc"; exit 1; }
	@echo "installing requirements.lock into $(VENV); this happens once and takes some minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) python -m pip install $(PIP) --no-compile --requirement requirements.lock
	@# On all cores, which pip does not do; files for other versions of Python stay as they are.
	@$(RUN) python -m compileall -qq -j 0 $(VENV)/lib || true
	@$(RUN) python -m pip install $(PIP) --no-deps --no-build-isolation --editable .
	@touch $(READY)

$(CRATE_READY): envs/crate.lock
	@echo "installing envs/crate.lock into $(CRATE_VENV); this happens once"
	@$(PYTHON) -m venv $(CRATE_VENV)
	@$(CRATE_VENV)/bin/python -m pip install $(PIP) --requirement envs/crate.lock
	@touch $(CRATE_READY)
