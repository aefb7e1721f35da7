//! `bonafide upstream`: the authorization servers that apps log in at, and how much of the ladder each one climbs.
//!
//! It asks and prints; discovery and every rule are the service's.

use std::path::PathBuf;

use bonafide_wire::admin::{
    AssertionAudience, CheckUpstream, ClientAuthenticationView, PutClientAuthentication,
    PutUpstream, Role, RungReport, RungSupport, UpstreamEndpoints, UpstreamReport, UpstreamView,
};
use bonafide_wire::ids::{AppId, EndpointUrl, Issuer, SecretName, UpstreamName};
use bonafide_wire::secret::SecretText;
use bonafide_wire::upstream::Rung;
use clap::{Subcommand, ValueEnum};

use crate::ask::Consent;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, joined, moment, or_dash};

/// `bonafide upstream …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Add an authorization server; its endpoints are discovered now and nothing a phone says changes them
    #[command(
        after_long_help = "A runtime secret that an upstream uses is not delivered to apps any more, unless the upstream allows \
            delivered-secret.\n\nExamples:\n  \
            bonafide upstream add google --issuer https://accounts.google.com --client-id 1234.apps.googleusercontent.com \\\n    \
            --rung relay --secret client_secret --redirect-uri https://app.example.com/oauth2/callback --keep-refresh-tokens\n  \
            bonafide upstream add work --issuer https://sso.example.com --client-id app --rung attested-client --rung minted-assertion \\\n    \
            --auth private-key-jwt"
    )]
    Add(Box<AddArgs>),
    /// List the authorization servers
    List {
        #[command(flatten)]
        window: Window,
    },
    /// Show one, with the public key to register there
    Show {
        /// Its name
        name: UpstreamName,
    },
    /// Remove one; its client key and what it kept are gone for good
    Remove {
        /// Its name
        name: UpstreamName,
        #[command(flatten)]
        consent: Consent,
    },
    /// Ask a server what it supports: which rung is best there, and why
    #[command(
        after_long_help = "Examples:\n  bonafide upstream check google\n  bonafide upstream check https://accounts.google.com"
    )]
    Check {
        /// The name of an upstream, or any issuer URL
        #[arg(value_name = "NAME|ISSUER")]
        which: String,
    },
}

/// `bonafide upstream add`
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Its name, which the app uses
    name: UpstreamName,
    /// Its issuer identifier, byte for byte
    #[arg(long, value_name = "URL")]
    issuer: Issuer,
    /// The app's client id there
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// A rung that instances may use, by name or number; may be given again
    #[arg(long = "rung", value_name = "RUNG", required = true)]
    rungs: Vec<Rung>,
    /// How the service authenticates there [default: basic, where there is a secret]
    #[arg(long, value_enum, value_name = "METHOD")]
    auth: Option<Auth>,
    /// The runtime secret that is the client secret
    #[arg(long, value_name = "NAME")]
    secret: Option<SecretName>,
    /// A private key (PEM) to import for private-key-jwt, instead of making one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Whom assertions name: `issuer`, `token-endpoint`, or any text [default: issuer]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Only for this app; may be given again [default: every app of the account]
    #[arg(long = "app", value_name = "ID")]
    apps: Vec<AppId>,
    /// Where codes may arrive; may be given again
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// The relay keeps refresh tokens: a phone gets a form that only this relay takes, and only from it
    #[arg(long)]
    keep_refresh_tokens: bool,
    /// The runtime secret that is the initial access token for registrations
    #[arg(long, value_name = "NAME")]
    registration_secret: Option<SecretName>,
    /// Token endpoint of a server without metadata
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<EndpointUrl>,
    /// Its revocation endpoint
    #[arg(long, value_name = "URL", requires = "token_endpoint")]
    revocation_endpoint: Option<EndpointUrl>,
    /// Its registration endpoint
    #[arg(long, value_name = "URL", requires = "token_endpoint")]
    registration_endpoint: Option<EndpointUrl>,
    /// Replace the one there is: endpoints are discovered anew, a client key stays
    #[arg(long)]
    replace: bool,
}

