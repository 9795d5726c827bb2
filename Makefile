# Finial's commands; `make help` lists them. Needed first: Python >= 3.11, make and the package registry, nothing else.
#
# Options:  DATA= NAME=        what to train on, and the model's name             make train DATA=pictures NAME=cracks
#           ARGS=              passed on                                          make test ARGS="-k decode"
#           MODELS= PORT=      where bundles lie, where the service listens
#           GPU=1              the CUDA build of ONNX Runtime instead of the CPU's
#           OPENVINO=1         the build with OpenVINO: the service computes int8 faster, and the trainer as ever
#           TORCH_INDEX=       a further index of torch wheels, such as PyTorch's own of CPU wheels (much smaller)
#           PYTHON=            the interpreter to make .venv with

MODELS ?= models
PORT ?= 8000
CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

RUNTIMES := onnxruntime onnxruntime-gpu onnxruntime-openvino
RUNTIME := $(if $(filter 1,$(GPU)),onnxruntime-gpu,$(if $(filter 1,$(OPENVINO)),onnxruntime-openvino,onnxruntime))
REQUIREMENTS := $(patsubst %,requirements/%.txt,core train serve $(RUNTIME) remote ray telemetry dev)
CONSTRAINTS := requirements/tested.txt

VENV := .venv
IN_VENV := $(VENV)/bin/python
# One stamp per build of ONNX Runtime: exactly one of them may be installed.
INSTALLED := $(VENV)/.installed-$(RUNTIME)

# The servers of bench.predict bring packages that do not fit beside ours.
PEERS := .venv-peers
PEERS_INSTALLED := $(PEERS)/.installed
PEERS_REQUIREMENTS := $(patsubst %,requirements/%.txt,core onnxruntime bench)
PEERS_CONSTRAINTS := requirements/tested-bench.txt

.PHONY: help demo train serve test quick browser check lint types containers bench venv clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED)  ## the whole road once: sample pictures, training, a served prediction
	@$(IN_VENV) examples/demo.py $(ARGS)

train: $(INSTALLED)  ## train on DATA=folder and publish it as NAME=model (default: the folder's name)
	@test -n "$(DATA)" || { echo 'usage: make train DATA=folder-of-pictures [NAME=model] [ARGS="--folds 5"]' >&2; exit 2; }
	@$(IN_VENV) -m trainer train "$(DATA)" $(if $(NAME),--name "$(NAME)") --models-dir "$(MODELS)" $(ARGS)

serve: $(INSTALLED)  ## serve every model of MODELS=folder on PORT=8000
	@mkdir -p "$(MODELS)"
	@exec $(IN_VENV) -m service --models-dir "$(MODELS)" --port "$(PORT)" $(ARGS)

test: $(INSTALLED)  ## every test but those that need a Docker engine
	$(IN_VENV) -m pytest -rs -m "not container" $(ARGS)

quick: $(INSTALLED)  ## the tests that take moments
	$(IN_VENV) -m pytest -rs -m "not container and not browser and not slow" $(ARGS)

check: lint types test  ## ruff, mypy and the tests: what a change must pass

browser: $(INSTALLED)  ## the try-it page in a real browser; needs Chromium
	FINIAL_REQUIRE_BROWSER=1 $(IN_VENV) -m pytest -rs -m browser $(ARGS)

lint: $(INSTALLED)  ## ruff: format and rules
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m ruff check .

types: $(INSTALLED)  ## mypy
	$(IN_VENV) -m mypy $(addprefix -p ,shared trainer service recipes.nano examples bench)

containers: $(INSTALLED)  ## build both images and run them; needs a Docker engine
	$(IN_VENV) -m pytest -rs -m container $(ARGS)

# Peers are installed only for what asks them.
bench: $(INSTALLED) $(if $(filter predict,$(or $(ARGS),predict)),$(PEERS_INSTALLED))  ## the service against its peers, 20 min; others: ARGS="pool"; their list: ARGS=list
	@$(IN_VENV) -m bench $(filter-out list,$(or $(ARGS),predict))

venv: $(INSTALLED)  ## only make .venv and install into it

clean:  ## remove the demo and what the tools cached; models, cache and .venv* stay
	rm -rf demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(INSTALLED): $(REQUIREMENTS) $(CONSTRAINTS)
	@$(MAKE_VENV)
	@rm -f $(VENV)/.installed-*
	@if ls -d $(foreach other,$(OTHER_RUNTIMES),$(VENV)/lib/python*/site-packages/$(other)-[0-9]*.dist-info) 2>/dev/null \
		| grep -q .; then $(IN_VENV) -m pip uninstall --quiet --yes $(RUNTIMES) 2>/dev/null; fi
	@echo "Installing into $(VENV). PyTorch is large: the first time takes minutes."
	@$(IN_VENV) -m pip install --disable-pip-version-check $(QUIET) $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") \
		$(patsubst %,-r %,$(REQUIREMENTS)) -c $(CONSTRAINTS)
	@touch $@

$(PEERS_INSTALLED): $(PEERS_REQUIREMENTS) $(PEERS_CONSTRAINTS) | $(INSTALLED)
	@$(IN_VENV) -m venv --clear $(PEERS)
	@echo "Installing into $(PEERS)."
	@$(PEERS)/bin/python -m pip install --disable-pip-version-check $(QUIET) \
		$(patsubst %,-r %,$(PEERS_REQUIREMENTS)) -c $(PEERS_CONSTRAINTS)
	@touch $@

OTHER_RUNTIMES = $(subst -,_,$(filter-out $(RUNTIME),$(RUNTIMES)))
QUIET = $$(test -t 1 || echo --quiet)

# Makes .venv with the first suitable interpreter; one that runs already stays.
define MAKE_VENV
$(IN_VENV) -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exit 0; \
for python in $(CANDIDATES); do \
	if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Making $(VENV) with $$("$$python" --version)."; \
		exec "$$python" -m venv --clear $(VENV); \
	fi; \
done; \
echo "Finial needs Python 3.11 or newer with its venv module; none of these is: $(CANDIDATES)." >&2; \
echo "Install one (on Debian: python3 and python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
exit 1
endef
