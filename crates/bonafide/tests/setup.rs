//! The article's set-up, typed at a shell against a real `bonafide serve`, and what goes wrong on the way.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot start has failed"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const BONAFIDE: &str = env!("CARGO_BIN_EXE_bonafide");
const CANARY: &str = "GOCSPX-canary-4f1c9e";

/// A service in a directory of its own, and a user with a profile.
struct World {
    serve: Child,
    home: tempfile::TempDir,
    admin_url: String,
    device_url: String,
}

impl World {
    /// Serves, logs in.
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let (serve, said) = serve(home.path(), &["--admin-addr", "127.0.0.1:0"]);
        let world = Self {
            serve,
            admin_url: text(&said, "/admin_url"),
            device_url: text(&said, "/device_url"),
            home,
        };
        let login = world.typed(&["login"], &text(&said, "/first_credential"));
        assert!(login.status.success(), "{}", stderr(&login));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The program as this user runs it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BONAFIDE);
        command.args(arguments);
        self.dress(&mut command);
        command
    }

    fn dress(&self, command: &mut Command) {
        let path = Path::new(BONAFIDE).parent().expect("a directory");
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", path.display()))
            .env("BONAFIDE_CONFIG", self.path("config.toml"))
            .env("BONAFIDE_URL", &self.admin_url)
            .current_dir(self.home.path())
            .stdin(Stdio::null());
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it starts")
    }

    /// The program with something on standard input.
    fn typed(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    }

    /// Lines at a shell that has evaluated `bonafide role ROLE`.
    fn shell(&self, role: &str, lines: &str) -> Output {
        let mut command = Command::new("sh");
        self.dress(&mut command);
        let script = format!("set -e\neval \"$(bonafide role {role})\"\n{lines}");
        command.args(["-c", &script]).output().expect("sh starts")
    }

    /// The same, which must succeed; its JSON.
    fn admin_json(&self, line: &str) -> Value {
        let output = self.shell("admin", &format!("bonafide -o json {line}"));
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Stops the service as an operator does, and gives its log.
    fn stop(mut self) -> String {
        let pid = self.serve.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.expect("kill starts").success());
        let status = self.serve.wait().expect("it ends");
        assert!(status.success(), "{status}");
        let mut log = String::new();
        let mut pipe = self.serve.stderr.take().expect("piped");
        pipe.read_to_string(&mut log).expect("text");
        log
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.serve.kill());
        drop(self.serve.wait());
    }
}

/// Starts the service on free ports; it says where as soon as it answers.
fn serve(home: &Path, more: &[&str]) -> (Child, Value) {
    let mut serve = Command::new(BONAFIDE)
        .args(["-o", "json", "serve", "--data"])
        .arg(home.join("data"))
        .args(["--device-addr", "127.0.0.1:0"])
        .args(more)
        .args(["--log-format", "json"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = serve.stdout.take().expect("piped");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("it speaks");
    if line.is_empty() {
        let mut log = String::new();
        let mut pipe = serve.stderr.take().expect("piped");
        pipe.read_to_string(&mut log).expect("text");
        panic!("serve said nothing: {log}");
    }
    let said = serde_json::from_str(&line).expect("one line of JSON");
    (serve, said)
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
        .to_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_articles_set_up_is_typed_line_by_line() {
    let world = World::start();
    std::fs::write(world.path("secret.txt"), CANARY).expect("writable");
    let typed = world.shell(
        "admin",
        "bonafide trust managed-roots on
         bonafide api add oauth2.googleapis.com --no-token
         bonafide api add accounts.google.com --no-token
         bonafide api add www.googleapis.com --no-token
         bonafide policy set rejection-reasons on
         bonafide secret add client_secret --host oauth2.googleapis.com --from-file secret.txt
         bonafide sdk config > config.txt
         bonafide simulator apk books.apk --package com.example.books --version-code 1 --key dev.key
         bonafide registration add books.apk
         bonafide device add AbCdEfGhIjKlMnOpQrStUg --always-pass --for 8h --reason 'as in the article'",
    );
    assert!(typed.status.success(), "{}", stderr(&typed));

    let hosts = world.admin_json("api list");
    assert_eq!(hosts.as_array().expect("a list").len(), 3);
    assert_eq!(world.admin_json("trust managed-roots")["enabled"], true);
    assert_eq!(
        world.admin_json("policy show")["policy"]["rejection_reasons"],
        "on"
    );
    let registered = world.admin_json("registration list");
    assert_eq!(registered[0]["reference"]["package"], "com.example.books");
    let config = std::fs::read_to_string(world.path("config.txt")).expect("written");
    assert!(config.starts_with("bonafide1:"), "{config}");
    let bundle = world.admin_json("trust show");
    assert_eq!(bundle["managed_roots"], "on");
    assert_eq!(bundle["apis"].as_array().expect("a list").len(), 3);
    let overrides = world.admin_json("device list --overrides");
    assert_eq!(overrides[0]["reason"], "as in the article");
    assert_eq!(world.admin_json("audit verify")["intact"], true);
}

#[test]
fn a_secret_is_in_no_output_log_or_file_in_clear() {
    let world = World::start();
    std::fs::write(world.path("secret.txt"), CANARY).expect("writable");
    let lines = "bonafide api add oauth2.googleapis.com --no-token
        bonafide secret add client_secret --host oauth2.googleapis.com --from-file secret.txt
        bonafide secret list
        bonafide -o json secret list
        bonafide audit list --all
        bonafide -o json audit list --all";
    let output = world.shell("admin", lines);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(CANARY));
    let data = world.path("data");
    for entry in std::fs::read_dir(&data).expect("readable").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let found = bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes());
        assert!(!found, "{}", entry.path().display());
    }
    let log = world.stop();
    assert!(!log.contains(CANARY));
}

