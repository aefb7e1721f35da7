//! After the story: everything stays up, for whoever wants to try things with their own hands.

use std::io::BufRead as _;

use tokio::sync::mpsc;

use super::scene::{OrOtherwise as _, Otherwise};
use super::stage::Stage;
use super::teller::Teller;
use crate::error::Failure;

const CREDENTIAL: &str = "root.credential";

/// Says what is where, and logs in by the real browser whenever somebody presses Enter; until Ctrl-C.
pub(super) async fn stay_up(stage: &Stage, teller: &Teller) -> Result<(), Failure> {
    let credential = stage.write_credential(CREDENTIAL)?;
    let config = stage.config().to_text();
    let user = stage.provider.user();
    teller.say(&[
        "Everything stays up until Ctrl-C. In another terminal:".to_owned(),
        String::new(),
        format!("    cd {}", stage.desk().display()),
        format!("    export BONAFIDE_URL={}", stage.admin_url()),
        format!(
            "    export BONAFIDE_CREDENTIAL_FILE={}",
            credential.display()
        ),
        "    eval \"$(bonafide role admin)\"".to_owned(),
        "    bonafide verdict list; bonafide policy show; bonafide audit list".to_owned(),
        String::new(),
        format!("API of both listeners   {}/openapi.json", stage.admin_url()),
        format!("config string           {config}"),
        format!("who can sign in         {} / {}", user.email, user.password),
        String::new(),
        "Press Enter to log in yourself: your browser opens the consent page.".to_owned(),
    ])?;
    let mut pressed = listen_for_enter();
    loop {
        let enter = tokio::select! {
            _ = tokio::signal::ctrl_c() => return teller.say(&[String::new(), "Good bye.".to_owned()]),
            enter = pressed.recv() => enter,
        };
        if enter.is_none() {
            // Nobody can press anything; only Ctrl-C ends it.
            drop(tokio::signal::ctrl_c().await);
            return Ok(());
        }
        let line = match log_in_by_hand(stage).await {
            Ok(name) => format!("Welcome, {name}. Press Enter to do it again."),
            Err(otherwise) => otherwise.0,
        };
        teller.say(&[line])?;
    }
}

async fn log_in_by_hand(stage: &Stage) -> Result<String, Otherwise> {
    tokio::select! {
        name = stage.books.login_by_hand() => name.or_otherwise("not logged in"),
        _ = tokio::signal::ctrl_c() => Err(Otherwise("cancelled; Ctrl-C once more ends the demo".to_owned())),
    }
}

/// A thread of its own, since a terminal cannot be asked politely to stop waiting for a key.
fn listen_for_enter() -> mpsc::Receiver<()> {
    let (pressed, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || pressed.blocking_send(()).is_err() {
                return;
            }
        }
    });
    receiver
}
