.DEFAULT_GOAL := demo
.PHONY: demo test check chaos survive soak down format docs

unexport PYTHONDONTWRITEBYTECODE

demo:  ## set up everything needed and run the main job (ARGS="--days 30 …" for options)
	@bash scripts/setup
	@.venv/bin/jishi demo $(ARGS)

test:  ## set up everything needed and pass the tests
	@bash scripts/setup
	@bash scripts/test

chaos:  ## break a platform of its own for about ten minutes; 0 when nothing was lost (ARGS=--report writes the report)
	@bash scripts/setup
	@.venv/bin/python -m chaos $(ARGS)

survive:  ## all that must survive, part by part, in about three hours; an interrupted run goes on (POINTS=all, ONLY="nothing grows" …)
	@bash scripts/setup
	@POINTS="$(POINTS)" ONLY="$(ONLY)" bash scripts/survive

soak:  ## trade for 20 minutes beside hourly runs and see that nothing grows (ARGS="--seconds 14400 --report" …)
	@bash scripts/setup
	@.venv/bin/python -m chaos.soak $(ARGS)

down:  ## stop every process of the platform
	@if [ -x .venv/bin/jishi ]; then .venv/bin/jishi down; else echo "nothing was running"; fi

check:  ## set up everything needed and read the code: formatting, lint, types, import rules, shell, SQL
	@bash scripts/setup
	@bash scripts/check

format:
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
	.venv/bin/sqlfluff fix --quiet dbt

docs:  ## pages that are made from code
	.venv/bin/python -m jishi.contract.page
	.venv/bin/python -m jishi.features.page
	.venv/bin/python -m jishi.contract.schemas
	.venv/bin/python -m ops.retention.page
	.venv/bin/python -m ops.lineage_page
	.venv/bin/python -m ops.monitoring.files
	.venv/bin/python -m serving.clients.types
