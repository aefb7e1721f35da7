//! The rules of an Android attestation chain.
//!
//! Decides whether a chain is authentic. A general path validator (RFC 5280 section 6) is the wrong
//! tool: it refuses a quarter of the phones in people's hands, for faults that cannot change a
//! meaning, and accepts the attack that matters here. An app can use its attested key as a certificate
//! authority and sign a leaf with an invented description; only the *shape* of the chain gives that
//! away, since some genuine attestation certificates are marked as no authority either.
//!
//! It refuses to know what an operator accepts; it knows what Google's key store writes.

use std::sync::Arc;

use super::attest_key;
use super::certificate::Certificate;
use super::key_description::UnverifiedKeyDescription;
use super::proven::{Authority, AuthorityMemory, ProvenAuthorities, identity};
use super::{
    AnchorKind, Anchors, AttestKeyFacts, AttestedKey, ChallengeComparison, KeyFacts,
    MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_CHAIN_BYTES, Provisioning, RevocationList,
    SecurityLevel,
};
use crate::anchors::software_root;
use crate::{Context, ExpectedChallenge, Octets, Reject, Sha256Digest, UnixTime};

/// Leaf, attestation certificate, one above: no shape has fewer.
const FEWEST_CERTIFICATES: usize = 3;

/// Authenticates a chain, leaf first.
pub(crate) fn verify(
    chain: &[Vec<u8>],
    context: &Context<'_>,
    memory: &dyn AuthorityMemory,
) -> Result<KeyFacts, Reject> {
    let (leaf_der, upper) = within_budget(chain)?;
    let leaf = Certificate::parse(leaf_der, 0)?;
    let proven = prove(upper, context.anchors, memory)?;
    let anchor = context
        .anchors
        .find(&proven.root)
        .ok_or(Reject::RootNotTrusted)?
        .kind;
    proven.issued(&leaf)?;
    // Attest keys of the app's are judged like leaves: by what they describe, not by dates or numbers.
    let attest_keys = attest_key::count(&proven.authorities, context.attest_keys);
    let (attest_keys, authorities) = proven
        .authorities
        .split_at_checked(attest_keys)
        .ok_or(Reject::ChainTooShort)?;
    let provisioning = shape(authorities)?;
    let first = attest_keys.len().saturating_add(1);
    let description = description_on_leaf_only(&leaf, authorities, first)?;
    in_time((authorities, first), provisioning, context.now)?;
    not_revoked(authorities, context.revocations)?;
    let description = UnverifiedKeyDescription::parse(description)?;
    let attest_key = attest_key::facts(attest_keys, &description)?;
    let challenge = compare(&description.challenge, context.challenge)?;
    let authenticated = Authenticated {
        anchor,
        root: Sha256Digest::of(&proven.root),
        provisioning,
        challenge,
        attest_key,
    };
    Ok(facts(&leaf, authorities, description, authenticated))
}

/// Sizes first: nothing is parsed that is too large to be genuine.
fn within_budget(chain: &[Vec<u8>]) -> Result<(&[u8], &[Vec<u8>]), Reject> {
    if chain.len() > MAX_CERTIFICATES {
        return Err(Reject::TooManyCertificates);
    }
    if let Some(position) = chain
        .iter()
        .position(|der| der.len() > MAX_CERTIFICATE_BYTES)
    {
        return Err(Reject::CertificateTooLarge { position });
    }
    if chain.iter().map(Vec::len).sum::<usize>() > MAX_CHAIN_BYTES {
        return Err(Reject::ChainTooLarge);
    }
    match chain.split_first() {
        Some((leaf, upper)) if chain.len() >= FEWEST_CERTIFICATES => Ok((leaf, upper)),
        _ => Err(Reject::ChainTooShort),
    }
}

