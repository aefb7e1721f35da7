//! `bonafide demo`: the article's story with real bytes, step by step.
//!
//! Everything in it is the product: the service, its command line, the SDK inside Books. Only the phone, the
//! authorization server and the authorities are stand-ins, and the attackers are ours. The story decides
//! nothing about trust; it checks that what is decided is what it tells.

mod attack;
mod handset;
mod http;
mod insider;
mod middleman;
mod operator;
mod scene;
mod stage;
mod stay;
mod story;
mod tap;
mod teller;
mod thief;

use scene::Otherwise;
use stage::Stage;
use teller::{Audience, Teller};

use crate::context::Context;
use crate::error::{Exit, Failure};

const ABOUT: &str = "The story of \"Strengthening OAuth2 for Mobile\", told by the real parts: a service, its command line, the SDK \
    inside the Books app. The phone is virtual, but speaks the language of real hardware; Google is a stand-in that \
    demands a client secret as Google does. Nothing leaves this machine.";

/// `bonafide demo`
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Tells the story of a mobile app whose client secret exists only on attested instances: starts a \
        service, a stand-in for Google and a virtual phone with the Books app, all on loopback and in a temporary \
        directory, and plays set-up, login, attacks and changes over the air. Needs no network and no state.\n\n\
        With `--output json` each step is one line (`step`, `title`, `as_told`, `code` where one decided, `took_ms`, \
        `lines`), and the last line is a summary that names the steps that came out otherwise.",
    after_long_help = "Examples:\n  bonafide demo\n  bonafide demo --once\n  bonafide demo --once --output json"
)]
pub(crate) struct Args {
    /// End after the story: exit 0 if every step came out as told, else 1
    #[arg(long)]
    once: bool,
}

/// Tells it.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let audience = if context.console.is_json() {
        Audience::Scripts
    } else {
        Audience::People
    };
    let mut teller = Teller::new(audience);
    teller.open("Bonafide", ABOUT)?;
    let mut stage = Stage::build().await?;
    teller.say(&stage.program())?;
    // Whoever interrupts the story finds no keys left in a temporary directory.
    tokio::select! {
        told = story::tell(&mut stage, &mut teller) => told?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::new(Exit::Refused, "interrupted"));
        }
    }
    let exit = teller.close()?;
    if !args.once {
        stay::stay_up(&stage, &teller).await?;
    }
    stage.strike().await;
    Ok(exit)
}

impl From<Otherwise> for Failure {
    fn from(otherwise: Otherwise) -> Self {
        Self::new(Exit::Refused, otherwise.0)
    }
}

/// Where `needle` begins.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
