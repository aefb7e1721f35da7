//! The trusted set: order, authorship, expiry, restoring; and every reject by breaking one rule.

use std::collections::BTreeSet;

use bonafide_trust::author::Role;
use bonafide_trust::{
    Bundle, ManagedRoots, Pin, RootMetadata, TrustReject, TrustedSet, Updated, author, limits,
};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::envelope::Envelope;
use bonafide_wire::ids::AccountId;
use proptest::prelude::*;

use crate::signer::{NOW, Signer, account, bundle, envelope, reply, root};

struct Keys {
    root: Signer,
    next: Signer,
    bundle: Signer,
}

impl Keys {
    fn new() -> Self {
        Self {
            root: Signer::new(),
            next: Signer::new(),
            bundle: Signer::new(),
        }
    }

    fn empty_set(&self) -> TrustedSet {
        TrustedSet::new(account(), self.root.id())
    }

    /// A set that holds root 1 and bundle 5.
    fn set(&self) -> TrustedSet {
        let mut set = self.empty_set();
        assert_eq!(set.update(&self.reply(&bundle(5)), NOW), Ok(Updated::Newer));
        set
    }

    fn root_1(&self) -> Envelope {
        root_envelope(&root(1, &self.root, &self.bundle), &[&self.root])
    }

    fn bundle(&self, bundle: &Bundle) -> Envelope {
        envelope(
            Role::Bundle,
            &serde_json::to_vec(bundle).unwrap(),
            &[&self.bundle],
        )
    }

    fn reply(&self, bundle: &Bundle) -> Vec<u8> {
        reply(self.root_1(), self.bundle(bundle))
    }

    fn reply_with_root(&self, metadata: &RootMetadata, signers: &[&Signer]) -> Vec<u8> {
        let bundle = Bundle {
            root_version: metadata.version,
            ..bundle(5 + metadata.version)
        };
        reply(root_envelope(metadata, signers), self.bundle(&bundle))
    }
}

fn root_envelope(metadata: &RootMetadata, signers: &[&Signer]) -> Envelope {
    envelope(Role::Root, &serde_json::to_vec(metadata).unwrap(), signers)
}

fn with_bundle(change: impl FnOnce(&mut Bundle)) -> Bundle {
    let mut bundle = bundle(6);
    change(&mut bundle);
    bundle
}

fn pins(count: u8) -> Vec<Pin> {
    (0..count)
        .map(|fill| Pin {
            spki_sha256: Base64Url(vec![fill; 32]),
        })
        .collect()
}

fn other_account() -> AccountId {
    AccountId::parse("other").unwrap()
}

/// Replies that break one rule each, for a set that holds root 1 and bundle 5.
fn broken_replies(keys: &Keys) -> Vec<(TrustReject, Vec<u8>)> {
    let mut cases = broken_envelopes(keys);
    cases.extend(broken_roots(keys));
    cases.extend(broken_bundles(keys));
    cases
}

