# Needs git, make and Python >= 3.11; everything else is installed, locked, under .shoplake/.
PYTHON ?= python3
DATA ?=
BREAK ?=
LIVE ?=
BI ?=
LAKE := .shoplake/env/lake/bin
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help install demo down clean test test-all kill check lab docs lock

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: ## Install what is needed (also the first step of demo, test and check); LIVE=1 for live sources, BI=1 for dashboards too
	@$(PYTHON) infra/bootstrap.py $(if $(LIVE),--live) $(if $(BI),--bi)

demo: install ## See the lake at work; BREAK=1: a bad day, LIVE=1: from live systems, BI=1: dashboards, DATA=complete-journey: data simulated from real sales
	@$(LAKE)/shoplake demo $(if $(DATA),--data $(DATA)) $(if $(BREAK),--break) $(if $(LIVE),--live) $(if $(BI),--bi)

down: ## Stop what the demo started, and only that
	@if [ -x $(LAKE)/shoplake ]; then $(LAKE)/shoplake down; else echo "Nothing is installed here, so nothing runs."; fi

clean: down ## Forget everything: data, models, secrets, logs, environments
	@rm -rf .shoplake && echo "Forgotten: .shoplake/ is gone."

test: install ## Run the tests
	@$(LAKE)/pytest

test-all: install ## Run the tests, slow ones (kills, benchmarks, soaks) included
	@$(LAKE)/pytest -m ''

kill: install ## Kill runs, the engine and Airflow at random moments; SEED=7 KILLS=20
	@SEED=$(or $(SEED),1) KILLS=$(or $(KILLS),20) $(LAKE)/pytest -m slow -s tests/kit/test_kill.py

check: install ## Lint, format, types, import rules, contracts, and whether changed ones break readers
	@$(LAKE)/ruff check
	@$(LAKE)/ruff format --check
	@$(LAKE)/mypy jobs
	@if grep -q importlinter pyproject.toml; then $(LAKE)/lint-imports; fi
	@$(LAKE)/shoplake contract lint
	@$(LAKE)/shoplake contract diff

lab: install ## Open the notebooks in JupyterLab (the first time it is installed)
	@$(PYTHON) infra/bootstrap.py --lab
	@$(LAKE)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

docs: install ## Make the docs as a site, in .shoplake/site
	@$(LAKE)/sphinx-build -q -W --keep-going docs .shoplake/site && echo "Made: .shoplake/site/index.html"

lock: install ## Renew uv.lock after a change of pyproject.toml
	@.shoplake/bin/uv lock
