//! `embedded.mobileprovision`: Apple's permission for this app, this team and these devices.
//!
//! Decides whether the profile's own signature holds and whether it covers the app that carries it.

use crate::certificate::Certificate;
use crate::finding::{Check, Code, Finding, OrBroken, broken};
use crate::ios::chain::is_apple;
use crate::ios::facts::{ProfileFacts, ProfileKind};
use crate::pkcs7::{self, SignedData};
use crate::plist::Plist;

pub(crate) const FILE: &str = "embedded.mobileprovision";

/// A profile whose signature holds.
#[derive(Debug)]
pub(crate) struct Profile {
    list: Plist,
    pub(crate) facts: ProfileFacts,
}

/// Verifies the profile's signature and reads it.
pub(crate) fn verify(bytes: &[u8], findings: &mut Vec<Finding>) -> Check<Profile> {
    let data = SignedData::parse(bytes).or_broken(Code::AppleProfileMalformed, "not CMS")?;
    let content = data
        .content
        .as_deref()
        .or_broken(Code::AppleProfileMalformed, "nothing inside")?;
    let [info] = data.signers.as_slice() else {
        return broken(
            Code::AppleProfileMalformed,
            format!("{} signers", data.signers.len()),
        );
    };
    let signer = data
        .certificate_of(info)
        .or_broken(Code::CertificateMissing, "profile")?;
    let attributes = info.attributes();
    let digest = attributes.as_deref().and_then(pkcs7::message_digest);
    let hash = pkcs7::hash_by_oid(&info.digest_algorithm);
    let digest_holds = match (digest, hash) {
        (Some(digest), Some(hash)) => hash.digest(content) == digest,
        (None, _) => !info.has_attributes(),
        (Some(_), None) => false,
    };
    if !digest_holds || !info.verifies(signer, content) {
        return broken(Code::SignatureWrong, "profile");
    }
    if !is_apple(signer, &data.certificates) {
        findings.push(Finding::new(Code::AppleChainUntrusted, "profile"));
    }
    let list = Plist::parse(content).or_broken(Code::AppleProfileMalformed, "property list")?;
    let facts = facts(&list);
    Ok(Profile { list, facts })
}

fn facts(list: &Plist) -> ProfileFacts {
    let texts = |key| -> Vec<String> {
        let items = list.array(key).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| {
                if let Plist::Text(text) = item {
                    Some(text.clone())
                } else {
                    None
                }
            })
            .collect()
    };
    let devices = list.array("ProvisionedDevices").map_or(0, <[Plist]>::len);
    let debuggable = list
        .get("Entitlements")
        .is_some_and(|rights| rights.flag("get-task-allow"));
    let kind = if list.flag("ProvisionsAllDevices") {
        ProfileKind::Enterprise
    } else if list.get("ProvisionedDevices").is_none() {
        ProfileKind::Store
    } else if debuggable {
        ProfileKind::Development
    } else {
        ProfileKind::AdHoc
    };
    let expires = match list.get("ExpirationDate") {
        Some(Plist::Other(date)) => Some(date.clone()),
        _ => None,
    };
    ProfileFacts {
        name: list.text("Name").unwrap_or_default().to_owned(),
        kind,
        teams: texts("TeamIdentifier"),
        expires,
        devices,
    }
}

impl Profile {
    /// Whether the profile permits this signer and these rights.
    pub(crate) fn check_covers(
        &self,
        signer: &Certificate,
        team_id: Option<&str>,
        entitlements: Option<&Plist>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let certificates = self.list.array("DeveloperCertificates").unwrap_or_default();
        let named = certificates
            .iter()
            .any(|item| matches!(item, Plist::Data(data) if *data == signer.der));
        if !named {
            findings.push(Finding::new(
                Code::AppleSignerNotInProfile,
                signer.sha256().to_string(),
            ));
        }
        if let Some(team) = team_id
            && !self.facts.teams.iter().any(|known| known == team)
        {
            findings.push(Finding::new(
                Code::AppleTeamDiffers,
                format!("app {team}, profile {:?}", self.facts.teams),
            ));
        }
        let granted = self.list.get("Entitlements");
        if let (Some(Plist::Dictionary(claimed)), Some(granted)) = (entitlements, granted) {
            for (right, value) in claimed {
                if !granted.get(right).is_some_and(|grant| covers(grant, value)) {
                    findings.push(Finding::new(
                        Code::AppleEntitlementNotGranted,
                        right.clone(),
                    ));
                }
            }
        }
        findings
    }
}

/// Whether a grant covers a claim: the same, a pattern that ends in `*`, or one of several.
fn covers(grant: &Plist, claim: &Plist) -> bool {
    match (grant, claim) {
        (Plist::Text(pattern), Plist::Text(value)) => match pattern.strip_suffix('*') {
            Some(start) => value.starts_with(start),
            None => pattern == value,
        },
        (Plist::Array(grants), Plist::Array(claims)) => claims
            .iter()
            .all(|claim| grants.iter().any(|grant| covers(grant, claim))),
        (Plist::Array(grants), claim) => grants.iter().any(|grant| covers(grant, claim)),
        (grant, Plist::Array(claims)) => claims.iter().all(|claim| covers(grant, claim)),
        (Plist::Flag(granted), Plist::Flag(claimed)) => *granted || !claimed,
        (grant, claim) => grant == claim,
    }
}