/// Ways to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// The secret in the `Authorization` header (`client_secret_basic`)
    Basic,
    /// The secret in the form (`client_secret_post`)
    Post,
    /// A JWT authenticated with the secret (`client_secret_jwt`)
    SecretJwt,
    /// A JWT signed with a key of the service (`private_key_jwt`)
    PrivateKeyJwt,
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add(args) => add(*args, context).await,
        Verb::List { window } => {
            let client = context.client(Role::Viewer).await?;
            let upstreams: Vec<UpstreamView> = client
                .list(&Route::account(["upstreams"]), window.most())
                .await?;
            context
                .console
                .data(&upstreams, |upstreams| table(upstreams))?;
            Ok(Exit::Done)
        }
        Verb::Show { name } => {
            let client = context.client(Role::Viewer).await?;
            let upstream: UpstreamView = client.get(&route(&name)).await?;
            context.console.data(&upstream, object)?;
            Ok(Exit::Done)
        }
        Verb::Remove { name, consent } => {
            let consequence = format!("no app can log in through {name} any more");
            consent.require(&consequence, name.as_str())?;
            let client = context.client(Role::Admin).await?;
            client.delete(&route(&name)).await?;
            render::say(&format!("upstream {name} is gone"));
            Ok(Exit::Done)
        }
        Verb::Check { which } => check(&which, context).await,
    }
}

async fn add(args: AddArgs, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Admin).await?;
    let at = route(&args.name);
    if !args.replace {
        match client.get::<UpstreamView>(&at).await {
            Err(failure) if failure.exit == Exit::NotFound => {}
            Err(failure) => return Err(failure),
            Ok(_) => {
                let what = format!("there is an upstream {}", args.name);
                return Err(
                    Failure::new(Exit::Conflict, what).hint("`--replace` changes it as a whole")
                );
            }
        }
    }
    let put = PutUpstream {
        authentication: authentication(&args)?,
        audience: args.audience.map(audience),
        issuer: args.issuer,
        client_id: args.client_id,
        rungs: args.rungs,
        apps: Some(args.apps).filter(|apps| !apps.is_empty()),
        redirect_uris: Some(args.redirect_uris).filter(|uris| !uris.is_empty()),
        keep_refresh_tokens: Some(args.keep_refresh_tokens),
        registration_secret: args.registration_secret,
        endpoints: args.token_endpoint.map(|token| UpstreamEndpoints {
            token,
            revocation: args.revocation_endpoint,
            registration: args.registration_endpoint,
        }),
    };
    let made: UpstreamView = client.put(&at, &put).await?;
    if made.rungs.contains(&Rung::DeliveredSecret) {
        render::warn(
            "delivered-secret: an instance that is compromised later keeps the app-wide secret; prefer relay",
        );
    }
    context.console.data(&made, object)?;
    Ok(Exit::Done)
}

fn authentication(args: &AddArgs) -> Result<Option<PutClientAuthentication>, Failure> {
    let auth = args.auth.or(args.secret.as_ref().map(|_| Auth::Basic));
    let secret = || {
        args.secret
            .clone()
            .ok_or_else(|| Failure::usage("this --auth needs --secret NAME"))
    };
    let method = match auth {
        None => None,
        Some(Auth::Basic) => Some(PutClientAuthentication::ClientSecretBasic { secret: secret()? }),
        Some(Auth::Post) => Some(PutClientAuthentication::ClientSecretPost { secret: secret()? }),
        Some(Auth::SecretJwt) => {
            Some(PutClientAuthentication::ClientSecretJwt { secret: secret()? })
        }
        Some(Auth::PrivateKeyJwt) => Some(PutClientAuthentication::PrivateKeyJwt {
            private_key_pem: private_key(args)?,
        }),
    };
    if args.key.is_some() && auth != Some(Auth::PrivateKeyJwt) {
        return Err(Failure::usage("--key goes with --auth private-key-jwt"));
    }
    Ok(method)
}

fn private_key(args: &AddArgs) -> Result<Option<SecretText>, Failure> {
    let Some(path) = &args.key else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    Ok(Some(SecretText::new(text)))
}

fn audience(text: String) -> AssertionAudience {
    match text.as_str() {
        "issuer" => AssertionAudience::Issuer,
        "token-endpoint" => AssertionAudience::TokenEndpoint,
        _ => AssertionAudience::Explicit { value: text },
    }
}

