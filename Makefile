# `make demo` shows a real meta-analysis; `make check` tells within 90 seconds whether a
# change broke something, `make test` checks everything.
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo check test bench pictures site clean

demo: $(VENV)/ready
	@scripts/demo.sh $(BIN)

check: $(VENV)/ready
	@scripts/check.sh $(BIN)

test: $(VENV)/ready
	@scripts/test.sh $(BIN)

# Writes docs/benchmarks.md; some only: make bench ONLY="clusters slider".
bench: $(VENV)/ready
	@scripts/with-display.sh $(BIN)/python benchmarks/page.py $(ONLY)

pictures: $(VENV)/ready
	@scripts/with-display.sh $(BIN)/python scripts/make_pictures.py

site: $(VENV)/ready
	@scripts/site.sh $(BIN)

# Made again when the dependencies change.
$(VENV)/ready: pyproject.toml scripts/set-up.sh
	@scripts/set-up.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build dist demo.png docs/gallery docs/generated docs/sg_execution_times.rst
