//! A phone kills an app while the browser is in front. Each step of a login runs in a process of its own, which is killed
//! (`SIGKILL`) as soon as it has sealed where it stands; the next process goes on from the file.
//!
//! The processes are this test program, told by its environment to be one.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bonafide_oauth::entropy::SystemEntropy;
use bonafide_oauth::seal::{Record, SealKey};
use bonafide_oauth::{Authorized, PendingAuthorization, Tokens};

use crate::clients::{bound, pushed};
use crate::native_host::Key;
use crate::peer;
use crate::world::{How, Login, World, login};

const LOGIN: Login = bound(pushed(login("c-pkjwt-dpop", How::KeyJwt)));
const STEP: &str = "BONAFIDE_LOGIN_STEP";

/// What a process finds of itself after a restart.
struct App {
    directory: PathBuf,
    world: World,
}

impl App {
    /// With the keys that hardware would keep.
    async fn open(directory: &Path) -> Self {
        let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
        let issuer = String::from_utf8(read("issuer")).unwrap();
        let world = World::of_restarted(
            &issuer,
            Key::load(&read("client.pkcs8")),
            Key::load(&read("instance.pkcs8")),
        );
        Self {
            directory: directory.to_owned(),
            world: world.await,
        }
    }

    fn seal_key(&self) -> SealKey {
        let bytes = std::fs::read(self.directory.join("seal.key")).unwrap();
        SealKey::new(bytes.try_into().unwrap())
    }

    /// Whole or not at all.
    fn keep<R: Record>(&self, record: &R) {
        let sealed = record.seal(&self.seal_key(), &mut SystemEntropy).unwrap();
        let beside = self.directory.join("login.new");
        std::fs::write(&beside, sealed).unwrap();
        std::fs::rename(beside, self.directory.join("login.sealed")).unwrap();
    }

    fn kept<R: Record>(&self) -> R {
        let sealed = std::fs::read(self.directory.join("login.sealed")).unwrap();
        R::open(&self.seal_key(), &sealed).unwrap()
    }
}

#[expect(clippy::print_stdout, reason = "the parent listens")]
fn report(word: &str, said: &str) {
    println!("\nSTEP {word} {said}");
}

/// No test when run as one: the body of the processes that the next test starts.
#[expect(clippy::disallowed_methods, reason = "told by its environment")]
#[tokio::test]
async fn a_step_in_a_process_of_its_own() {
    let Ok(step) = std::env::var(STEP) else {
        return;
    };
    let mut words = step.split('\n');
    let (step, directory, argument) = (
        words.next().unwrap(),
        words.next().unwrap(),
        words.next().unwrap_or_default(),
    );
    let mut app = App::open(Path::new(directory)).await;
    match step {
        "begin" => {
            let begun = app.world.begin(LOGIN).await.unwrap();
            app.keep(&begun.pending);
            report("browser", begun.url.as_str());
        }
        "redirect" => {
            let pending: PendingAuthorization = app.kept();
            app.keep(&pending.receive(argument).unwrap());
            report("code", "kept");
        }
        _ => {
            let authorized: Authorized = app.kept();
            let exchange = authorized.exchange(&app.world.server).unwrap();
            let tokens = app.world.finish(exchange, LOGIN).await.unwrap();
            app.keep(&tokens);
            report("subject", &tokens.identity().unwrap().subject);
        }
    }
    // Whoever started this kills it.
    std::future::pending::<()>().await;
}

struct Step(Child);

impl Step {
    /// Starts one and waits until it has done its part. It never ends by itself.
    fn start(directory: &Path, step: &str, argument: &str) -> (Self, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("process_death::a_step_in_a_process_of_its_own")
            .env(STEP, format!("{step}\n{}\n{argument}", directory.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("STEP ")?.split_once(' ')?.1.to_owned()));
        (Self(child), said.unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        let ended = self.0.wait().unwrap();
        assert_eq!(ended.code(), None, "by a signal, not by itself");
    }
}

#[tokio::test]
async fn a_login_completes_though_its_process_is_killed_before_the_redirect_and_before_the_exchange()
 {
    let mut world = world_or_skip!();
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(home.join(name), bytes).unwrap();
    write("issuer", world.peer.issuer.as_bytes());
    write("client.pkcs8", world.client_key.pkcs8());
    write("instance.pkcs8", world.instance.pkcs8());
    write("seal.key", &[7; 32]);

    let (step, url) = Step::start(home, "begin", "");
    step.kill();
    let arrived = peer::browse(&world.http, &world.peer.issuer, &url).await;
    let (step, _) = Step::start(home, "redirect", &arrived);
    step.kill();
    let (step, subject) = Step::start(home, "exchange", "");
    step.kill();
    assert_eq!(subject, "alice");

    // The app comes up once more, logged in.
    let sealed = std::fs::read(home.join("login.sealed")).unwrap();
    let tokens = Tokens::open(&SealKey::new([7; 32]), &sealed).unwrap();
    assert!(world.userinfo(&tokens).await.is_ok());
    assert!(world.refresh(&tokens, LOGIN).await.is_ok());
}
