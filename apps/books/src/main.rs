//! `books`: the demo app on the command line. Data goes to stdout, talk to stderr.

mod args;
mod install;
mod render;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use bonafide_books::browser::{Browser, Pages, Shown, SystemBrowser};
use bonafide_books::{BooksApp, BooksError, BooksSetup, Provider};
use bonafide_sdk::SdkConfig;
use bonafide_sdk::adaptor::Url;
use bonafide_simulator::Phone;
use clap::Parser as _;

use args::{Arguments, Command, RungName};
use render::say;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&render::alert(&format!("{error:#}")));
            let refused = error.downcast_ref::<BooksError>().is_some();
            ExitCode::from(if refused { 1 } else { 2 })
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Install {
            apk,
            key,
            version_code,
        } => install::run(&arguments.phone, apk, key, *version_code),
        Command::Search { words } => {
            let books = open(arguments)?.search(&words.join(" ")).await?;
            render::books(&books, arguments.output)
        }
        Command::Login {
            print_url: true,
            rung,
        } => {
            let show = |url: &Url| say(&format!("open {url}"));
            login(arguments, &Shown::by(pages(arguments), show), *rung).await
        }
        Command::Login {
            print_url: false,
            rung,
        } => login(arguments, &SystemBrowser(pages(arguments)), *rung).await,
        Command::Favorites { covers } => {
            let app = open(arguments)?;
            let books = app.favorites().await?;
            if let Some(name) = app.profile().await.and_then(|profile| profile.first_name) {
                say(&format!("{name}'s favorites"));
            }
            render::books(&books, arguments.output)?;
            for book in covers.iter().flat_map(|_| &books) {
                let directory = covers.as_deref().unwrap_or(&arguments.phone);
                if let Some(path) = app.cover(book, directory).await? {
                    say(&format!("{}: {}", book.title, path.display()));
                }
            }
            Ok(())
        }
        Command::Logout => {
            open(arguments)?.logout().await?;
            say("logged out");
            Ok(())
        }
    }
}

fn open(arguments: &Arguments) -> Result<BooksApp> {
    open_by(arguments, RungName::Auto)
}

fn provider(arguments: &Arguments) -> Provider {
    const LIBRARY: &str = "https://api.library.example/books/v1";
    let mut provider = match &arguments.upstream {
        Some(name) => Provider::upstream(name, LIBRARY),
        None => Provider::google(&arguments.client_id),
    };
    if let Some(api) = &arguments.api {
        provider.books_api.clone_from(api);
    }
    if let Some(address) = arguments.provider {
        provider = provider.stand_in(address);
    }
    provider
}

fn open_by(arguments: &Arguments, rung: RungName) -> Result<BooksApp> {
    if !Phone::lives_in(&arguments.phone) {
        anyhow::bail!(
            "no phone lives in {0}; make one: bonafide simulator new {0}",
            arguments.phone.display()
        );
    }
    let phone = Phone::load(&arguments.phone)?;
    if phone.app(bonafide_books::PACKAGE).is_none() {
        anyhow::bail!("Books is not installed on this phone; install it: books install");
    }
    let state = arguments.phone.join("books");
    let config = match (&arguments.config, &arguments.config_file) {
        (Some(text), _) => text.clone(),
        (None, file) => {
            let default = state.join("config.txt");
            let path = file.as_ref().unwrap_or(&default);
            std::fs::read_to_string(path).with_context(|| {
                format!(
                    "no config string; give --config, or write it: bonafide sdk config > {}",
                    path.display()
                )
            })?
        }
    };
    let provider = provider(arguments).by(rung.wish());
    let setup = BooksSetup::new(SdkConfig::parse(&config)?, phone, state, provider);
    Ok(BooksApp::open(setup)?)
}

fn pages(arguments: &Arguments) -> Pages {
    arguments
        .pages
        .clone()
        .map_or_else(Pages::unchanged, Pages::at)
}

async fn login(arguments: &Arguments, browser: &dyn Browser, rung: RungName) -> Result<()> {
    let app = open_by(arguments, rung)?;
    let profile = app
        .login(browser, &mut |step| say(&format!("... {step}")))
        .await?;
    if let Some(choice) = app.choice().await {
        say(&format!("by {choice}"));
    }
    let name = profile.first_name.or(profile.email);
    say(&format!(
        "logged in as {}",
        name.as_deref().unwrap_or("somebody without a name")
    ));
    Ok(())
}