async fn check(which: &str, context: &Context) -> Result<Exit, Failure> {
    let wanted = match (which.parse::<Issuer>(), which.parse::<UpstreamName>()) {
        (Ok(issuer), _) => CheckUpstream {
            upstream: None,
            issuer: Some(issuer),
        },
        (Err(_), Ok(name)) => CheckUpstream {
            upstream: Some(name),
            issuer: None,
        },
        (Err(error), Err(_)) => return Err(Failure::usage(error.to_string())),
    };
    let client = context.client(Role::Admin).await?;
    let report: UpstreamReport = client
        .post(&Route::account(["upstream-checks"]), &wanted)
        .await?;
    context.console.data(&report, rungs)?;
    match report.best {
        Some(best) => render::say(&format!("best here: {best} (rung {})", best.number())),
        None => render::say("no rung works here"),
    }
    for warning in &report.warnings {
        render::warn(warning);
    }
    Ok(if report.best.is_some() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

fn route(name: &UpstreamName) -> Route {
    Route::account(["upstreams", name.as_str()])
}

fn table(upstreams: &[UpstreamView]) -> Table {
    Table::list(
        "no upstreams yet; `bonafide upstream add NAME --issuer URL --client-id ID --rung relay` adds one",
        &["upstream", "issuer", "client id", "rungs", "version", "updated"],
    )
    .rows(upstreams, |upstream| {
        [
            upstream.name.to_string(),
            upstream.issuer.to_string(),
            upstream.client_id.clone(),
            joined(&upstream.rungs),
            upstream.version.to_string(),
            moment(upstream.updated_at),
        ]
    })
}

fn object(upstream: &UpstreamView) -> Table {
    let endpoints = &upstream.endpoints;
    let apps = if upstream.apps.is_empty() {
        "all".to_owned()
    } else {
        joined(&upstream.apps)
    };
    let kept = if upstream.keep_refresh_tokens {
        "by the service"
    } else {
        "by the app"
    };
    let (method, credential) = credential(upstream);
    Table::object()
        .member("upstream", upstream.name.to_string())
        .member("issuer", upstream.issuer.to_string())
        .member("client id", upstream.client_id.clone())
        .member("rungs", joined(&upstream.rungs))
        .member("token endpoint", endpoints.token.to_string())
        .member(
            "revocation endpoint",
            or_dash(endpoints.revocation.as_ref()),
        )
        .member(
            "registration endpoint",
            or_dash(endpoints.registration.as_ref()),
        )
        .member("authentication", method)
        .member("credential", credential)
        .member("apps", apps)
        .member("redirect URIs", joined(&upstream.redirect_uris))
        .member("refresh tokens kept", kept)
        .member("version", upstream.version.to_string())
}

/// The method, and what it uses: a secret's name, or the public key.
fn credential(upstream: &UpstreamView) -> (&'static str, String) {
    match &upstream.authentication {
        None => ("none", "-".to_owned()),
        Some(ClientAuthenticationView::ClientSecretBasic { secret }) => {
            ("client_secret_basic", format!("secret {secret}"))
        }
        Some(ClientAuthenticationView::ClientSecretPost { secret }) => {
            ("client_secret_post", format!("secret {secret}"))
        }
        Some(ClientAuthenticationView::ClientSecretJwt { secret }) => {
            ("client_secret_jwt", format!("secret {secret}"))
        }
        Some(ClientAuthenticationView::PrivateKeyJwt { jwk }) => (
            "private_key_jwt",
            format!("register this public key: {jwk}"),
        ),
    }
}

fn rungs(report: &UpstreamReport) -> Table {
    let header = ["rung", "name", "supported", "allowed", "why"];
    Table::list("no rungs", &header).rows(
        &report.rungs,
        |RungReport {
             rung,
             support,
             allowed,
             why,
         }| {
            let support = match support {
                RungSupport::Yes => "yes",
                RungSupport::Maybe => "maybe",
                RungSupport::No => "no",
            };
            let allowed = match allowed {
                None => "-",
                Some(true) => "yes",
                Some(false) => "no",
            };
            [
                rung.number().to_string(),
                rung.to_string(),
                support.to_owned(),
                allowed.to_owned(),
                why.clone(),
            ]
        },
    )
}