/// Proves the certificates above the leaf, or remembers that they were proven. Phones have attestation
/// certificates of their own under shared authorities, so those are remembered apart.
fn prove(
    upper: &[Vec<u8>],
    anchors: &Anchors,
    memory: &dyn AuthorityMemory,
) -> Result<Arc<ProvenAuthorities>, Reject> {
    // Where a chain ends depends on the anchors it was proven for: another account may trust a key in the
    // middle of a chain that came without its root. What ends at a key that is none of ours is proven anew.
    let remembered = |identity: &Sha256Digest| {
        let proven = memory.find(identity)?;
        anchors.find(&proven.root).is_some().then_some(proven)
    };
    let whole = identity(upper);
    if let Some(proven) = remembered(&whole) {
        return Ok(proven);
    }
    let parsed: Vec<Certificate<'_>> = upper
        .iter()
        .zip(1..)
        .map(|(der, at)| Certificate::parse(der, at))
        .collect::<Result<_, _>>()?;
    let (Some((attestation, shared)), Some((_, shared_der))) =
        (parsed.split_first(), upper.split_first())
    else {
        return Err(Reject::ChainTooShort);
    };
    let shared_identity = identity(shared_der);
    let proven = match remembered(&shared_identity) {
        Some(proven) => proven,
        None => Arc::new(prove_shared(shared, anchors)?),
    };
    let extended = Arc::new(proven.extended(attestation)?);
    memory.keep(shared_identity, proven);
    memory.keep(whole, Arc::clone(&extended));
    Ok(extended)
}

fn prove_shared(
    shared: &[Certificate<'_>],
    anchors: &Anchors,
) -> Result<ProvenAuthorities, Reject> {
    let (last, below) = shared.split_last().ok_or(Reject::ChainTooShort)?;
    let (end, below) = if anchors.find(last.x509.spki()).is_some() {
        (ProvenAuthorities::root(last), below)
    } else if let Some(name) = software_root(last.x509.spki()) {
        return Err(Reject::SoftwareRoot { name });
    } else if last.is_self_issued() {
        return Err(Reject::RootNotTrusted);
    } else {
        (issuer_among(anchors, last)?, shared)
    };
    below
        .iter()
        .rev()
        .try_fold(end, |proven, certificate| proven.extended(certificate))
}

/// The anchor that signed a certificate whose chain ends without its root, as the chains of newer
/// phones may (passkeys since spring 2026). The signature says which anchor it is.
fn issuer_among(anchors: &Anchors, last: &Certificate<'_>) -> Result<ProvenAuthorities, Reject> {
    anchors
        .iter()
        .filter_map(|anchor| Some((anchor, anchor.key()?)))
        .find(|(_, key)| last.is_signed_by(Some(key)).is_ok())
        .map(|(anchor, key)| ProvenAuthorities::unsent_root(anchor.spki.clone(), key))
        .ok_or(Reject::RootNotTrusted)
}

/// Exactly as many authorities as the shape has: leaf, attestation certificate, batch authority and
/// root in the factory; leaf, attestation certificate, two servers and root remotely.
fn shape(authorities: &[Authority]) -> Result<Provisioning, Reject> {
    let under_root = authorities.last().ok_or(Reject::ChainTooShort)?;
    let provisioning = under_root.provisioning.ok_or(Reject::ChainShapeUnknown)?;
    let wanted = match provisioning {
        Provisioning::Factory => 2,
        Provisioning::Remote => 3,
    };
    match authorities.len().cmp(&wanted) {
        std::cmp::Ordering::Less => Err(Reject::ChainTooShort),
        std::cmp::Ordering::Equal => Ok(provisioning),
        std::cmp::Ordering::Greater => Err(Reject::ChainExtended),
    }
}

/// Seen from the root, the first description must be the leaf's: what stands below another one was
/// signed by an app, not by the key store.
fn description_on_leaf_only<'a>(
    leaf: &Certificate<'a>,
    authorities: &[Authority],
    first: usize,
) -> Result<&'a [u8], Reject> {
    if let Some(above_leaf) = authorities.iter().rposition(Authority::describes_key) {
        let position = above_leaf.saturating_add(first);
        return Err(Reject::KeyDescriptionNotOnLeaf { position });
    }
    leaf.description().ok_or(Reject::KeyDescriptionMissing)
}

/// Factory certificates were burnt in and do not stop being genuine when they run out: Google's own
/// verifier ignores their end since 2026-04-20. Those of remote provisioning are renewed every few
/// weeks, and their end limits what a leaked one is good for. Leaves carry nonsense (1970 to 1970),
/// roots are pinned by key.
fn in_time(
    (authorities, first): (&[Authority], usize),
    provisioning: Provisioning,
    now: UnixTime,
) -> Result<(), Reject> {
    for (authority, position) in authorities.iter().zip(first..) {
        if now < authority.not_before {
            return Err(Reject::CertificateNotYetValid { position });
        }
        if provisioning == Provisioning::Remote && now > authority.not_after {
            return Err(Reject::CertificateExpired { position });
        }
    }
    Ok(())
}

