//! The walls of ARCHITECTURE.md, as checks: which crate may know which, which layer may name what, how
//! long a thing may grow. A rule that is not run here is only an opinion.
#![expect(
    clippy::expect_used,
    clippy::string_slice,
    reason = "a test that cannot read the tree has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bonafide_tests::workspace_root;
use syn::spanned::Spanned as _;
use syn::visit::Visit;

/// The permitted arrows between workspace crates (`ARCHITECTURE.md` draws them).
fn permitted() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("bonafide-wire", &[] as &[&str]),
        ("bonafide-evidence", &[]),
        ("bonafide-artifact", &[]),
        ("bonafide-oauth", &[]),
        ("bonafide-provider", &[]),
        ("bonafide-trust", &["bonafide-wire"]),
        (
            "bonafide-sdk",
            &["bonafide-wire", "bonafide-trust", "bonafide-oauth"],
        ),
        (
            "bonafide-simulator",
            &["bonafide-wire", "bonafide-evidence"],
        ),
        (
            "bonafide-server",
            &[
                "bonafide-wire",
                "bonafide-evidence",
                "bonafide-artifact",
                "bonafide-trust",
            ],
        ),
        // A desktop has no attesting hardware, so Books runs on the virtual phone (docs/adr/0006).
        (
            "bonafide-books",
            &[
                "bonafide-sdk",
                "bonafide-oauth",
                "bonafide-simulator",
                "bonafide-wire",
            ],
        ),
        (
            "bonafide",
            &[
                "bonafide-wire",
                "bonafide-evidence",
                "bonafide-artifact",
                "bonafide-trust",
                "bonafide-oauth",
                "bonafide-sdk",
                "bonafide-server",
                "bonafide-simulator",
                "bonafide-books",
                "bonafide-provider",
            ],
        ),
        ("bonafide-tests", &[]),
        ("xtask", &[]),
    ])
}

#[test]
fn arrows_between_crates_point_the_permitted_way() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(workspace_root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata runs");
    let ours: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let permitted = permitted();
    for package in &metadata.packages {
        let allowed = permitted
            .get(package.name.as_str())
            .unwrap_or_else(|| panic!("{} is not on the map; draw its arrows first", package.name));
        for dependency in &package.dependencies {
            let counts = dependency.kind == cargo_metadata::DependencyKind::Normal
                && ours.contains(&dependency.name);
            assert!(
                !counts || allowed.contains(&dependency.name.as_str()),
                "{} must not depend on {}",
                package.name,
                dependency.name
            );
        }
    }
}

/// A pure crate is a function of its arguments: nothing beneath it may do I/O.
#[test]
fn pure_crates_stand_on_nothing_that_does_io() {
    let forbidden = [
        "tokio", "reqwest", "axum", "hyper", "mio", "rusqlite", "socket2",
    ];
    for krate in ["wire", "evidence", "artifact", "trust", "oauth"] {
        let output = std::process::Command::new(env!("CARGO"))
            .args([
                "tree", "--edges", "normal", "--prefix", "none", "--format", "{p}",
            ])
            .args(["--package", &format!("bonafide-{krate}")])
            .current_dir(workspace_root())
            .output()
            .expect("cargo tree runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let tree = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in tree.lines() {
            let name = line.split(' ').next().unwrap_or_default();
            assert!(
                !forbidden.contains(&name),
                "bonafide-{krate} stands on {name}"
            );
        }
    }
}

#[test]
fn layers_of_the_server_do_not_name_each_others_tools() {
    let server = workspace_root().join("crates/server/src");
    for file in rust_files(&server) {
        let inside = file.strip_prefix(&server).expect("below the server");
        let code = code_of(&file);
        if inside.starts_with("app") {
            assert_not_named(
                &file,
                &code,
                &["axum::", "axum_server", "rusqlite", "reqwest::"],
            );
        }
        if !inside.starts_with("store") {
            assert_not_named(&file, &code, &["rusqlite", "SELECT ", "INSERT INTO"]);
        }
        if !inside.starts_with("upstream") {
            assert_not_named(&file, &code, &["reqwest"]);
        }
        if ["store", "keys", "upstream"]
            .iter()
            .any(|layer| inside.starts_with(layer))
        {
            assert_not_named(&file, &code, &["axum::", "crate::http", "crate::app"]);
        }
        // `serve` puts the layers together.
        if !inside.starts_with("http") && inside != Path::new("serve.rs") {
            assert_not_named(&file, &code, &["crate::http"]);
        }
    }
}

fn assert_not_named(file: &Path, code: &str, words: &[&str]) {
    for word in words {
        assert!(!code.contains(word), "{} names {word}", file.display());
    }
}

#[test]
fn no_drawer_for_odds_and_ends() {
    let forbidden = [
        "utils", "util", "helpers", "helper", "common", "misc", "manager", "types", "base",
    ];
    for file in product_files() {
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        assert!(
            !forbidden.contains(&stem),
            "{}: name it by its domain",
            file.display()
        );
    }
}

#[test]
fn every_module_says_what_it_decides() {
    for file in product_files() {
        let text = fs::read_to_string(&file).expect("readable");
        let says = text.starts_with("//!") || text.starts_with("#![doc");
        assert!(says, "{} does not open with //!", file.display());
    }
}

/// Lines of code per file: at most 500. Per function: the 95th percentile of each crate at most 45.
#[test]
fn nothing_outgrows_its_idea() {
    let mut too_long = Vec::new();
    let mut functions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for file in product_files() {
        let code = code_of(&file);
        let lines = code.lines().filter(|line| is_code(line)).count();
        if lines > 500 {
            too_long.push(format!("{}: {lines} lines of code", file.display()));
        }
        let syntax = syn::parse_file(&code).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut lengths = FunctionLengths::default();
        lengths.visit_file(&syntax);
        functions
            .entry(crate_of(&file))
            .or_default()
            .extend(lengths.0);
    }
    for (krate, mut lengths) in functions {
        lengths.sort_unstable();
        let p95 = lengths
            .get(lengths.len().saturating_sub(1) * 95 / 100)
            .copied()
            .unwrap_or(0);
        println!("{krate}: {} functions, p95 {p95} lines", lengths.len());
        if p95 > 45 {
            too_long.push(format!("{krate}: p95 of function length is {p95} lines"));
        }
    }
    assert!(too_long.is_empty(), "over budget:\n{}", too_long.join("\n"));
}

#[derive(Default)]
struct FunctionLengths(Vec<usize>);

impl FunctionLengths {
    fn push(&mut self, span: proc_macro2::Span) {
        self.0.push(span.end().line - span.start().line + 1);
    }
}

impl<'ast> Visit<'ast> for FunctionLengths {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.push(function.span());
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.push(function.span());
        syn::visit::visit_impl_item_fn(self, function);
    }
}

fn crate_of(file: &Path) -> String {
    let root = workspace_root();
    let inside = file.strip_prefix(root).expect("below the root");
    inside
        .components()
        .take(2)
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

fn is_code(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("//")
}

/// The file without its test module, which by custom stands last.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("readable");
    match text.find("\n#[cfg(test)]\nmod ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

fn product_files() -> Vec<PathBuf> {
    let root = workspace_root();
    ["crates", "apps"]
        .iter()
        .flat_map(|dir| fs::read_dir(root.join(dir)).expect("readable"))
        .flat_map(|entry| rust_files(&entry.expect("readable").path().join("src")))
        .filter(|file| !file.components().any(|part| part.as_os_str() == "tests"))
        .filter(|file| file.file_stem().is_some_and(|stem| stem != "tests"))
        .collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
