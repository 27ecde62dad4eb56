# Every command that CI runs, and the measurements. `just` lists them.

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", home_directory() / ".cache/portcullis/target")
export PORTCULLIS_COMPONENTS := env("PORTCULLIS_COMPONENTS", home_directory() / ".cache/portcullis/components")
tools := home_directory() / ".cache/portcullis/tools"

[private]
default:
    @just --list --unsorted

# Everything that CI runs
ci: fmt deny clippy doc components test fuzz

# Formatting
fmt:
    cargo fmt --all --check

# Lints as errors, tests and benches too
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Licences, sources, and who may depend on what
deny:
    {{ tools }}/bin/cargo-deny --all-features --log-level error check --hide-inclusion-graph bans licenses sources

# API documentation, warnings as errors
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

# The real clients, servers and suites that tests run against
components:
    tests/components/install

# Unit, property and end-to-end tests
test *ARGS:
    cargo build --workspace --locked --bins
    cargo test --workspace --locked {{ ARGS }}

# Fuzz every parser of outside bytes, SECONDS each
fuzz SECONDS="30":
    tests/fuzz/run {{ SECONDS }}

# A hundred kills at each step instead of ten, of the gateway and of everything that keeps containers; a thousand holds at once
soak TIMES="100": components
    cargo build --workspace --locked --bins
    PORTCULLIS_SOAK={{ TIMES }} cargo test -p tests --locked --test e2e -- killed whoever_is_killed a_killed_gateway thousand_calls concurrent_holds --nocapture --test-threads 2

# Records per second beside the disk's own pace, and how fast a trail of ROWS records answers
bench-audit ROWS="100000":
    PORTCULLIS_BENCH_ROWS={{ ROWS }} cargo test -p audit --locked --release --test audit -- --ignored --nocapture --test-threads 1

# Megabytes of answers redacted per second, with 250 kinds and 1,000 live secrets, and the time to redact a message
bench-redact:
    cargo test -p audit --locked --release --lib --test redaction -- --ignored --nocapture --test-threads 1

# What WHAT costs: gateway, sandbox, audit or redact
bench WHAT="gateway" *ARGS:
    just bench-{{ WHAT }} {{ ARGS }}

# Requests per second, latency, CPU and memory, side by side with a bare server
bench-gateway:
    cargo build --workspace --locked --release --bins
    cargo run -p tests --locked --release --bin bench

# Guests, containers, the way out and grants, side by side with what they are made of; needs root
bench-sandbox:
    cargo build --workspace --locked --release --bins
    cargo test --workspace --locked --release --test sandbox --no-run
    cargo run --locked --release --bin bench-sandbox
    cargo run --locked --release --bin bench-egress
    cargo test -p sandbox --locked --lib -- --ignored --nocapture what_an_exit_costs
