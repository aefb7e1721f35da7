//! `bonafide app`: the products under an account.

use bonafide_wire::admin::{AppView, NewApp, Role};
use bonafide_wire::ids::{AppId, AppleAppId, PackageName};
use clap::Subcommand;

use crate::ask::Consent;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment, or_dash};

/// `bonafide app …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Make an app (`registration add` makes one by itself where there is none)
    #[command(
        after_long_help = "Example:\n  bonafide app add books --android-package com.example.books"
    )]
    Add {
        /// Its id: lower-case letters, digits and inner hyphens
        id: AppId,
        /// Its name, for people [default: the id]
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Its Android package
        #[arg(long, value_name = "PACKAGE")]
        android_package: Option<PackageName>,
        /// Its app id on iOS, TEAMID.bundle.id
        #[arg(long, value_name = "ID")]
        apple_app_id: Option<AppleAppId>,
    },
    /// List the apps
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Remove an app; its instances are refused from then on
    Remove {
        /// Its id
        id: AppId,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add {
            id,
            name,
            android_package,
            apple_app_id,
        } => {
            let app = NewApp {
                name: name.unwrap_or_else(|| id.to_string()),
                id,
                android_package,
                apple_app_id,
            };
            let client = context.client(Role::Developer).await?;
            let made: AppView = client.post(&Route::account(["apps"]), &app).await?;
            context
                .console
                .data(&made, |made| table(std::slice::from_ref(made)))?;
        }
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let apps: Vec<AppView> = client
                .list(&Route::account(["apps"]), window.most())
                .await?;
            context.console.data(&apps, |apps| table(apps))?;
        }
        Verb::Remove { id, consent } => {
            consent.require(
                &format!("every instance of app {id} will be refused"),
                id.as_str(),
            )?;
            let client = context.client(Role::Developer).await?;
            client
                .delete(&Route::account(["apps", id.as_str()]))
                .await?;
            render::say(&format!("app {id} is gone"));
        }
    }
    Ok(Exit::Done)
}

fn table(apps: &[AppView]) -> Table {
    Table::list(
        "no apps yet; `bonafide registration add FILE.apk` makes one",
        &["app", "name", "android package", "ios app id", "created"],
    )
    .rows(apps, |app| {
        [
            app.id.to_string(),
            app.name.clone(),
            or_dash(app.android_package.as_ref()),
            or_dash(app.apple_app_id.as_ref()),
            moment(app.created_at),
        ]
    })
}
