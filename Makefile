# `make` alone lists what there is. Written for GNU make 3.81 (macOS) and later; every path is
# relative, so the folder's own path may hold spaces.

PYTHON ?= python3
JOBS ?= auto
BIN := .venv/bin
PY := $(BIN)/python
LESSON := my_course/00_the_whole_machine.ipynb
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb notebooks/*/*.ipynb))

# Kernels are this .venv's, whatever "python3" kernel the user has installed elsewhere.
export JUPYTER_PREFER_ENV_PATH := 1
export JUPYTER_PATH :=

# Threads that wait for each other sleep, where they would otherwise spin. On an idle machine that
# changes little; on one that is busy (a browser beside the kernel, a hub full of students) a
# training step on two cores was 4.5 times faster so.
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help install lab student teacher slides site nbgrader test soak notebooks pictures data ablations bench cuda hashes lint clean

help:  ## this list
	@echo 'Usage: make TARGET [NAME=value]'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  PYTHON=python3.12   the interpreter that .venv is made with (3.11 to 3.13)'
	@echo '  TORCH_INDEX=URL     where to take PyTorch from, such as an index of CPU-only wheels'
	@echo '  LAB_ARGS="..."      more options for JupyterLab, such as --no-browser'
	@echo '  JOBS=2              how many tests run side by side (default: one a core)'
	@echo '  BENCH_ARGS="..."    options of the benchmarks, such as --only bpe, --nanogpt PATH'
	@echo '  CUDA_ARGS="..."     options of `make cuda`, such as --nanogpt PATH'
	@echo '  NOTEBOOKS=a.ipynb   the notebooks that `make notebooks` and `make test` run'
	@echo '  THOROUGH=1          `make test` leaves out only the long tests, as in continuous integration'
	@echo '  PDF=1               `make slides` prints the slides too, by Chromium'

# --- installing -----------------------------------------------------------------------------
# .venv/made-with remembers PYTHON, TORCH_INDEX and the folder. What is not said again stays; where
# one has changed, .venv is made anew: an environment cannot change its Python, pip would keep the
# PyTorch that it has, and scripts would point at the old folder.
made_with = $(shell sed -n $(1)p .venv/made-with 2>/dev/null)
ifneq ($(wildcard .venv/made-with),)
  ifeq ($(origin PYTHON),file)
    PYTHON := $(call made_with,1)
  endif
  ifeq ($(origin TORCH_INDEX),undefined)
    TORCH_INDEX := $(call made_with,2)
  endif
  ifneq ($(call made_with,1) $(call made_with,2) $(call made_with,3),$(PYTHON) $(TORCH_INDEX) $(CURDIR))
    REMAKE := yes
  endif
endif

# PIP_USER=0: some shared machines set `user = true` for pip, which no .venv can follow.
PIP_INSTALL := PIP_USER=0 $(PY) -m pip install --disable-pip-version-check -c constraints.txt

install: .venv/installed  ## make .venv and install everything in it (again only after a change)

.venv/installed: pyproject.toml constraints.txt $(if $(REMAKE),FORCE)
	@$(if $(REMAKE),,test -x $(PY) ||) "$(PYTHON)" -c \
	    'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	    echo 'gptlib needs Python 3.11 to 3.13, and PYTHON=$(PYTHON) is not one.' >&2; \
	    echo 'Name one that you have, for example: make install PYTHON=python3.12' >&2; exit 1; }
	$(if $(REMAKE),@echo 'Making .venv anew: another PYTHON or TORCH_INDEX or folder.'; rm -rf .venv)
	@test -x $(PY) || { echo 'Making .venv with $(PYTHON)' && "$(PYTHON)" -m venv --clear .venv && \
	    printf '%s\n' '$(PYTHON)' '$(TORCH_INDEX)' "$$(pwd -P)" > .venv/made-with; }
	$(if $(TORCH_INDEX),$(PIP_INSTALL) --no-deps --index-url '$(TORCH_INDEX)' torch)
	$(PIP_INSTALL) -e '.[lessons,test]'
	@# JupyterLab asks whether to fetch news, and looks for updates: a class needs neither.
	$(PY) -m jupyterlab.labextensions disable --log-level=ERROR \
	    @jupyterlab/apputils-extension:announcements
	@touch $@

FORCE:

# nbgrader brings extensions that every student would see in JupyterLab, and wait for. So it is in an
# environment inside .venv, which sees what .venv has and is seen by nobody. nbgrader calls alembic
# by its name, which must be the one of this environment.
.venv/nbgrader/installed: .venv/installed
	$(PY) -m venv --clear .venv/nbgrader
	.venv/nbgrader/bin/python tools/see_packages.py "$$($(PY) tools/see_packages.py)"
	PIP_USER=0 .venv/nbgrader/bin/python -m pip install --disable-pip-version-check \
	    -c constraints.txt nbgrader
	PIP_USER=0 .venv/nbgrader/bin/python -m pip install --disable-pip-version-check --quiet \
	    -c constraints.txt --ignore-installed --no-deps alembic
	@touch $@

# --- using ----------------------------------------------------------------------------------
# root_dir lets a student open gptlib/ beside a lesson; default_url opens the lesson, also where
# the address is copied by hand, at a desk of the course's own (not what was open yesterday in
# another project); looking for language servers would only cost time.
lab: install  ## open JupyterLab at the first lesson, in a copy of your own (my_course/)
	@$(PY) tools/student.py my_course --keep
	$(PY) -m jupyterlab --config=notebooks/jupyter_config.py --ServerApp.root_dir=. \
	    --LabApp.default_url=/lab/workspaces/gptlib/tree/$(LESSON) \
	    --LanguageServerManager.autodetect=False \
	    $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

student: install  ## write clean notebooks for a class into build/student/
	$(PY) tools/student.py build/student

teacher: install  ## write the lessons with notes, answers and the clock into build/teacher/
	$(PY) tools/teacher.py build/teacher

slides: install  ## write slides with presenter's notes into build/slides/ (PDF=1: print them too)
	$(PY) tools/slides.py build/slides $(if $(PDF),--pdf)

nbgrader: .venv/nbgrader/installed  ## write the exercises as a course for nbgrader into build/nbgrader/
	$(PY) tools/nbgrader_course.py build/nbgrader

# GPTLIB_REPOSITORY=https://github.com/OWNER/NAME adds the links out of it, to Colab and Binder.
site: install  ## build the course as web pages into build/site/
	OMP_NUM_THREADS=1 $(PY) tools/make_site.py build/site

# One thread a worker: the workers already fill the cores. loadfile keeps a notebook's cells
# together and in order.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist loadfile

# What the course's own answers are told is nobody's answer.
test soak notebooks bench: export GPTLIB_ANSWERS := off
test soak: export GPTLIB_NBGRADER := $(CURDIR)/.venv/nbgrader/bin/python

# Twelve minutes on two cores, or with THOROUGH=1 all that CI runs: the site, grading, Firefox, what
# is marked `thorough`, and the notebooks of Deeper and of the solutions.
MARKS := not soak$(if $(THOROUGH),, and not thorough)
TESTED := $(if $(THOROUGH)$(filter-out file,$(origin NOTEBOOKS)),$(NOTEBOOKS),$(sort $(wildcard notebooks/*.ipynb)))

test: install $(if $(THOROUGH),.venv/nbgrader/installed)  ## run the tests, then the lessons against their outputs (THOROUGH=1: all)
	$(PYTEST) -m '$(MARKS)'
	$(PYTEST) --nbval --nbval-current-env $(TESTED)
	@$(PY) tests/browser.py

# One after the other, so that what is timed and killed there has the machine for itself.
soak: install .venv/nbgrader/installed  ## run the long tests: kills, crashes, long runs; into benchmarks/RESULTS.md
	OMP_NUM_THREADS=1 $(PY) -m pytest tests -m soak --soak-results

# No widget state, no cell timings, and no trace of which Python ran it.
notebooks: install  ## execute every notebook in place, leaving no widget state
	$(PY) -m nbconvert --to notebook --inplace --execute \
	    --ExecutePreprocessor.store_widget_state=False \
	    --ExecutePreprocessor.record_timing=False \
	    --ClearMetadataPreprocessor.enabled=True \
	    --ClearMetadataPreprocessor.clear_cell_metadata=False \
	    --ClearMetadataPreprocessor.preserve_nb_metadata_mask='{"kernelspec", ("language_info", "name")}' \
	    $(NOTEBOOKS)

pictures: install  ## cut README's pictures out of the executed lessons
	$(PY) notebooks/images/make.py

data: install  ## make every file of data/ again, from its seed
	$(PY) data/make.py

ablations: install  ## measure every "break it" again (data/ablations.json, about half an hour)
	$(PY) -m benchmarks.ablations

bench: install  ## measure gptlib beside its peers, into benchmarks/RESULTS.md
	env -u OMP_WAIT_POLICY $(PY) -m benchmarks $(BENCH_ARGS)

# With the PyTorch that is there: an install would replace it by the one for which the outputs were
# made, which may have no CUDA.
cuda:  ## with a CUDA card: its tests, every notebook, its benchmarks; one table, under 8 minutes
	@$(if $(wildcard $(PY)),$(PY),$(PYTHON)) tools/cuda.py $(CUDA_ARGS)

# uv finds the packages for every system and Python at once. What is not in constraints.txt are the
# CUDA packages of one build of PyTorch.
hashes: install  ## write requirements-server.txt: what a server installs, with SHA-256
	$(PIP_INSTALL) --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra lessons --constraints constraints.txt --universal \
	    --generate-hashes --no-header --no-annotate --quiet --output-file .venv/all-hashes.txt
	{ sed '/^#/!d' requirements-server.txt; awk -F '==' 'NR == FNR { known[$$1]; next } \
	    /^[a-z]/ { keep = $$1 in known && $$1 != "torch" } keep' constraints.txt .venv/all-hashes.txt; \
	    } > .venv/requirements-server.txt && mv .venv/requirements-server.txt requirements-server.txt

lint: install  ## check style with ruff, and the core's types with mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean:  ## remove .venv, caches and build files (runs/ stays: it may hold trained models)
	rm -rf .venv build dist artifacts .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
