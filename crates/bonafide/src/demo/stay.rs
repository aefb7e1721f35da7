//! After the story: everything stays up, for whoever wants to try things with their own hands.

use std::io::BufRead as _;

use tokio::sync::mpsc;

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
    tokio::select! {
        _ = tokio::signal::ctrl_c() => teller.say(&[String::new(), "Good bye.".to_owned()]),
        failure = log_in_at_enter(stage, teller) => Err(failure),
    }
}

/// Ends only if nobody can be told any more.
async fn log_in_at_enter(stage: &Stage, teller: &Teller) -> Failure {
    let mut pressed = listen_for_enter();
    while pressed.recv().await.is_some() {
        let line = match stage.books.login_by_hand().await {
            Ok(name) => format!("Welcome, {name}. Press Enter to do it again."),
            Err(failed) => format!("{failed}. Press Enter to try again."),
        };
        if let Err(failure) = teller.say(&[line]) {
            return failure;
        }
    }
    // Nobody can press anything; only Ctrl-C ends it.
    core::future::pending().await
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
