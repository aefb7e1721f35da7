//! `bonafide device`: enrolled instances, overrides of their verdicts, revocation.

use bonafide_wire::admin::{
    DeviceView, OverrideKind, OverrideView, Page, PutOverride, RefusedDevice, Role,
};
use bonafide_wire::ids::{AppId, DeviceId, SupportId};
use clap::Subcommand;
use serde::Serialize;

use crate::ask::Consent;
use crate::client::{AdminClient, Route};
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::listing::Window;
use crate::render::{self, Table, moment};
use crate::span::Span;

/// `bonafide device …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Override the verdict of one device for a while
    #[command(
        long_about = "Overrides the verdict of one device: `--always-pass` lets policy findings pass (evidence that \
            does not authenticate is still refused), `--always-fail` refuses whatever it shows. It has an \
            owner, a reason and an end, and stands in the audit log.\n\n\
            `latest` is for a test phone on your desk: anybody who asks in a loop is the newest, so it names a \
            device only where no other was refused within the last hour, and otherwise lists them. What an admin \
            set to `--always-fail` only an admin changes.",
        after_long_help = "Examples:\n  bonafide device add K7Q2-9MXP --always-pass --for 8h --reason \"debugging the login\"\n  \
            bonafide device add latest --always-pass --for 8h --reason \"my test phone\"\n  \
            bonafide device add AbCdEfGhIjKlMnOpQrStUg --always-fail --for 90d --reason \"scraper\""
    )]
    Add(AddArgs),
    /// List enrolled devices, or the overrides
    List {
        /// List the overrides instead
        #[arg(long)]
        overrides: bool,
        /// Only devices whose evidence, as last judged, has a finding with this code; whenever the revocation list, a
        /// trusted key, a registration or the policy changes, enrolments are judged again
        #[arg(long, value_name = "CODE", conflicts_with = "overrides")]
        finding: Option<String>,
        #[command(flatten)]
        window: Window,
    },
    /// Show one device and its override
    Show {
        /// Its id
        id: DeviceId,
    },
    /// Remove the override of a device: policy decides again
    Remove {
        /// Its id
        id: DeviceId,
    },
    /// Revoke a device: it is refused until reinstated
    Revoke {
        /// Its id
        id: DeviceId,
        #[command(flatten)]
        consent: Consent,
    },
    /// Take a revocation back
    Reinstate {
        /// Its id
        id: DeviceId,
    },
}

/// `bonafide device add`
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("kind").required(true).args(["always_pass", "always_fail"])))]
pub(crate) struct AddArgs {
    /// A device id, the support id that a refused user reads out, or `latest`: the only device refused within the
    /// last hour
    #[arg(value_name = "ID")]
    device: Target,
    /// Policy findings do not refuse it
    #[arg(long)]
    always_pass: bool,
    /// It is refused whatever it shows
    #[arg(long)]
    always_fail: bool,
    /// When the override ends by itself, 1m to 90d
    #[arg(long = "for", value_name = "SPAN")]
    span: Span,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Clone)]
enum Target {
    Latest,
    Verdict(SupportId),
    Device(DeviceId),
}

impl core::str::FromStr for Target {
    type Err = bonafide_wire::ids::MalformedId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        SupportId::parse(text)
            .map(Self::Verdict)
            .or_else(|_| DeviceId::parse(text).map(Self::Device))
    }
}

impl Target {
    fn as_str(&self) -> &str {
        match self {
            Self::Latest => "latest",
            Self::Verdict(id) => id.as_str(),
            Self::Device(id) => id.as_str(),
        }
    }
}

/// Does it.
pub(crate) async fn run(verb: Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Add(args) => add(args, context).await?,
        Verb::List {
            overrides,
            finding,
            window,
        } => {
            let what = if overrides {
                What::Overrides
            } else {
                What::Devices { finding }
            };
            list(what, window, context).await?;
        }
        Verb::Show { id } => show(&id, context).await?,
        Verb::Remove { id } => {
            let client = context.client(Role::Developer).await?;
            client
                .delete(&Route::account(["overrides", id.as_str()]))
                .await?;
            render::say(&format!("device {id} has no override any more"));
        }
        Verb::Revoke { id, consent } => {
            consent.require(&format!("device {id} will be refused"), id.as_str())?;
            let client = context.client(Role::Admin).await?;
            client.put_nothing(&revocation(&id)).await?;
            render::say(&format!("device {id} is revoked"));
        }
        Verb::Reinstate { id } => {
            let client = context.client(Role::Admin).await?;
            client.delete(&revocation(&id)).await?;
            render::say(&format!("device {id} is judged by policy again"));
        }
    }
    Ok(Exit::Done)
}

