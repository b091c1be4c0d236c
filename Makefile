# `make run` and `make test` do all the set-up themselves; repeated, they are ready in a second.
#
#   PYTHON=python3.12      the interpreter to build .venv from (3.11 to 3.13)
#   VIDEO=path             of `make predict`: the video that trained weights are asked about
#   PIP_ARGS="..."         e.g. --extra-index-url https://download.pytorch.org/whl/cpu for torch without CUDA

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
VIDEO ?=
BIN := $(VENV)/bin

# Where nothing compiled may be kept, each of the many processes of the tests compiles the sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run predict test test-all benchmarks fuzz faults load lint types gate clean

run: $(VENV)/ready
	$(BIN)/bench run --models i3d,resnext

# The classes of VIDEO by I3D's RGB stream with trained Kinetics-400 weights (47 MB, fetched once).
predict: $(VENV)/ready
	@test -n "$(VIDEO)" || { echo "make predict: name a video: make predict VIDEO=path/to/video.mp4" >&2; exit 2; }
	$(BIN)/bench weights fetch tfhub-i3d-kinetics-400
	$(BIN)/bench predict i3d-rgb "$(VIDEO)"

test: $(VENV)/ready-dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not benchmark" $(PYTEST_ARGS)

test-all: $(VENV)/ready-dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not benchmark" \
		--hypothesis-profile thorough $(PYTEST_ARGS)

# One at a time. A bar that this machine cannot decide, because it is another one than the bar is for or because
# other programs compute meanwhile, is skipped with its figures; all are listed at the end.
benchmarks: $(VENV)/ready-dev
	$(BIN)/python -m pytest -n 0 -s -m benchmark $(PYTEST_ARGS)

# Every reader of files is given COUNT damaged inputs; failing ones are kept in fuzz-failures/.
#   COUNT=500 SEED=0   inputs of a reader, and the random numbers that they are made of
#   GUIDED=120         seconds of further inputs of each, guided by coverage: Linux alone
fuzz: $(VENV)/ready-dev $(if $(GUIDED),$(VENV)/ready-fuzz)
	$(BIN)/python -m actionbench.tests.fuzz.campaign --count $(or $(COUNT),500) --seed $(or $(SEED),0) \
		--guided $(or $(GUIDED),0)

# Commands are killed, or told to end, at random moments; continued, each has the result of an undisturbed one.
#   COUNT=100 SEED=0   for each command and signal: hours
faults: $(VENV)/ready-dev
	$(BIN)/python -m pytest -n 0 tests/faults
	$(BIN)/python -m actionbench.tests.faults.campaign --count $(or $(COUNT),100) --seed $(or $(SEED),0)

# A day of a camera, and a run of many clips: what `bench live` and `bench run` hold must not grow.
#   HOURS=24 PEOPLE_HOURS=1 CLIPS=20000   of the camera, of it with persons; clips. 0: without
load: $(VENV)/ready-dev
	$(BIN)/python -m actionbench.tests.load.campaign --hours $(or $(HOURS),24) \
		--people-hours $(or $(PEOPLE_HOURS),1) --clips $(or $(CLIPS),20000)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell .

types: $(VENV)/ready-dev
	MYPYPATH=.typing $(BIN)/mypy

# This tree against the commit before it: CPU time of decoding and of TV-L1, in less than four minutes.
# exec: a make that is told to end waits for the gate itself then, and not for a shell around it.
gate: $(VENV)/ready-dev
	exec $(BIN)/bench gate --base git:HEAD^ --packages shared \
		--command 'python "$(CURDIR)/tests/benchmarks/gated_work.py"' \
		--primary decode_cpu --primary flow_cpu --threshold 10% \
		--pair-seconds 12 --pairs 6 --max-pairs 10 --max-minutes 3.5

$(VENV)/ready: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e .
	touch $@

# torchvision lies beside the other packages: the package index has it for CUDA only, and beside a torch without
# CUDA torchmetrics and Lightning, which import it if they find it, could not be imported.
$(VENV)/ready-dev: $(VENV)/ready
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt --no-deps --upgrade \
		--target $(VENV)/torchvision torchvision
	touch $@

$(VENV)/ready-fuzz: $(VENV)/ready-dev
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[fuzz]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
