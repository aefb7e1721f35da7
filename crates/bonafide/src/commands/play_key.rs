//! `bonafide play-key`: with what an app's Play Integrity verdicts are opened.
//!
//! Keys come from files; a command line is read by other processes.

use std::fs;
use std::path::PathBuf;

use bonafide_wire::admin::Role;
use bonafide_wire::ids::AppId;
use bonafide_wire::platform::{PlayKeyView, PutPlayKey, ResponseEncryption};
use clap::Subcommand;

use crate::ask::{self, Consent};
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};

/// `bonafide play-key …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Set or replace the two keys that open an app's Play Integrity verdicts
    #[command(
        long_about = "Sets the two keys of \"response encryption\" that the Play Console gives to whoever manages \
            them: Release > App integrity > Play Integrity API > Classic requests > Manage and download my response \
            encryption keys. Verdicts are then opened by this service alone; Google is not asked.\n\n\
            An app enrols by a verdict where the phone has no key attestation. Nobody vouches for where its key \
            lives, so the verdict ages (policy `play-max-verdict-age-hours`).",
        after_long_help = "Example:\n  bonafide play-key set books --decryption-key decryption.txt \
            --verification-key verification.txt"
    )]
    Set {
        /// The app; it must have an Android package
        app: AppId,
        /// Base64 of the decryption key (`-`: standard input)
        #[arg(long, value_name = "FILE")]
        decryption_key: PathBuf,
        /// Base64 of the verification key
        #[arg(long, value_name = "FILE")]
        verification_key: PathBuf,
    },
    /// List the apps whose verdicts can be opened; decryption keys cannot be read again
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Remove an app's keys; instances that enrolled by a verdict are refused from then on
    Remove {
        /// The app
        app: AppId,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Set {
            app,
            decryption_key,
            verification_key,
        } => {
            let verification_key = fs::read_to_string(&verification_key)
                .map_err(|error| Failure::file(&verification_key, &error))?;
            let put = PutPlayKey::ResponseEncryption(ResponseEncryption {
                decryption_key: ask::secret("decryption key", Some(&decryption_key))?,
                verification_key,
            });
            let client = context.client(Role::Admin).await?;
            let set: PlayKeyView = client.put(&route(&app), &put).await?;
            context
                .console
                .data(&set, |set| table(std::slice::from_ref(set)))?;
        }
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let keys: Vec<PlayKeyView> = client
                .list(&Route::account(["play-keys"]), window.most())
                .await?;
            context.console.data(&keys, |keys| table(keys))?;
        }
        Verb::Remove { app, consent } => {
            consent.require(
                &format!("instances of {app} that enrolled by Play Integrity will be refused"),
                app.as_str(),
            )?;
            let client = context.client(Role::Admin).await?;
            client.delete(&route(&app)).await?;
            render::say(&format!("Play keys of {app} are gone"));
        }
    }
    Ok(Exit::Done)
}

fn route(app: &AppId) -> Route {
    Route::account(["play-keys", app.as_str()])
}

fn table(keys: &[PlayKeyView]) -> Table {
    Table::list(
        "no Play keys; `bonafide play-key set APP` sets an app's",
        &[
            "app",
            "package",
            "verification key (sha-256)",
            "added by",
            "added",
        ],
    )
    .rows(keys, |key| {
        [
            key.app.to_string(),
            key.package.to_string(),
            key.verification_key_sha256.clone(),
            key.added_by.clone(),
            moment(key.added_at),
        ]
    })
}
