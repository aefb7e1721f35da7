//! `bonafide evidence verify KIND FILE …`: looks at one piece of device evidence, offline.
//!
//! The same two steps as in the service, `verify` and `appraise`, over files. What the command line leaves
//! out is not compared, and a finding says so: silence would read like a pass.

mod anchors;
mod android_key;
mod app_attest;
mod input;
mod play_integrity;
mod report;

use std::path::PathBuf;

use bonafide_evidence::UnixTime;
use clap::Subcommand;

use crate::context::Context;
use crate::environment::now;
use crate::error::{Exit, Failure};
use report::Report;

/// `bonafide evidence …`
#[derive(Debug, Subcommand)]
#[command(arg_required_else_help = true)]
pub(crate) enum Verb {
    /// Say whether evidence is genuine, and everything that was found
    #[command(subcommand)]
    Verify(Box<Kind>),
    /// List the root keys that evidence must end at, with where they come from
    #[command(
        long_about = "Lists the root keys that are compiled in: what they are for, their digests, the certificates that they \
            were published in, where these bytes come from and what speaks for them; and the keys that can never be \
            trusted. With --roots, lists what `evidence verify --roots` would trust instead.",
        after_long_help = "Example:\n  bonafide evidence anchors --output json"
    )]
    Anchors(anchors::Args),
}

/// What kind of evidence.
#[derive(Debug, Subcommand)]
pub(crate) enum Kind {
    /// Android Key Attestation: a certificate chain
    #[command(after_long_help = "Example:\n  \
        bonafide evidence verify android-key chain.pem --challenge 00ff… --package com.example.books \\\n    \
        --signer 3b1c… --output json\n\n\
        Exit codes: 0 genuine, 1 refused, 2 unreadable input.")]
    AndroidKey(android_key::Args),
    /// Apple App Attest: the attestation of a new key
    #[command(after_long_help = "Example:\n  \
        bonafide evidence verify app-attest attestation.cbor --app-id TEAM123456.com.example.books \\\n    \
        --client-data-hash 00ff… --key-id 3q2+7w… --environment production\n\n\
        Exit codes: 0 genuine, 1 refused, 2 unreadable input.")]
    AppAttest(app_attest::AttestationArgs),
    /// Apple App Attest: the word of an attested key on one request
    AppAttestAssertion(app_attest::AssertionArgs),
    /// Apple App Attest: a receipt, with its risk metric
    AppAttestReceipt(app_attest::ReceiptArgs),
    /// Google Play Integrity: a token, opened with the account's own keys
    #[command(after_long_help = "Example:\n  \
        bonafide evidence verify play-integrity token.txt --keys keys.json --package com.example.books \\\n    \
        --signer YICbJ9Og… --nonce 3q2+7w…\n\n\
        Exit codes: 0 genuine, 1 refused, 2 unreadable input.")]
    PlayIntegrity(play_integrity::Args),
}

/// What every kind takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Shared {
    /// Judge as of this moment instead of now, for example 2026-11-01T00:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = moment)]
    at: Option<UnixTime>,
    /// Trust exactly these roots INSTEAD of the built-in ones: PEM certificates or public keys, of which
    /// only the keys count
    #[arg(long, value_name = "PEM")]
    roots: Option<PathBuf>,
    /// Revocation list as Google publishes it, for android-key; the other kinds have none
    #[arg(long, value_name = "JSON")]
    revocations: Option<PathBuf>,
    /// Policy to judge by, as `bonafide policy show --output json` prints it [default: the preset
    /// `default`, without a word on what is not given here]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Also give an account of every rule and check: what it looked at, what came of it
    #[arg(long)]
    explain: bool,
}

fn moment(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse_rfc3339(text).map_err(|error| error.to_string())
}

impl Shared {
    fn at(&self) -> UnixTime {
        self.at.unwrap_or_else(|| UnixTime(now()))
    }
}

/// Verifies and prints.
pub(crate) fn run(verb: &Verb, context: &Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Anchors(args) => anchors::list(args, context.console),
        Verb::Verify(kind) => {
            let report = judge(kind)?;
            report.print(context.console)?;
            Ok(report.exit())
        }
    }
}

/// Everything but the printing.
fn judge(kind: &Kind) -> Result<Report, Failure> {
    match kind {
        Kind::AndroidKey(args) => android_key::judge(args),
        Kind::AppAttest(args) => app_attest::attestation(args),
        Kind::AppAttestAssertion(args) => app_attest::assertion(args),
        Kind::AppAttestReceipt(args) => app_attest::receipt(args),
        Kind::PlayIntegrity(args) => play_integrity::judge(args),
    }
}

#[cfg(test)]
mod tests;