async fn add(args: AddArgs, context: &Context) -> Result<(), Failure> {
    let put = PutOverride {
        kind: if args.always_pass {
            OverrideKind::AlwaysPass
        } else {
            OverrideKind::AlwaysFail
        },
        reason: args.reason,
        for_seconds: args.span.0,
    };
    let client = context.client(Role::Developer).await?;
    let route = Route::account(["overrides", args.device.as_str()]);
    let made: OverrideView = match (client.put(&route, &put).await, args.device) {
        (Err(failure), Target::Latest) if failure.exit == Exit::Conflict => {
            return Err(ambiguous(&client, failure).await);
        }
        (made, _) => made?,
    };
    context
        .console
        .data(&made, |made| override_table(std::slice::from_ref(made)))
}

/// Several devices were refused lately: which ones, so that the operator can choose.
async fn ambiguous(client: &AdminClient, failure: Failure) -> Failure {
    let route = Route::account(["refused-devices"]);
    let Ok(refused) = client.get::<Page<RefusedDevice>>(&route).await else {
        return failure;
    };
    let rows = refused.items.iter().map(|device| {
        let findings = device.findings.join(", ");
        let (at, app) = (moment(device.at), device.app.as_ref());
        let app = app.map_or("-", AppId::as_str);
        format!("\n  {}  {at}  {app}  {findings}", device.support_id)
    });
    let message = rows.fold(failure.message.clone(), |message, row| message + &row);
    Failure { message, ..failure }
        .hint("ask the user for the support id, then `bonafide device add SUPPORT-ID …`")
}

enum What {
    Devices { finding: Option<String> },
    Overrides,
}

async fn list(what: What, window: Window, context: &Context) -> Result<(), Failure> {
    let client = context.client(Role::Viewer).await?;
    match what {
        What::Devices { finding } => {
            let mut route = Route::account(["devices"]);
            if let Some(code) = finding {
                route = route.query("finding", code);
            }
            let devices: Vec<DeviceView> = client.list(&route, window.most()).await?;
            context.console.data(&devices, |all| device_table(all))
        }
        What::Overrides => {
            let route = Route::account(["overrides"]);
            let overrides: Vec<OverrideView> = client.list(&route, window.most()).await?;
            context.console.data(&overrides, |all| override_table(all))
        }
    }
}

async fn show(id: &DeviceId, context: &Context) -> Result<(), Failure> {
    let client = context.client(Role::Viewer).await?;
    let device: DeviceView = client
        .get(&Route::account(["devices", id.as_str()]))
        .await?;
    let route = Route::account(["overrides", id.as_str()]);
    let present = match client.get::<OverrideView>(&route).await {
        Ok(present) => Some(present),
        Err(failure) if failure.exit == Exit::NotFound => None,
        Err(failure) => return Err(failure),
    };
    let shown = Shown {
        device,
        r#override: present,
    };
    context.console.data(&shown, |shown| {
        let device = &shown.device;
        let table = Table::object()
            .member("device", device.device_id.as_str())
            .member("app", device.app.as_str())
            .member("evidence", evidence_word(device))
            .member("state", state_word(device))
            .member("enrolled", moment(device.enrolled_at))
            .member("judged", judged_words(device));
        let Some(present) = &shown.r#override else {
            return table;
        };
        table
            .member("override", kind_word(present.kind))
            .member("ends", moment(present.expires_at))
            .member("owner", present.owner.as_str())
            .member("reason", present.reason.as_str())
    })
}

/// A device and its override.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    device: DeviceView,
    r#override: Option<OverrideView>,
}

fn revocation(id: &DeviceId) -> Route {
    Route::account(["devices", id.as_str(), "revocation"])
}

fn kind_word(kind: OverrideKind) -> &'static str {
    match kind {
        OverrideKind::AlwaysPass => "always pass",
        OverrideKind::AlwaysFail => "always fail",
    }
}

fn evidence_word(device: &DeviceView) -> &'static str {
    if device.development {
        "development"
    } else {
        "hardware"
    }
}

fn state_word(device: &DeviceView) -> &'static str {
    if device.revoked {
        "revoked"
    } else {
        "enrolled"
    }
}

/// The last judgement, and the codes of what it found.
fn judged_words(device: &DeviceView) -> String {
    let Some(judged) = &device.judged else {
        return "-".to_owned();
    };
    let codes: Vec<&str> = judged
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    if codes.is_empty() {
        judged.outcome.clone()
    } else {
        format!("{}: {}", judged.outcome, codes.join(", "))
    }
}

fn device_table(devices: &[DeviceView]) -> Table {
    Table::list(
        "no devices yet",
        &["device", "app", "evidence", "state", "enrolled", "judged"],
    )
    .rows(devices, |device| {
        [
            device.device_id.to_string(),
            device.app.to_string(),
            evidence_word(device).to_owned(),
            state_word(device).to_owned(),
            moment(device.enrolled_at),
            judged_words(device),
        ]
    })
}

fn override_table(overrides: &[OverrideView]) -> Table {
    Table::list(
        "no overrides",
        &["device", "verdict", "ends", "owner", "reason"],
    )
    .rows(overrides, |entry| {
        [
            entry.device_id.to_string(),
            kind_word(entry.kind).to_owned(),
            moment(entry.expires_at),
            entry.owner.clone(),
            entry.reason.clone(),
        ]
    })
}
