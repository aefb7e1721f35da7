//! Play Integrity: the sealed token, the signature inside, the JSON that Google decoded.
//!
//! Input: one byte that says which, then the text.
#![no_main]

use std::sync::LazyLock;

use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList};
use bonafide_evidence::play::{Binding, Freshness, PlayIntegrity, PlayKeys, PlayToken};
use bonafide_evidence::{Context, Evidence, ExpectedChallenge, Facts, UnixTime, verify};
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime(1_793_491_200);
/// A P-256 `SubjectPublicKeyInfo` up to the point, and the curve's base point.
const SPKI: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\
\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

static KEYS: LazyLock<PlayKeys> =
    LazyLock::new(|| PlayKeys::new(&[6; 32], SPKI).expect("two keys"));

fn ask(token: PlayToken<'_>) {
    let evidence = Evidence::PlayIntegrity(PlayIntegrity {
        token,
        binding: Binding::NotCompared,
        package: "com.example.books",
        freshness: Freshness::at(NOW),
    });
    let context = Context {
        now: NOW,
        challenge: ExpectedChallenge::NotCompared,
        anchors: &Anchors::none(),
        revocations: &RevocationList::empty(),
        attest_keys: AttestKeys::Refuse,
    };
    if let Ok(facts) = verify(&evidence, &context) {
        let json = serde_json::to_vec(&facts).expect("facts are JSON");
        assert_eq!(serde_json::from_slice::<Facts>(&json).ok(), Some(facts));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((which, text)) = data.split_first() else {
        return;
    };
    match which % 3 {
        0 => {
            if let Ok(token) = std::str::from_utf8(text) {
                ask(PlayToken::Sealed { token, keys: &KEYS });
            }
        }
        1 => bonafide_evidence::fuzzing::jws(text, &KEYS),
        _ => ask(PlayToken::Decoded(text)),
    }
});
