//! Somebody kills the app, for good, at the two worst moments of a login; started again, it completes it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use bonafide_books::browser::Browser as _;
use bonafide_sdk::Rung;
use bonafide_sdk::adaptor::Url;

use crate::world::World;

struct Books<'a> {
    world: &'a World,
    program: std::path::PathBuf,
}

impl<'a> Books<'a> {
    fn on(world: &'a World) -> Self {
        world
            .phone
            .keep_in(&world.files.path().join("phone"))
            .unwrap();
        let program = bonafide_tests::program_of("bonafide-books", "books").unwrap();
        Self { world, program }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--phone")
            .arg(self.world.files.path().join("phone"))
            .args(["--config", &self.world.config.to_text()])
            .args(["--provider", &self.world.provider.addr().to_string()])
            .args(["--pages", self.world.pages().as_str()])
            .args(["--upstream", "google"])
            .args(["--api", "https://www.googleapis.com/books/v1"])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a login; the address that it wants opened, once it is told.
    fn begin_login(&self) -> (Started, Url) {
        let mut started = Started(self.command(&["login", "--print-url"]).spawn().unwrap());
        let stderr = BufReader::new(started.0.stderr.take().unwrap());
        let url = stderr
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(Url::parse(line.strip_prefix("open ")?).unwrap()));
        (started, url.unwrap())
    }

    async fn logs_in(&self) -> String {
        let mut command = self.command(&["login", "--print-url"]);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }
}

/// A process that is gone for good when it is dropped: `SIGKILL`, no farewell.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_question_and_the_answer_of_the_browser() {
    let world = World::new().await;
    world.add_google(&[Rung::DeliveredSecret]).await;
    let books = Books::on(&world);
    let (app, url) = books.begin_login();
    drop(app);
    // The browser is still open; the app is started again, and then the reader agrees.
    let reader = world.reader();
    let ((), said) = tokio::join!(
        async {
            let port = redirect_port(&url);
            while tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
            reader.open(&url).await.unwrap();
        },
        books.logs_in()
    );
    assert!(!said.contains("open http"), "no second question: {said}");
    assert!(said.contains("by rung 5, delivered-secret"), "{said}");
    assert!(said.contains("logged in as Ada"), "{said}");
    world.nothing_leaked();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_answer_of_the_browser_and_the_tokens() {
    let world = World::new().await;
    world.add_google(&[Rung::DeliveredSecret]).await;
    let books = Books::on(&world);
    let (app, url) = books.begin_login();
    world.wire.hold();
    // Returns once the app has shown its last page: by then the code is kept.
    world.reader().open(&url).await.unwrap();
    drop(app);
    world.wire.release();
    assert_eq!(world.answered("/token"), [0_u16; 0], "no tokens yet");
    let said = books.logs_in().await;
    assert!(!said.contains("open http"), "no second question: {said}");
    assert!(said.contains("logged in as Ada"), "{said}");
    assert_eq!(world.answered("/token"), [200]);
    world.nothing_leaked();
    world.stop().await;
}

/// Where the address says that the browser comes back to.
fn redirect_port(url: &Url) -> u16 {
    let mut pairs = url.query_pairs();
    let uri = pairs.find(|(name, _)| name == "redirect_uri").unwrap().1;
    Url::parse(&uri).unwrap().port().unwrap()
}
