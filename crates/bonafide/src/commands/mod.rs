//! One file per noun: its arguments, and what is asked of the service or of the offline libraries.

pub(crate) mod account;
pub(crate) mod anchor;
pub(crate) mod api;
pub(crate) mod app;
pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod credential;
pub(crate) mod device;
pub(crate) mod evidence;
pub(crate) mod login;
pub(crate) mod play_key;
pub(crate) mod policy;
pub(crate) mod registration;
pub(crate) mod revocation_list;
pub(crate) mod role;
pub(crate) mod sdk;
pub(crate) mod secret;
pub(crate) mod serve;
pub(crate) mod signing_key;
pub(crate) mod simulator;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod upstream;
pub(crate) mod verdict;
pub(crate) mod whoami;

use crate::args::Noun;
use crate::context::Context;
use crate::error::{Exit, Failure};

/// Does what was asked.
#[expect(
    clippy::cognitive_complexity,
    reason = "a table: one line for each noun"
)]
pub(crate) async fn run(noun: Noun, context: &Context) -> Result<Exit, Failure> {
    match noun {
        Noun::Demo(args) => crate::demo::run(args, context).await,
        Noun::Serve(args) => serve::run(args, context).await,
        Noun::Login(args) => login::run(args, context).await,
        Noun::Logout(args) => login::forget(&args, context),
        Noun::Whoami => whoami::run(context).await,
        Noun::Role(args) => role::run(args, context).await,
        Noun::Account(verb) => account::run(verb, context).await,
        Noun::App(verb) => app::run(verb, context).await,
        Noun::Registration(verb) => registration::run(verb, context).await,
        Noun::Api(verb) => api::run(verb, context).await,
        Noun::Secret(verb) => secret::run(verb, context).await,
        Noun::Upstream(verb) => upstream::run(verb, context).await,
        Noun::Policy(verb) => policy::run(verb, context).await,
        Noun::Token(verb) => token::run(verb, context).await,
        Noun::Device(verb) => device::run(verb, context).await,
        Noun::Verdict(verb) => verdict::run(verb, context).await,
        Noun::Trust(verb) => trust::run(verb, context).await,
        Noun::Anchor(verb) => anchor::run(verb, context).await,
        Noun::PlayKey(verb) => play_key::run(verb, context).await,
        Noun::RevocationList(verb) => revocation_list::run(verb, context).await,
        Noun::SigningKey(verb) => signing_key::run(verb, context).await,
        Noun::Sdk(verb) => sdk::run(verb, context).await,
        Noun::Credential(verb) => credential::run(verb, context).await,
        Noun::Audit(verb) => audit::run(verb, context).await,
        Noun::Artifact(verb) => artifact::run(verb, context),
        Noun::Evidence(verb) => evidence::run(&verb, context),
        Noun::Simulator(verb) => simulator::run(verb),
        Noun::Completions(args) => completions::run(&args),
        Noun::Man(args) => completions::man(&args),
    }
}