fn broken_envelopes(keys: &Keys) -> Vec<(TrustReject, Vec<u8>)> {
    use TrustReject::{Malformed, Signatures, TooLarge};
    let good = String::from_utf8(keys.reply(&bundle(6))).unwrap();
    let doubled = envelope(
        Role::Bundle,
        &serde_json::to_vec(&bundle(6)).unwrap(),
        &[&keys.bundle, &keys.bundle],
    );
    let others: Vec<Signer> = (0..9).map(|_| Signer::new()).collect();
    let crowd = envelope(
        Role::Bundle,
        &serde_json::to_vec(&bundle(6)).unwrap(),
        &others.iter().collect::<Vec<_>>(),
    );
    vec![
        (TooLarge, vec![b' '; limits::MOST_BYTES + 1]),
        (
            Malformed,
            good.replacen('{', r#"{"more":1,"#, 1).into_bytes(),
        ),
        (
            Malformed,
            good.replace(r#""payload":""#, r#""payload":"="#)
                .into_bytes(),
        ),
        (Malformed, b"[]".to_vec()),
        (Signatures, reply(keys.root_1(), doubled)),
        (Signatures, reply(keys.root_1(), crowd)),
    ]
}

fn broken_roots(keys: &Keys) -> Vec<(TrustReject, Vec<u8>)> {
    let both = [&keys.root, &keys.next];
    let next = |change: &dyn Fn(&mut RootMetadata)| {
        let mut metadata = root(2, &keys.next, &keys.bundle);
        change(&mut metadata);
        metadata
    };
    let malformed = envelope(Role::Root, br#"{"version":2}"#, &both);
    let padded = [
        serde_json::to_vec(&next(&|_| ())).unwrap(),
        vec![b' '; limits::MOST_ROOT_BYTES],
    ]
    .concat();
    let as_bundle = envelope(
        Role::Bundle,
        &serde_json::to_vec(&next(&|_| ())).unwrap(),
        &both,
    );
    let broken = |change: &dyn Fn(&mut RootMetadata)| keys.reply_with_root(&next(change), &both);
    vec![
        (
            TrustReject::RootMalformed,
            reply(malformed, keys.bundle(&bundle(6))),
        ),
        (
            TrustReject::TooLarge,
            reply(
                envelope(Role::Root, &padded, &both),
                keys.bundle(&bundle(6)),
            ),
        ),
        (
            TrustReject::RootUnsignedByOld,
            reply(as_bundle, keys.bundle(&bundle(6))),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| root.roles.root.threshold = 0),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| root.roles.bundle.threshold = 2),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| root.keys.truncate(1)),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| root.keys.push(root.keys[0].clone())),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| root.version = 1 << 60),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| {
                let id = root.roles.root.key_ids[0].clone();
                root.roles.root.key_ids.push(id);
            }),
        ),
        (
            TrustReject::RootRules,
            broken(&|root| root.keys[0].public_key.0.truncate(64)),
        ),
        (
            TrustReject::RootForeign,
            broken(&|root| root.account = other_account()),
        ),
        (
            TrustReject::RootExpired,
            broken(&|root| root.expires_at = NOW),
        ),
        (
            TrustReject::RootUnsignedByOld,
            keys.reply_with_root(&next(&|_| ()), &[&keys.next]),
        ),
        (
            TrustReject::RootUnsignedByNew,
            keys.reply_with_root(&next(&|_| ()), &[&keys.root]),
        ),
        (TrustReject::RootAltered, broken(&|root| root.version = 1)),
    ]
}