#[test]
fn an_upstream_is_added_shown_replaced_and_removed() {
    let world = World::start();
    std::fs::write(world.path("secret.txt"), CANARY).expect("writable");
    let secret = "secret add client_secret --host oauth2.example.com --from-file secret.txt";
    world.admin_json(secret);
    let add = "upstream add google --issuer https://as.example --client-id 1234 --rung relay --rung 4 \
        --auth private-key-jwt --redirect-uri https://app.example.com/cb --token-endpoint https://as.example/token";
    let made = world.admin_json(add);
    assert_eq!(
        made["rungs"],
        serde_json::json!(["relay", "minted-assertion"])
    );
    assert_eq!(made["authentication"]["jwk"]["alg"], "ES256");
    let again = world.shell("admin", &format!("bonafide {add}"));
    assert_eq!(again.status.code(), Some(5), "{}", stderr(&again));
    let replaced = world.admin_json(
        "upstream add google --issuer https://as.example --client-id 1234 --rung relay --secret client_secret \
         --redirect-uri https://app.example.com/cb --token-endpoint https://as.example/token --replace",
    );
    assert_eq!(replaced["authentication"]["method"], "client_secret_basic");
    assert_eq!(world.admin_json("upstream show google"), replaced);
    assert_eq!(
        world.admin_json("upstream list"),
        serde_json::json!([replaced])
    );
    // The secret belongs to the upstream now; and a server that nobody reaches is said to be away.
    let removed = world.shell("admin", "bonafide secret remove client_secret --yes");
    assert_eq!(removed.status.code(), Some(5), "{}", stderr(&removed));
    let checked = world.shell("admin", "bonafide upstream check http://127.0.0.1:1");
    assert_eq!(checked.status.code(), Some(1), "{}", stderr(&checked));
    assert!(
        stderr(&checked).contains("upstream-unavailable"),
        "{}",
        stderr(&checked)
    );
    let gone = world.shell("admin", "bonafide upstream remove google --yes");
    assert!(gone.status.success(), "{}", stderr(&gone));
    assert_eq!(world.admin_json("upstream list"), serde_json::json!([]));
}

