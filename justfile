# The front door. Anything with an `if` in it is `cargo xtask`.

check:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

fmt:
    cargo fmt --all

test:
    cargo xtask test

demo:
    cargo run --release -- demo

bench:
    cargo xtask bench

fuzz:
    cargo xtask fuzz

deny:
    cargo deny check