fn broken_bundles(keys: &Keys) -> Vec<(TrustReject, Vec<u8>)> {
    let broken = |change: &dyn Fn(&mut Bundle)| keys.reply(&with_bundle(change));
    let payload = serde_json::to_vec(&bundle(6)).unwrap();
    let by = |signers: &[&Signer]| reply(keys.root_1(), envelope(Role::Bundle, &payload, signers));
    let as_root = envelope(Role::Root, &payload, &[&keys.bundle]);
    let unknown =
        String::from_utf8(payload.clone())
            .unwrap()
            .replacen('{', r#"{"revoked_keys":[],"#, 1);
    let unknown = envelope(Role::Bundle, unknown.as_bytes(), &[&keys.bundle]);
    vec![
        (TrustReject::BundleUnsigned, by(&[])),
        (TrustReject::BundleUnsigned, by(&[&keys.root])),
        (TrustReject::BundleUnsigned, reply(keys.root_1(), as_root)),
        (TrustReject::BundleMalformed, reply(keys.root_1(), unknown)),
        (
            TrustReject::BundleForeign,
            broken(&|bundle| bundle.account = other_account()),
        ),
        (
            TrustReject::BundleRootVersion,
            broken(&|bundle| bundle.root_version = 2),
        ),
        (
            TrustReject::BundleRollback,
            broken(&|bundle| bundle.version = 4),
        ),
        (
            TrustReject::BundleAltered,
            broken(&|bundle| (bundle.version, bundle.apis) = (5, vec![])),
        ),
        (
            TrustReject::BundleExpired,
            broken(&|bundle| bundle.expires_at = NOW),
        ),
        (
            TrustReject::RootsMissing,
            broken(&|bundle| bundle.roots.clear()),
        ),
        (
            TrustReject::PinsWithoutBackup,
            broken(&|bundle| bundle.apis[0].pins = pins(1)),
        ),
        (
            TrustReject::PinsWithoutBackup,
            broken(&|bundle| {
                bundle.apis[0].pins = [pins(1), pins(1)].concat();
            }),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.apis[0].pins = pins(17)),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| {
                bundle.apis[0].pins = pins(2);
                bundle.apis[0].pins[0].spki_sha256.0.push(0);
            }),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.version = 0),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.version = 1 << 60),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.issued_at = bundle.expires_at),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.roots.push(bundle.roots[0].clone())),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.apis.push(bundle.apis[0].clone())),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.roots[0].spki.0.clear()),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.roots[0].subject.0 = vec![0; 4097]),
        ),
        (
            TrustReject::BundleRules,
            broken(&|bundle| bundle.roots[0].name = "n".repeat(129)),
        ),
    ]
}

#[test]
fn each_broken_rule_is_refused_by_its_name_and_changes_nothing() {
    let keys = Keys::new();
    for (number, (reject, bytes)) in broken_replies(&keys).into_iter().enumerate() {
        let mut set = keys.set();
        let before = set.clone();
        assert_eq!(set.update(&bytes, NOW), Err(reject), "case {number}");
        assert_eq!(set, before, "case {number}");
        assert_eq!(set.bundle().unwrap().version, 5, "case {number}");
    }
}

#[test]
fn every_reject_can_happen() {
    let keys = Keys::new();
    let seen: BTreeSet<TrustReject> = broken_replies(&keys).into_iter().map(|(r, _)| r).collect();
    // These need a history of their own; tests below produce them.
    let elsewhere = BTreeSet::from([
        TrustReject::RootNotOurs,
        TrustReject::RootRollback,
        TrustReject::RootChain,
    ]);
    let all: BTreeSet<TrustReject> = TrustReject::ALL.iter().copied().collect();
    assert_eq!(&seen | &elsewhere, all);
    let codes: BTreeSet<&str> = all.iter().map(|reject| reject.code()).collect();
    assert_eq!(codes.len(), all.len());
}

#[test]
fn the_first_root_must_be_signed_by_the_key_of_the_config_string() {
    let keys = Keys::new();
    let mut set = TrustedSet::new(account(), Signer::new().id());
    assert_eq!(
        set.update(&keys.reply(&bundle(5)), NOW),
        Err(TrustReject::RootNotOurs)
    );
    // Naming the key is not enough: it must have signed.
    let mut metadata = root(1, &keys.next, &keys.bundle);
    metadata.keys.push(bonafide_trust::RootKey {
        public_key: Base64Url(keys.root.point().to_vec()),
    });
    let bytes = keys.reply_with_root(&metadata, &[&keys.next]);
    assert_eq!(
        keys.empty_set().update(&bytes, NOW),
        Err(TrustReject::RootNotOurs)
    );
}

#[test]
fn a_root_is_rotated_by_old_and_new_keys_and_never_back() {
    let keys = Keys::new();
    let mut set = keys.set();
    let second = root(2, &keys.next, &keys.bundle);
    let rotation = keys.reply_with_root(&second, &[&keys.root, &keys.next]);
    assert_eq!(set.update(&rotation, NOW), Ok(Updated::Newer));
    assert_eq!(set.update(&rotation, NOW), Ok(Updated::Unchanged));

    let first_again = reply(
        root_envelope(
            &root(1, &keys.root, &keys.bundle),
            &[&keys.root, &keys.next],
        ),
        keys.bundle(&bundle(7)),
    );
    assert_eq!(
        set.update(&first_again, NOW),
        Err(TrustReject::RootRollback)
    );

    // Saved and restored, it still knows where it was.
    let restored = TrustedSet::restore(account(), keys.root.id(), &set.save().unwrap()).unwrap();
    assert_eq!(restored, set);
}

