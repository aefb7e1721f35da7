//! `books` says what is missing and how to get it; 2 means that it was not set up.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::process::{Command, Output};

use bonafide_simulator::{Factory, Phone};

const NOW: i64 = 1_795_600_000;

fn books(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_books"))
        .current_dir(directory)
        .args(arguments)
        .env_remove("BOOKS_CONFIG")
        .output()
        .unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty(), "talk goes to stderr");
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (output.status.code(), text)
}

#[test]
fn each_thing_that_is_missing_is_named_with_the_command_that_makes_it() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let (code, text) = told(&books(here, &["search", "x"]));
    assert_eq!(code, Some(2));
    assert!(text.contains("bonafide simulator new phone"), "{text}");

    let factory = Factory::new(NOW).unwrap();
    let phone = Phone::builder("Phone").build(&factory, NOW).unwrap();
    phone.keep_in(&here.join("phone")).unwrap();
    let (code, text) = told(&books(here, &["search", "x"]));
    assert_eq!(code, Some(2));
    assert!(text.contains("books install"), "{text}");

    let (code, text) = told(&books(here, &["install"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("bonafide registration add books.apk"),
        "{text}"
    );
    assert!(here.join("books.apk").exists());

    let (code, text) = told(&books(here, &["search", "x"]));
    assert_eq!(code, Some(2));
    assert!(
        text.contains("bonafide sdk config > phone/books/config.txt"),
        "{text}"
    );

    let (code, text) = told(&books(here, &["--config", "bonafide1:%", "search", "x"]));
    assert_eq!(code, Some(2));
    assert!(text.contains("damaged"), "{text}");
}

#[test]
fn a_second_install_is_an_update_by_the_same_developer() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let factory = Factory::new(NOW).unwrap();
    let phone = Phone::builder("Phone").build(&factory, NOW).unwrap();
    phone.keep_in(&here.join("phone")).unwrap();
    assert!(books(here, &["install"]).status.success());
    assert!(
        books(here, &["install", "--version-code", "2"])
            .status
            .success()
    );
    let other = ["install", "--key", "other.key"];
    let (code, text) = told(&books(here, &other));
    assert_eq!(code, Some(2), "another developer cannot update it: {text}");
}
