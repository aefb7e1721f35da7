//! `bonafide evidence anchors`: whose word counts.
//!
//! Decides nothing: it shows what is compiled in, or what a file would put in its place.

use std::path::PathBuf;

use bonafide_evidence::android::Anchors;
use bonafide_evidence::published::{PublishedCertificate, PublishedRoot, ROOTS};
use serde::Serialize;

use super::input;
use crate::error::{Exit, Failure};
use crate::render::{Console, Table};

/// `bonafide evidence anchors …`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List the keys of this file instead: PEM certificates or public keys
    #[arg(long, value_name = "PEM")]
    roots: Option<PathBuf>,
}

/// A compiled-in key.
#[derive(Debug, Serialize)]
struct Root {
    name: &'static str,
    used_for: &'static str,
    subject: &'static str,
    key: &'static str,
    spki_sha256: &'static str,
    certificates: Vec<Certificate>,
    official: &'static str,
    taken_from: &'static str,
    verified: &'static str,
}

#[derive(Debug, Serialize)]
struct Certificate {
    sha256: &'static str,
    not_before: &'static str,
    not_after: &'static str,
}

impl From<&PublishedRoot> for Root {
    fn from(root: &PublishedRoot) -> Self {
        let certificate = |certificate: &PublishedCertificate| Certificate {
            sha256: certificate.sha256,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        };
        Self {
            name: root.name,
            used_for: root.used_for.as_str(),
            subject: root.subject,
            key: root.key,
            spki_sha256: root.spki_sha256,
            certificates: root.certificates.iter().map(certificate).collect(),
            official: root.official,
            taken_from: root.taken_from,
            verified: root.verified,
        }
    }
}

/// A key of a file.
#[derive(Debug, Serialize)]
struct Given {
    spki_sha256: String,
    /// Its name, where it is a compiled-in one.
    known_as: Option<&'static str>,
}

/// Prints them.
pub(super) fn list(args: &Args, console: Console) -> Result<Exit, Failure> {
    if let Some(path) = &args.roots {
        let anchors = input::anchors(Some(path), Anchors::none)?;
        let digests = anchors.digests();
        let given: Vec<Given> = digests.map(|digest| known(&digest.to_string())).collect();
        console.data(&given, |given| {
            Table::list("no keys", &["key, SHA-256", "known as"]).rows(given, |key| {
                let name = key.known_as.unwrap_or("-");
                [key.spki_sha256.clone(), name.to_owned()]
            })
        })?;
        return Ok(Exit::Done);
    }
    let roots: Vec<Root> = ROOTS.iter().map(Root::from).collect();
    console.data(&roots, |roots| {
        let header = [
            "for",
            "name",
            "key",
            "SHA-256",
            "until",
            "what speaks for it",
        ];
        Table::list("no roots", &header).rows(roots, |root| {
            let until = root.certificates.iter().map(|one| one.not_after).max();
            [
                root.used_for.to_owned(),
                root.name.to_owned(),
                root.key.to_owned(),
                root.spki_sha256.to_owned(),
                until.unwrap_or("-").to_owned(),
                root.verified.to_owned(),
            ]
        })
    })?;
    Ok(Exit::Done)
}

fn known(digest: &str) -> Given {
    let root = ROOTS.iter().find(|root| root.spki_sha256 == digest);
    Given {
        spki_sha256: digest.to_owned(),
        known_as: root.map(|root| root.name),
    }
}
