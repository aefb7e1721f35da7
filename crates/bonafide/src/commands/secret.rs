//! `bonafide secret`: values that only attested instances get, for named hosts and uses.
//!
//! A value comes from a prompt, standard input or a file; a command line is read by other processes.

use std::path::PathBuf;

use bonafide_wire::admin::{PutSecret, Role, SecretView};
use bonafide_wire::device::SecretUse;
use bonafide_wire::ids::{AppId, Host, SecretName};
use clap::{Subcommand, ValueEnum};

use crate::ask::{self, Consent};
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, joined, moment};
use crate::span::Span;

/// `bonafide secret …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Add a secret; its value comes from a prompt, standard input or a file
    #[command(
        after_long_help = "Examples:\n  bonafide secret add client_secret --host oauth2.googleapis.com\n  \
            bonafide secret add maps_key --host maps.example.com --use query --life 1m --from-file key.txt"
    )]
    Add(AddArgs),
    /// Replace a secret's value; hosts, uses, apps and life stay
    #[command(
        after_long_help = "Example:\n  bonafide secret rotate client_secret --from-file new.txt"
    )]
    Rotate {
        /// Its name
        name: SecretName,
        #[command(flatten)]
        source: Source,
    },
    /// List the secrets; values cannot be read again
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Remove a secret; apps that need it stop working
    Remove {
        /// Its name
        name: SecretName,
        #[command(flatten)]
        consent: Consent,
    },
}

/// `bonafide secret add`
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Its name, which the app asks for
    name: SecretName,
    /// A protected host it may be sent to; may be given again
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<Host>,
    /// Where in a request it may stand; may be given again [default: header, form, oauth]
    #[arg(long = "use", value_name = "PLACE", value_enum)]
    uses: Vec<Place>,
    /// Only for this app; may be given again [default: every app of the account]
    #[arg(long = "app", value_name = "ID")]
    apps: Vec<AppId>,
    /// How long an app may hold it, 1s to 1h [default: 5m]
    #[arg(long, value_name = "SPAN")]
    life: Option<Span>,
    #[command(flatten)]
    source: Source,
}

/// Where the value comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Read the value from this file (`-`: standard input) instead of asking
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

/// Places in a request.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Place {
    /// A whole header value
    Header,
    /// A whole query parameter (leaks into logs)
    Query,
    /// A whole form field
    Form,
    /// OAuth client authentication
    Oauth,
}

impl From<Place> for SecretUse {
    fn from(place: Place) -> Self {
        match place {
            Place::Header => Self::Header,
            Place::Query => Self::Query,
            Place::Form => Self::Form,
            Place::Oauth => Self::Oauth,
        }
    }
}

fn place_name(place: SecretUse) -> &'static str {
    match place {
        SecretUse::Header => "header",
        SecretUse::Query => "query",
        SecretUse::Form => "form",
        SecretUse::Oauth => "oauth",
    }
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add(args) => add(args, context).await,
        Verb::Rotate { name, source } => rotate(&name, &source, context).await,
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let secrets: Vec<SecretView> = client
                .list(&Route::account(["secrets"]), window.most())
                .await?;
            context.console.data(&secrets, |secrets| table(secrets))?;
            Ok(Exit::Done)
        }
        Verb::Remove { name, consent } => {
            consent.require(&format!("no app will get {name} any more"), name.as_str())?;
            let client = context.client(Role::Admin).await?;
            client.delete(&route(&name)).await?;
            render::say(&format!("secret {name} is gone"));
            Ok(Exit::Done)
        }
    }
}

async fn add(args: AddArgs, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Admin).await?;
    match client.get::<SecretView>(&route(&args.name)).await {
        Err(failure) if failure.exit == Exit::NotFound => {}
        Err(failure) => return Err(failure),
        Ok(_) => {
            return Err(
                Failure::new(Exit::Conflict, format!("there is a secret {}", args.name))
                    .hint("`bonafide secret rotate` replaces its value"),
            );
        }
    }
    let value = ask::secret(&format!("value of {}", args.name), args.source.file())?;
    let uses: Vec<SecretUse> = args.uses.into_iter().map(SecretUse::from).collect();
    if uses.contains(&SecretUse::Query) {
        render::warn(
            "a query parameter ends up in logs on its way; prefer a header or a form field",
        );
    }
    let put = PutSecret {
        value,
        hosts: Some(args.hosts),
        uses: Some(uses).filter(|uses| !uses.is_empty()),
        apps: Some(args.apps).filter(|apps| !apps.is_empty()),
        life_seconds: args.life.map(|life| life.0),
    };
    let made: SecretView = client.put(&route(&args.name), &put).await?;
    context
        .console
        .data(&made, |made| table(std::slice::from_ref(made)))?;
    Ok(Exit::Done)
}

async fn rotate(name: &SecretName, source: &Source, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Admin).await?;
    let before: SecretView = client.get(&route(name)).await?;
    let put = PutSecret {
        value: ask::secret(&format!("new value of {name}"), source.file())?,
        hosts: None,
        uses: None,
        apps: None,
        life_seconds: None,
    };
    let after: SecretView = client.put(&route(name), &put).await?;
    render::say(&format!(
        "{name}: version {} is in force; instances may hold version {} for another {} s",
        after.version, before.version, before.life_seconds
    ));
    context
        .console
        .data(&after, |after| table(std::slice::from_ref(after)))?;
    Ok(Exit::Done)
}

impl Source {
    fn file(&self) -> Option<&std::path::Path> {
        self.from_file.as_deref()
    }
}

fn route(name: &SecretName) -> Route {
    Route::account(["secrets", name.as_str()])
}

fn table(secrets: &[SecretView]) -> Table {
    Table::list(
        "no secrets yet; `bonafide secret add NAME --host HOST` adds one",
        &[
            "secret", "hosts", "uses", "apps", "life", "version", "updated",
        ],
    )
    .rows(secrets, |secret| {
        let uses: Vec<&str> = secret.uses.iter().map(|&place| place_name(place)).collect();
        let apps = if secret.apps.is_empty() {
            "all".to_owned()
        } else {
            joined(&secret.apps)
        };
        [
            secret.name.to_string(),
            joined(&secret.hosts),
            joined(&uses),
            apps,
            format!("{} s", secret.life_seconds),
            secret.version.to_string(),
            moment(secret.updated_at),
        ]
    })
}
