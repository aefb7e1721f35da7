//! `bonafide policy`: what an account demands of an app instance, check by check.
//!
//! A change reads the policy in force, edits it as typed data and writes it back on condition that nobody
//! else changed it meanwhile.

use std::path::{Path, PathBuf};

use bonafide_evidence::{Policy, Preset};
use bonafide_wire::admin::{PolicyView, Role};
use clap::{Subcommand, ValueEnum};

use crate::ask::Consent;
use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render::{self, Table, moment};

/// `bonafide policy …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Show the policy in force
    Show,
    /// Change one key; in force for the next attestation
    #[command(
        long_about = "Changes one key of the policy. A check is `off`, `observe` (a finding is recorded) or \
            `enforce` (a finding refuses). `bonafide policy show` names the keys.",
        after_long_help = "Examples:\n  bonafide policy set rejection-reasons on\n  \
            bonafide policy set bootloader observe\n  bonafide policy set min-version-code 42"
    )]
    Set {
        /// A check or a setting
        key: String,
        /// Its new value
        value: String,
    },
    /// Replace the whole policy by a preset
    Preset {
        /// Which
        #[arg(value_enum)]
        preset: PresetName,
        #[command(flatten)]
        consent: Consent,
    },
    /// Replace the whole policy by a document
    #[command(
        after_long_help = "Example:\n  bonafide -o json policy show | jq .policy > policy.json\n  \
            bonafide policy apply policy.json"
    )]
    Apply {
        /// A policy, JSON
        file: PathBuf,
        #[command(flatten)]
        consent: Consent,
    },
    /// Read a policy document without a service, and show what it means
    Check {
        /// A policy, JSON
        file: PathBuf,
    },
}

/// The presets.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PresetName {
    /// Enforces all that can be enforced on phones of the last years
    Strict,
    /// Enforces what hardware proves and what is never an accident; observes the rest
    Default,
    /// Refuses nothing but evidence that is not authentic
    Monitor,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Strict => Self::Strict,
            PresetName::Default => Self::Default,
            PresetName::Monitor => Self::Monitor,
        }
    }
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Show => {
            let client = context.client(Role::Viewer).await?;
            let view: PolicyView = client.get(&route()).await?;
            print(&view, context)?;
        }
        Verb::Set { key, value } => {
            change(context, |mut policy| {
                policy
                    .set(&key, &value)
                    .map_err(|error| Failure::usage(error.to_string()))?;
                Ok(policy)
            })
            .await?;
        }
        Verb::Preset { preset, consent } => {
            let preset = Preset::from(preset);
            let name = preset.as_str();
            consent.require(&format!("the policy becomes the preset {name}"), name)?;
            change(context, |_| Ok(Policy::preset(preset))).await?;
        }
        Verb::Apply { file, consent } => {
            let policy = read(&file)?;
            let name = file.display().to_string();
            consent.require(&format!("the policy becomes that of {name}"), &name)?;
            change(context, |_| Ok(policy)).await?;
        }
        Verb::Check { file } => {
            let policy = read(&file)?;
            context.console.data(&policy, |policy| {
                entries(policy)
                    .into_iter()
                    .fold(Table::list("", &["key", "value"]), |table, (key, value)| {
                        table.member(key, value)
                    })
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn change(
    context: &Context,
    edit: impl FnOnce(Policy) -> Result<Policy, Failure>,
) -> Result<(), Failure> {
    let client = context.client(Role::Admin).await?;
    let before = client.get_tagged::<PolicyView>(&route()).await?;
    let old = typed(&before.value)?;
    let new = edit(old.clone())?;
    if new == old {
        render::say("the policy says so already");
        return print(&before.value, context);
    }
    let after: PolicyView = client.put_if(&route(), before.etag, &new).await?;
    for ((key, was), (_, is)) in old.entries().into_iter().zip(new.entries()) {
        if was != is {
            render::say(&format!("{key}: {} -> {}", quoted(&was), quoted(&is)));
        }
    }
    render::say(&format!("policy version {} is in force", after.version));
    if context.console.is_json() {
        print(&after, context)?;
    }
    Ok(())
}

fn route() -> Route {
    Route::account(["policy"])
}

fn read(path: &Path) -> Result<Policy, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn typed(view: &PolicyView) -> Result<Policy, Failure> {
    serde_json::from_value(view.policy.clone()).map_err(|error| {
        Failure::new(
            Exit::Refused,
            format!("the service has a policy that this program does not understand: {error}"),
        )
        .hint("service and command line should have the same version (`bonafide --version`)")
    })
}

fn print(view: &PolicyView, context: &Context) -> Result<(), Failure> {
    let policy = typed(view)?;
    context.console.data(view, |view| {
        let table = Table::list("", &["key", "value"])
            .member("version", view.version.to_string())
            .member("author", view.author.as_str())
            .member("updated", moment(view.updated_at));
        entries(&policy)
            .into_iter()
            .fold(table, |table, (key, value)| table.member(key, value))
    })
}

fn entries(policy: &Policy) -> Vec<(&'static str, String)> {
    let entries = policy.entries().into_iter();
    entries.map(|(key, value)| (key, quoted(&value))).collect()
}

fn quoted(value: &str) -> String {
    if value.is_empty() {
        "-".to_owned()
    } else {
        value.to_owned()
    }
}