#[test]
fn a_threshold_counts_distinct_keys() {
    let keys = Keys::new();
    let mut metadata = root(1, &keys.root, &keys.bundle);
    metadata.roles.root.key_ids.push(keys.bundle.id());
    metadata.roles.root.threshold = 2;
    let one = keys.reply_with_root(&metadata, &[&keys.root]);
    assert_eq!(
        keys.empty_set().update(&one, NOW),
        Err(TrustReject::RootUnsignedByNew)
    );
    let two = keys.reply_with_root(&metadata, &[&keys.root, &keys.bundle]);
    assert_eq!(keys.empty_set().update(&two, NOW), Ok(Updated::Newer));
}

#[test]
fn rotations_without_the_first_key_are_bounded() {
    let keys = Keys::new();
    let mut set = keys.set();
    let mut old = Signer::new();
    let to_other = keys.reply_with_root(&root(2, &old, &keys.bundle), &[&keys.root, &old]);
    assert_eq!(set.update(&to_other, NOW), Ok(Updated::Newer));
    let last = (3..200).find_map(|version| {
        let new = Signer::new();
        let reply = keys.reply_with_root(&root(version, &new, &keys.bundle), &[&old, &new]);
        old = new;
        set.update(&reply, NOW).err()
    });
    assert_eq!(last, Some(TrustReject::RootChain));
    let saved = set.save().unwrap();
    assert_eq!(
        TrustedSet::restore(account(), keys.root.id(), &saved).as_ref(),
        Ok(&set)
    );
}

#[test]
fn a_clock_that_went_back_does_not_revive_old_documents() {
    let keys = Keys::new();
    let mut set = keys.set();
    let revived = with_bundle(|bundle| {
        bundle.issued_at = NOW - 500;
        bundle.expires_at = NOW - 100;
    });
    // The device says it is long ago, but a bundle issued at NOW - 10 was already seen.
    assert_eq!(
        set.update(&keys.reply(&revived), NOW - 400),
        Err(TrustReject::BundleExpired)
    );
}

