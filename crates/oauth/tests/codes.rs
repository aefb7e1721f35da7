//! Every code that the source gives out is on the reference page, and every code of the page is given out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn is_code(text: &str) -> bool {
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.contains('-') && text.chars().all(kebab)
}

/// What stands behind an arrow, outside tests.
fn given_out(source: &str) -> impl Iterator<Item = &str> {
    let program = source.split("#[cfg(test)]").next().unwrap_or_default();
    program
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|text| is_code(text))
}

#[test]
fn the_reference_page_lists_exactly_the_codes_that_are_given_out() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = BTreeSet::new();
    let mut repeated = BTreeSet::new();
    for entry in fs::read_dir(here.join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() == "lib.rs" {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for code in given_out(&source) {
            if !codes.insert(code.to_owned()) {
                repeated.insert(code.to_owned());
            }
        }
    }
    let page = here.join("../../docs/reference/oauth-codes.md");
    let page = fs::read_to_string(page).unwrap();
    let listed: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(codes, listed);
    // AppAuth gives two failures one code and cannot tell them apart. Ours share a code only where they are the same thing,
    // met at two doors: no randomness, and what a server says whether in a body or in a header.
    let same_thing = [
        "demand-repeated",
        "entropy-failed",
        "server-invalid-token",
        "server-use-attestation-challenge",
        "server-use-dpop-nonce",
        "server-use-fresh-attestation",
    ];
    assert_eq!(repeated, same_thing.map(str::to_owned).into());
    assert!(codes.len() > 80);
}