fn valid_from(authorities: &[Authority]) -> UnixTime {
    let begins = authorities.iter().map(|authority| authority.not_before);
    begins.max().unwrap_or(UnixTime(i64::MIN))
}

/// Those of a factory have no end (see [`in_time`]).
fn valid_until(authorities: &[Authority], provisioning: Provisioning) -> Option<UnixTime> {
    let ends = authorities.iter().map(|authority| authority.not_after);
    match provisioning {
        Provisioning::Factory => None,
        Provisioning::Remote => ends.min(),
    }
}

/// Never the leaf: almost every leaf has the number 1. The subject's `serialNumber` names the key box
/// itself, and lists have been seen to use it.
fn not_revoked(authorities: &[Authority], revocations: &RevocationList) -> Result<(), Reject> {
    let numbers = authorities
        .iter()
        .flat_map(|authority| std::iter::once(&authority.serial).chain(&authority.subject_serial));
    match numbers
        .into_iter()
        .find(|serial| revocations.contains(serial))
    {
        Some(serial) => Err(Reject::CertificateRevoked {
            serial: serial.clone(),
        }),
        None => Ok(()),
    }
}

fn compare(
    challenge: &[u8],
    expected: ExpectedChallenge<'_>,
) -> Result<ChallengeComparison, Reject> {
    match expected {
        ExpectedChallenge::Exactly(expected) if challenge == expected => {
            Ok(ChallengeComparison::Equal)
        }
        ExpectedChallenge::Exactly(_) => Err(Reject::ChallengeMismatch),
        ExpectedChallenge::NotCompared => Ok(ChallengeComparison::NotCompared),
    }
}

/// What the chain itself showed.
struct Authenticated {
    anchor: AnchorKind,
    root: Sha256Digest,
    provisioning: Provisioning,
    challenge: ChallengeComparison,
    attest_key: Option<AttestKeyFacts>,
}

/// Description and key of the *same* certificate, as one value: whoever takes the genuine
/// description from one place and the key from another has authenticated a forger's key.
fn facts(
    leaf: &Certificate<'_>,
    authorities: &[Authority],
    description: UnverifiedKeyDescription,
    authenticated: Authenticated,
) -> KeyFacts {
    let [os_patch, vendor_patch, boot_patch] = description.patch_levels();
    let attestation = authorities.first();
    KeyFacts {
        public_key: attested_key(leaf),
        anchor: authenticated.anchor,
        root: authenticated.root,
        provisioning: authenticated.provisioning,
        chain_level: attestation.map_or(SecurityLevel::Software, |authority| authority.level),
        serials: authorities
            .iter()
            .map(|authority| authority.serial.clone())
            .collect(),
        subject_serials: authorities
            .iter()
            .filter_map(|authority| authority.subject_serial.clone())
            .collect(),
        attestation_key: attestation.map_or(authenticated.root, |authority| authority.key),
        valid_from: valid_from(authorities),
        valid_until: valid_until(authorities, authenticated.provisioning),
        certificates_issued: attestation.and_then(|authority| authority.certificates_issued),
        attest_key: authenticated.attest_key,
        challenge: authenticated.challenge,
        attestation_version: description.attestation_version,
        keymint_version: description.keymint_version,
        attestation_level: description.attestation_level,
        keymint_level: description.keymint_level,
        origin: description.origin(),
        purposes: description.purposes(),
        root_of_trust: description.root_of_trust().cloned(),
        os_patch,
        vendor_patch,
        boot_patch,
        application: description.application().cloned(),
        tolerated: description.tolerated.into_iter().collect(),
    }
}

fn attested_key(leaf: &Certificate<'_>) -> AttestedKey {
    match leaf.x509.key().as_ref().and_then(|key| key.p256_point()) {
        Some(point) => AttestedKey::P256 {
            point: Octets(point.to_vec()),
        },
        None => other_key(leaf.x509.key_algorithm()),
    }
}

/// FIPS 204's parameter sets, as RFC 9881 identifies them.
fn other_key(identifier: String) -> AttestedKey {
    let parameter_set = match identifier.as_str() {
        "2.16.840.1.101.3.4.3.17" => 44,
        "2.16.840.1.101.3.4.3.18" => 65,
        "2.16.840.1.101.3.4.3.19" => 87,
        _ => return AttestedKey::Other { identifier },
    };
    AttestedKey::MlDsa { parameter_set }
}