#[test]
fn restoring_believes_only_what_is_signed() {
    let keys = Keys::new();
    let saved = keys.set().save().unwrap();
    let restore = |saved: &[u8]| TrustedSet::restore(account(), keys.root.id(), saved);
    assert_eq!(restore(&saved).unwrap().bundle(), Some(&bundle(5)));
    assert_eq!(keys.empty_set().save(), None);
    assert_eq!(
        TrustedSet::restore(account(), keys.next.id(), &saved),
        Err(TrustReject::RootNotOurs)
    );
    assert_eq!(
        TrustedSet::restore(other_account(), keys.root.id(), &saved),
        Err(TrustReject::RootNotOurs)
    );
    assert_eq!(
        restore(&vec![b' '; limits::MOST_SAVED_BYTES + 1]),
        Err(TrustReject::TooLarge)
    );
    for at in (0..saved.len()).step_by(7) {
        let mut damaged = saved.clone();
        damaged[at] ^= 1;
        assert!(restore(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn an_author_cannot_publish_what_a_reader_would_refuse() {
    let mut without_roots = bundle(1);
    without_roots.roots.clear();
    assert_eq!(
        author::bundle_payload(&without_roots),
        Err(author::AuthorError(TrustReject::RootsMissing))
    );
    without_roots.managed_roots = ManagedRoots::Off;
    assert!(author::bundle_payload(&without_roots).is_ok());
    let keys = Keys::new();
    let mut metadata = root(1, &keys.root, &keys.bundle);
    assert!(author::root_payload(&metadata).is_ok());
    metadata.roles.root.threshold = 2;
    assert_eq!(
        author::root_payload(&metadata),
        Err(author::AuthorError(TrustReject::RootRules))
    );
}

#[test]
fn the_bytes_that_are_signed_are_fixed() {
    let bundle = Bundle {
        roots: vec![],
        managed_roots: ManagedRoots::Off,
        ..bundle(3)
    };
    let text = String::from_utf8(author::bundle_payload(&bundle).unwrap()).unwrap();
    insta::assert_snapshot!(text, @r#"{"account":"acme","version":3,"issued_at":1794999990,"expires_at":1795001000,"root_version":1,"managed_roots":"off","roots":[],"apis":[{"host":"api.example.com","token":"token","pins":[]}]}"#);
    let metadata = RootMetadata::single(account(), 1, 2, [&[4; 65], &[4; 65]]);
    let text = String::from_utf8(author::root_payload(&metadata).unwrap()).unwrap();
    let point = bonafide_wire::bytes::encode([4; 65]);
    let id = bonafide_wire::envelope::key_id(&[4; 65]);
    assert_eq!(
        text,
        format!(
            r#"{{"account":"acme","version":1,"expires_at":2,"keys":[{{"public_key":"{point}"}}],"roles":{{"root":{{"key_ids":["{id}"],"threshold":1}},"bundle":{{"key_ids":["{id}"],"threshold":1}}}}}}"#
        )
    );
}

#[test]
fn the_whole_mozilla_programme_fits() {
    let keys = Keys::new();
    let mut roots: Vec<_> = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .map(bonafide_trust::ManagedRoot::from_anchor)
        .collect();
    roots.sort_by(|a, b| a.name.cmp(&b.name));
    roots.dedup_by(|a, b| a.name == b.name);
    assert!(roots.len() > 100);
    assert!(roots.iter().any(|root| root.name_constraints.is_some()));
    let reply = keys.reply(&with_bundle(|bundle| bundle.roots = roots));
    assert!(reply.len() < limits::MOST_BYTES / 2, "{}", reply.len());
    assert_eq!(keys.set().update(&reply, NOW), Ok(Updated::Newer));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_order_of_bundles_lowers_the_version(
        order in proptest::collection::vec((1_u64..8, 0_i64..3, any::<bool>()), 1..24),
    ) {
        let keys = Keys::new();
        let mut set = keys.empty_set();
        for (version, age, expired) in order {
            let before = set.version();
            let bundle = Bundle {
                version,
                issued_at: NOW - 10 - age,
                expires_at: if expired { NOW - 5 } else { NOW + 1000 },
                ..bundle(1)
            };
            let outcome = set.update(&keys.reply(&bundle), NOW);
            prop_assert!(set.version() >= before);
            prop_assert_eq!(outcome == Ok(Updated::Newer), set.version() > before);
            let saved = set.save().map(|saved| {
                TrustedSet::restore(account(), keys.root.id(), &saved).unwrap()
            });
            prop_assert_eq!(saved.map_or(0, |saved| saved.version()), set.version());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Foreign bytes: no panic, and nothing that the account's keys did not sign is believed.
    #[test]
    fn altered_bytes_are_never_believed(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let keys = Keys::new();
        let genuine = keys.reply(&bundle(6));
        let mut altered = genuine.clone();
        for (at, byte) in changes {
            let at = at.index(altered.len());
            altered[at] = byte;
        }
        let shortened = &genuine[..cut.index(genuine.len())];
        for bytes in [altered.as_slice(), shortened] {
            let mut set = keys.empty_set();
            if set.update(bytes, NOW).is_ok() {
                prop_assert_eq!(set.bundle(), Some(&bundle(6)));
            }
        }
    }
}
