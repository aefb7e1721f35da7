//! The command line as clap sees it: the options that every command has, and the list of nouns.
//!
//! A noun's own arguments stand beside its code in `commands/<noun>.rs`. To add one: a line in [`Noun`], a
//! line in `commands::run`.

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::render::Output;

/// `bonafide …`
#[derive(Debug, Parser)]
#[command(
    name = "bonafide",
    version,
    about = "Only genuine, unmodified instances of your app act as your app",
    long_about = "Bonafide lets only genuine, unmodified instances of your mobile app act as your app.\n\n\
        The same program is the service (`serve`), its command line (everything that names an object) and a \
        set of offline tools.",
    after_long_help = "Data goes to stdout, talk to stderr.\n\n\
        Exit codes: 0 done, 1 refused or failed verdict, 2 usage or unreadable input, 3 not found, \
        4 not authenticated or not allowed, 5 conflict, 7 service unreachable.\n\n\
        Environment: BONAFIDE_URL, BONAFIDE_ACCOUNT, BONAFIDE_PROFILE, BONAFIDE_SESSION (from `bonafide role`), \
        BONAFIDE_CREDENTIAL or BONAFIDE_CREDENTIAL_FILE, BONAFIDE_CONFIG, NO_COLOR.",
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How to print data
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Output,
    /// Profile of the configuration file to use [env: `BONAFIDE_PROFILE`]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Admin URL of the service [env: `BONAFIDE_URL`] [default: the profile's, else the loopback's port 8701]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Account to work in [env: `BONAFIDE_ACCOUNT`] [default: the profile's, else `default`]
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) account: Option<String>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// See the whole story once, with real bytes; needs nothing
    Demo(crate::demo::Args),
    /// Run the service
    Serve(commands::serve::Args),
    /// Store a management credential in a profile
    Login(commands::login::Args),
    /// Remove a profile's credential
    Logout(commands::login::LogoutArgs),
    /// Who this session is, what it may do and until when
    Whoami,
    /// Open a session with a role, one hour long
    Role(commands::role::Args),
    /// The tenants of a service
    #[command(subcommand)]
    Account(commands::account::Verb),
    /// The products under an account
    #[command(subcommand)]
    App(commands::app::Verb),
    /// The builds and signing certificates that count as the app
    #[command(subcommand)]
    Registration(commands::registration::Verb),
    /// The hosts that an app talks to under protection
    #[command(subcommand)]
    Api(commands::api::Verb),
    /// Values that only attested instances get
    #[command(subcommand)]
    Secret(commands::secret::Verb),
    /// The authorization servers that apps log in at
    #[command(subcommand)]
    Upstream(commands::upstream::Verb),
    /// What is demanded of an app instance, check by check
    #[command(subcommand)]
    Policy(commands::policy::Verb),
    /// Enrolled instances, overrides of their verdicts, revocation
    #[command(subcommand)]
    Device(commands::device::Verb),
    /// Why an instance was allowed or refused
    #[command(subcommand)]
    Verdict(commands::verdict::Verb),
    /// Which certificates an app may believe
    #[command(subcommand)]
    Trust(commands::trust::Verb),
    /// Development roots of device evidence
    #[command(subcommand)]
    Anchor(commands::anchor::Verb),
    /// The keys that open Play Integrity verdicts
    #[command(subcommand)]
    PlayKey(commands::play_key::Verb),
    /// The list of revoked attestation keys: its age, and renewing it
    #[command(subcommand)]
    RevocationList(commands::revocation_list::Verb),
    /// The keys that sign attestation tokens
    #[command(subcommand)]
    SigningKey(commands::signing_key::Verb),
    /// What an app must compile in
    #[command(subcommand)]
    Sdk(commands::sdk::Verb),
    /// Attestation tokens, as a back end sees them
    #[command(subcommand)]
    Token(commands::token::Verb),
    /// Who may manage, with at most which role
    #[command(subcommand)]
    Credential(commands::credential::Verb),
    /// Who did what, and whether the record holds
    #[command(subcommand)]
    Audit(commands::audit::Verb),
    /// What an app file is and who signed it, offline
    #[command(subcommand)]
    Artifact(commands::artifact::Verb),
    /// Look at device evidence, offline
    #[command(subcommand)]
    Evidence(commands::evidence::Verb),
    /// A virtual phone and small real APKs, to try things without a device
    #[command(subcommand)]
    Simulator(commands::simulator::Verb),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
    /// Write manual pages into a directory
    Man(commands::completions::ManArgs),
}
