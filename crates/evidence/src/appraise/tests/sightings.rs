//! What may be seen under one attestation key, and what may not.

use super::*;
use crate::android::Contradiction;

fn seen(observations: &[KeyFacts]) -> AttestationKeySightings {
    let after = |previous, (facts, day): (&KeyFacts, i64)| {
        let at = NOW.plus_seconds(day * 86_400);
        Some(AttestationKeySightings::after(previous, facts, at))
    };
    observations.iter().zip(0..).fold(None, after).unwrap()
}

fn with(change: impl Fn(&mut KeyFacts)) -> KeyFacts {
    let mut facts = good_facts();
    change(&mut facts);
    facts
}

fn boot_key(facts: &mut KeyFacts, key: u8) {
    facts.root_of_trust.as_mut().unwrap().verified_boot_key = Octets(vec![key; 32]);
}

#[test]
fn phones_of_one_model_may_differ_in_what_their_owners_decide() {
    let factory = |change: &dyn Fn(&mut KeyFacts)| {
        with(|facts| {
            facts.provisioning = Provisioning::Factory;
            change(facts);
        })
    };
    let seen = seen(&[
        factory(&|_| {}),
        factory(&|facts| facts.os_patch = Some(PatchLevel(202_401))),
        factory(&|facts| facts.os_patch = Some(PatchLevel(0))),
        factory(&|facts| facts.root_of_trust = None),
        factory(&|facts| {
            boot_key(facts, 9);
            facts.root_of_trust.as_mut().unwrap().state = BootState::SelfSigned;
        }),
        factory(&|facts| {
            boot_key(facts, 0);
            facts.root_of_trust.as_mut().unwrap().state = BootState::Unverified;
        }),
    ]);
    assert_eq!(seen.contradictions(), []);
    assert_eq!(seen.keys, 6);
    assert_eq!(seen.last_seen, NOW.plus_seconds(5 * 86_400));
}

#[test]
fn a_phone_that_is_updated_contradicts_nothing() {
    let patched = |level| with(|facts| facts.os_patch = Some(PatchLevel(level)));
    let seen = seen(&[patched(202_609), patched(20_260_905), patched(202_611)]);
    assert_eq!(seen.contradictions(), []);
    assert_eq!(seen.newest_os_patch, Some(PatchLevel(202_611)));
}

#[test]
fn each_contradiction_is_named_whichever_comes_first() {
    let other_boot = with(|facts| boot_key(facts, 9));
    let other_level = with(|facts| facts.keymint_level = SecurityLevel::TrustedEnvironment);
    let other_birth = with(|facts| facts.provisioning = Provisioning::Factory);
    let cases = [
        (other_boot, Contradiction::BootKeys(2)),
        (other_level, Contradiction::SecurityLevels),
        (other_birth, Contradiction::Provisioning),
    ];
    for (other, contradiction) in cases {
        for observations in [[good_facts(), other.clone()], [other, good_facts()]] {
            let found = seen(&observations).contradictions();
            assert_eq!(
                found,
                std::slice::from_ref(&contradiction),
                "{contradiction}"
            );
        }
    }
    let older = with(|facts| facts.os_patch = Some(PatchLevel(202_606)));
    let told: Vec<_> = seen(&[good_facts(), older])
        .contradictions()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        ["the patch level of one phone fell from 202609 to 202606"]
    );
}

/// Whoever has a leaked key can say anything, as often as he likes: what is kept does not grow with it.
#[test]
fn what_is_kept_is_bounded() {
    let mut kept = None;
    for count in 0..1000_u32 {
        let facts = with(|facts| {
            let boot = facts.root_of_trust.as_mut().unwrap();
            boot.verified_boot_key = Octets([count.to_be_bytes().as_slice(), &[0; 9000]].concat());
            facts.os_patch = Some(PatchLevel(count));
        });
        kept = Some(AttestationKeySightings::after(kept, &facts, NOW));
    }
    let kept = kept.unwrap();
    let json = serde_json::to_string(&kept).unwrap();
    assert!(json.len() < 2000, "{}", json.len());
    let read: AttestationKeySightings = serde_json::from_str(&json).unwrap();
    assert_eq!(read, kept);
    assert_eq!(kept.keys, 1000);
}