#[test]
fn each_failure_has_its_exit_code_and_says_what_to_do() {
    let world = World::start();
    std::fs::write(world.path("secret.txt"), CANARY).expect("writable");
    let twice = "bonafide api add a.example --no-token
        bonafide secret add one --host a.example --from-file secret.txt
        bonafide secret add one --host a.example --from-file secret.txt";
    for (role, line, exit, words) in [
        ("viewer", "bonafide api add a.example", 4, "role"),
        ("admin", "bonafide api add A.Example", 2, "lower-case"),
        (
            "admin",
            "bonafide policy set bootloader maybe",
            2,
            "observe",
        ),
        (
            "admin",
            "bonafide policy set boot-loader off",
            2,
            "keys are",
        ),
        ("admin", "bonafide verdict show K7Q2-9MXP", 3, "not-found"),
        (
            "admin",
            "bonafide device add latest --always-pass --for 8h --reason x",
            3,
            "",
        ),
        ("admin", "bonafide --account nobody app list", 3, "account"),
        ("admin", twice, 5, "rotate"),
        ("admin", "bonafide signing-key rotate", 2, "--yes"),
        (
            "admin",
            "bonafide --url http://127.0.0.1:1 app list",
            7,
            "serve",
        ),
        (
            "admin",
            "bonafide --url http://bonafide.example app list",
            2,
            "https",
        ),
        (
            "admin",
            "echo x > no.apk; bonafide registration add no.apk",
            2,
            "",
        ),
    ] {
        let output = world.shell(role, line);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(exit), "{line}: {said}");
        assert!(said.contains("error:") || exit == 2, "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    }
}

#[test]
fn a_change_that_needs_an_admin_asks_for_the_role_first() {
    let world = World::start();
    let output = world.run(&["trust", "managed-roots", "on"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("bonafide role admin"));
    // What needs less opens its own session.
    let output = world.run(&["-o", "json", "app", "list"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_tampered_apk_registers_nothing() {
    let world = World::start();
    let build = "bonafide simulator apk books.apk --package com.example.books --version-code 1 --key dev.key";
    assert!(world.shell("developer", build).status.success());
    let path = world.path("books.apk");
    let mut apk = std::fs::read(&path).expect("readable");
    // Inside the first entry's data.
    apk[60] ^= 1;
    std::fs::write(&path, apk).expect("writable");
    let output = world.shell("developer", "bonafide registration add books.apk");
    assert!(!output.status.success());
    let listed = world.admin_json("registration list");
    assert_eq!(listed, serde_json::json!([]));
}

#[test]
fn the_first_credential_is_shown_once_and_the_service_comes_back() {
    let world = World::start();
    let home = world.home.path().to_owned();
    let kept = world.admin_json("whoami");
    assert_eq!(kept["role"], "admin");
    let kill = Command::new("kill")
        .args(["-TERM", &world.serve.id().to_string()])
        .status();
    assert!(kill.expect("kill starts").success());
    let mut world = world;
    world.serve.wait().expect("it ends");
    let (serve, said) = serve(&home, &["--admin-addr", "127.0.0.1:0"]);
    world.serve = serve;
    world.admin_url = text(&said, "/admin_url");
    assert_eq!(said["first_credential"], Value::Null);
    let again = world.admin_json("whoami");
    assert_eq!(again["name"], kept["name"]);
}

#[test]
fn both_listeners_answer_for_their_health() {
    let world = World::start();
    for url in [&world.admin_url, &world.device_url] {
        for route in ["livez", "readyz"] {
            let address = url.trim_start_matches("http://");
            let mut stream = std::net::TcpStream::connect(address).expect("it listens");
            write!(
                stream,
                "GET /{route} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
            )
            .expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("text");
            assert!(
                answer.starts_with("HTTP/1.1 200"),
                "{url}/{route}: {answer}"
            );
        }
    }
}

#[test]
fn profiles_are_kept_apart_and_forgotten() {
    let world = World::start();
    let profiles = std::fs::read_to_string(world.path("config.toml")).expect("written");
    let stored: toml::Table = profiles.parse().expect("TOML");
    let credential = stored["profiles"]["default"]["credential"]
        .as_str()
        .expect("text");
    let login = world.typed(
        &["--profile", "second", "--account", "default", "login"],
        credential,
    );
    assert!(login.status.success(), "{}", stderr(&login));
    let listed = world.run(&["--profile", "second", "-o", "json", "whoami"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    assert!(
        world
            .run(&["--profile", "second", "logout"])
            .status
            .success()
    );
    let gone = world.run(&["--profile", "second", "whoami"]);
    assert_eq!(gone.status.code(), Some(2), "{}", stderr(&gone));
    assert!(world.run(&["whoami"]).status.success());
    let wrong = world.typed(
        &["--profile", "third", "login"],
        "bfc_0000000000000000_wrong",
    );
    assert_eq!(wrong.status.code(), Some(4), "{}", stderr(&wrong));
}

#[test]
fn an_admin_listener_on_the_network_is_spoken_to_by_tls_only() {
    let home = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let (certificate, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("writable");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("writable");
    let files = [&certificate, &key].map(|path| path.to_str().expect("text"));
    let tls = [
        "--admin-addr",
        "0.0.0.0:0",
        "--tls-cert",
        files[0],
        "--tls-key",
        files[1],
    ];
    let (serve, said) = serve(home.path(), &tls);
    let port = text(&said, "/admin_url").replace("https://0.0.0.0:", "");
    let world = World {
        serve,
        home,
        admin_url: format!("https://localhost:{port}"),
        device_url: text(&said, "/device_url"),
    };
    let credential = text(&said, "/first_credential");
    let unknown = world.typed(&["login"], &credential);
    assert_eq!(unknown.status.code(), Some(7), "{}", stderr(&unknown));
    let login = world.typed(&["login", "--ca", "cert.pem"], &credential);
    assert!(login.status.success(), "{}", stderr(&login));
    assert_eq!(world.admin_json("whoami")["role"], "admin");
}

#[test]
fn completions_and_manual_pages_come_from_the_program() {
    let home = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        Command::new(BONAFIDE)
            .args(arguments)
            .current_dir(home.path())
            .output()
            .expect("it starts")
    };
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]);
        assert!(script.status.success());
        assert!(String::from_utf8_lossy(&script.stdout).contains("registration"));
    }
    assert!(run(&["man", "pages"]).status.success());
    assert!(home.path().join("pages/bonafide-secret-add.1").exists());
}
