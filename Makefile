# Every target sets up what it needs. On a fresh machine: python3 >= 3.11 and make; cargo if there is one.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .tools/bin/uv
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := .tools/bin/cargo-fuzz
PYTHON := .venv/bin/python
LEAF := packages/ron-kms-native
CRATES := bench/rivals/axum tests/interop/envelopes $(LEAF)
# The leaf is for these two processors.
HAS_CARGO := $(if $(filter x86_64 aarch64,$(shell uname -m)),$(shell command -v cargo))

export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system
export UV_PROJECT_ENVIRONMENT := .venv
export MATURIN_NO_INSTALL_RUST := 1

.PHONY: help serve test check format smoke bench bench-native fuzz fuzz-native campaign-restart campaign-rotation campaign-native campaign-ifma clean

help: ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# uv comes from PyPI into .tools; the workspace goes into .venv as uv.lock says, with the leaf in Rust where cargo is.
$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python3 >= 3.11 is needed")'
	@python3 -m venv .tools || { scripts/need.sh python3-venv; python3 -m venv --clear .tools; }
	@.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

LEAF_SOURCES := $(if $(HAS_CARGO),$(shell find $(LEAF)/src $(LEAF)/Cargo.* $(LEAF)/.cargo -type f))

.venv/.synced: $(UV) uv.lock pyproject.toml $(wildcard packages/*/pyproject.toml) $(LEAF_SOURCES)
	@$(UV) sync --locked --quiet --python "$$(command -v python3)" $(if $(HAS_CARGO),--group native)
	@touch $@

serve: .venv/.synced ## run the service in the development profile, and say what to try
	@.venv/bin/passport serve --dev

test: .venv/.synced ## every test
	@scripts/need.sh curl redis-server
	.venv/bin/pytest

check: .venv/.synced ## format, lint, strict types, import contracts; Rust too, where cargo is
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache > .tools/imports.log || { cat .tools/imports.log; exit 1; }
ifneq ($(HAS_CARGO),)
	@.venv/bin/stubtest ron_kms_native --concise --allowlist <(echo ron_kms_native.ron_kms_native) > .tools/stubs.log || { cat .tools/stubs.log; exit 1; }
	@for crate in $(CRATES); do (cd $$crate && set -x && \
		cargo fmt --check && \
		cargo clippy --locked --all-targets --all-features --quiet -- -D warnings -W clippy::pedantic && \
		cargo test --locked --quiet) || exit 1; done
else
	@echo "no cargo here: the Rust programs of benchmark and interop test are not checked"
endif

format: .venv/.synced ## put the code into its form
	.venv/bin/ruff format --quiet .
	.venv/bin/ruff check --quiet --fix .

smoke: .venv/.synced ## every route of a running service, from outside (PASSPORT_URL: of that one)
	@scripts/need.sh curl
	@scripts/smoke_passport.sh

bench: .venv/.synced ## what it costs, beside a bare ASGI app and a Rust service; about ten minutes
	@scripts/need.sh wrk util-linux
	$(PYTHON) -m bench

bench-native: .venv/.synced ## the engine in Rust beside dalek, zebra, AWS-LC, cryptography and PyNaCl, on one core; a few minutes
	@scripts/need.sh util-linux cmake
	$(PYTHON) scripts/bench_native.py

campaign-native: .venv/.synced ## ten million signatures and a million forgeries beside dalek and libsodium; docs/campaigns/native.md
	@scripts/need.sh libsodium-dev
	$(PYTHON) scripts/campaign_native.py

fuzz: .venv/.synced ## ten minutes of bytes that somebody might send as an envelope; docs/campaigns/envelope-fuzz.md
	$(UV) run --quiet --locked --group fuzz python scripts/fuzz_envelopes.py --seconds 600

$(CARGO_FUZZ):
	cargo install --quiet --locked --root .tools --version $(CARGO_FUZZ_VERSION) cargo-fuzz

fuzz-native: .venv/.synced $(CARGO_FUZZ) ## 25 minutes of items that somebody might ask the native engine about; docs/campaigns/native-fuzz.md
	PATH="$(CURDIR)/.tools/bin:$$PATH" $(PYTHON) scripts/fuzz_native.py

campaign-ifma: .venv/.synced ## the AVX-512 kernel on an emulated Ice Lake, where no real one is; docs/campaigns/ifma.md
	@scripts/need.sh bochs bochsbios vgabios busybox-static cpio isolinux syslinux-common xorriso
	$(PYTHON) scripts/campaign_ifma.py

campaign-restart: .venv/.synced ## kill -9 in a stream of rotations, 50 times; docs/campaigns/restart.md
	$(PYTHON) scripts/campaign_restart.py

campaign-rotation: .venv/.synced ## rotations every 50 ms under load, two minutes; docs/campaigns/rotation.md
	$(PYTHON) scripts/campaign_rotation.py

clean: ## away with everything that was made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dist $(CRATES:%=%/target) $(LEAF)/bench/target
