# One word for each thing one does here; `make help` lists them. The work is in CMakePresets.json
# and scripts/; `cmake --workflow --preset dev` does without make.
JOBS := $(shell nproc)
PREFIX ?= /usr/local
STRESS_SECONDS ?= 600
# ThreadSanitizer cannot map its memory under some kernels' address randomisation: turn it off where we may.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)

.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ## build, then show the library and the tool at work
	@scripts/deps run
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target example_seed weir_tool
	@scripts/run-demo build/release

test: ## build and run every test (a few minutes)
	@scripts/deps test
	$(call preset,release)

check: check-clang check-asan check-tsan check-tidy ## test again: clang, sanitizers, clang-tidy

check-deps:
	@scripts/deps check

check-clang: check-deps
	$(call preset,clang)

check-asan: check-deps
	$(call preset,asan)

check-tsan: check-deps
	$(call preset,tsan)

check-tidy: check-deps
	@echo "== tidy: build"
	@cmake --preset tidy
	@cmake --build --preset tidy -j $(JOBS)

bench: ## measure, beside Go and other libraries (twenty minutes); writes docs/benchmarks
	@scripts/deps bench
	@scripts/bench

stress: ## hammer the library for STRESS_SECONDS (600)
	@scripts/deps test
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target weir_stress
	@build/release/bench/weir_stress --seconds $(STRESS_SECONDS)

long: ## prove what takes minutes: 100 million jobs, a million a policy, rates over 10 s, stops at every lock
	@scripts/deps check
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target pool_pool_memory_test limit_rate_test
	@cmake --preset tsan
	@cmake --build --preset tsan -j $(JOBS) --target pool_pool_conservation_test
	@cmake --preset stops
	@cmake --build --preset stops -j $(JOBS) --target rules
	@scripts/long

mutants: ## change Weir's own code in a hundred wrong ways: do the tests notice? (an hour)
	@scripts/deps test
	@tests/mutants/mutants.py

format: ## rewrite every C++ file in the house style
	@scripts/deps format
	@git ls-files -co --exclude-standard '*.hpp' '*.cpp' | xargs clang-format-16 -i

install: ## build and install under PREFIX (/usr/local)
	@test -n "$(PREFIX)" || { echo "make: PREFIX is empty: name a folder, or leave it out" >&2; exit 2; }
	@scripts/deps run
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target weir weir_tool
	@cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove what was built
	@rm -rf build

# preset(name): configure, build and test one preset, and say so.
define preset
	@echo "== $(1): build"
	@cmake --preset $(1)
	@cmake --build --preset $(1) -j $(JOBS)
	@echo "== $(1): test"
	@$(FIXED_ADDRESSES) ctest --preset $(1)
endef

.PHONY: help run test check check-deps check-clang check-asan check-tsan check-tidy \
        bench stress long mutants format install clean
