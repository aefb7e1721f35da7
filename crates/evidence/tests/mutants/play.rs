//! Play Integrity: the envelope, the request that it answers, and what the policy asks of the verdict.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonafide_evidence::android::ListAge;
use bonafide_evidence::play::Binding;
use bonafide_evidence::{
    Appraisal, Check, DeviceOverride, Facts, Measurements, Mode, Policy, ReferenceValue,
    Sha256Digest, Sightings, appraise,
};
use serde_json::{Value, json};

use super::mint::play::{Blueprint, NOW, NOW_MS, new_key, payload};
use super::random::Random;
use super::{Class, Control, Outcome};

/// A verdict that says everything, and says it well.
fn whole() -> Value {
    let mut payload = payload();
    payload["deviceIntegrity"] = json!({
        "deviceRecognitionVerdict": ["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY"],
        "recentDeviceActivity": {"deviceActivityLevel": "LEVEL_1"},
        "deviceAttributes": {"sdkVersion": 35},
        "deviceRecall": {"values": {"bitFirst": false, "bitSecond": false, "bitThird": false}},
    });
    payload["environmentDetails"] = json!({
        "playProtectVerdict": "NO_ISSUES",
        "appAccessRiskVerdict": {"appsDetected": ["KNOWN_INSTALLED"]},
    });
    payload
}

fn good() -> Blueprint {
    let mut blueprint = Blueprint::good();
    blueprint.payload = whole().to_string();
    blueprint
}

fn judge(blueprint: &Blueprint, token: &str) -> Outcome {
    let facts = blueprint.ask(token).map_err(|reject| vec![reject.code()])?;
    let mut policy = Policy::default();
    for check in [Check::MeasurementReadable, Check::MeasurementComplete] {
        policy.set_mode(check, Mode::Off);
    }
    for check in [
        Check::PlayActivity,
        Check::PlaySdk,
        Check::PlayRecall,
        Check::PlayLicence,
        Check::PlayProtect,
        Check::PlayApps,
    ] {
        policy.set_mode(check, Mode::Enforce);
    }
    policy.min_version_code = 5;
    let appraisal = Appraisal {
        facts: &Facts::PlayIntegrity(facts),
        measurements: &Measurements::NONE,
        references: &[ReferenceValue::Certificate {
            package: "com.example.books".to_owned(),
            signers: vec![Sha256Digest([7; 32])],
        }],
        device_override: DeviceOverride::None,
        revocation_list: ListAge::Missing,
        sightings: Sightings::NotKept,
        now: NOW,
    };
    match appraise(&appraisal, &policy).into_grant() {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal.codes().collect()),
    }
}

/// Changes the blueprint, which is signed and sealed then.
fn signed(random: &mut Random, change: impl FnOnce(&mut Blueprint, &mut Random)) -> Outcome {
    let mut blueprint = good();
    change(&mut blueprint, random);
    judge(&blueprint, &blueprint.mint())
}

/// Sets one member of the verdict.
fn set(random: &mut Random, path: &str, value: impl FnOnce(&mut Random) -> Value) -> Outcome {
    signed(random, |blueprint, random| {
        let mut payload = whole();
        *payload.pointer_mut(path).unwrap() = value(random);
        blueprint.payload = payload.to_string();
    })
}

/// Takes one member out of the verdict.
fn without(random: &mut Random, object: &str, member: &str) -> Outcome {
    signed(random, |blueprint, _| {
        let mut payload = whole();
        let members = payload.pointer_mut(object).unwrap();
        members.as_object_mut().unwrap().remove(member).unwrap();
        blueprint.payload = payload.to_string();
    })
}

/// Changes one part of the sealed token: 0 header, 1 key, 2 nonce, 3 ciphertext, 4 tag.
fn part(
    random: &mut Random,
    which: usize,
    change: impl FnOnce(&mut Vec<u8>, &mut Random),
) -> Outcome {
    let blueprint = good();
    let token = blueprint.mint();
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[which]).unwrap();
    change(&mut bytes, random);
    parts[which] = URL_SAFE_NO_PAD.encode(bytes);
    judge(&blueprint, &parts.join("."))
}

fn some_json(random: &mut Random) -> Value {
    let values = [
        json!(1.5),
        json!(-1),
        json!("-1"),
        json!(""),
        json!(true),
        json!([]),
        json!({}),
        json!(null),
        json!("1e3"),
        json!(" 7"),
    ];
    random.pick(&values).clone()
}

pub const CONTROLS: &[Control] = &[Control {
    name: "play-integrity",
    original: |random| signed(random, |_, _| {}),
}];

type Row = (&'static str, &'static str, fn(&mut Random) -> Outcome);

pub fn classes() -> Vec<Class> {
    [ENVELOPE, REQUEST, POLICY]
        .into_iter()
        .flatten()
        .map(|&(name, code, mutant)| Class { name, code, mutant })
        .collect()
}

const ENVELOPE: &[Row] = &[
    ("play: not five parts", "token-format", |r| {
        let blueprint = good();
        let mut parts: Vec<String> = blueprint.mint().split('.').map(str::to_owned).collect();
        if r.below(2) == 0 {
            parts.truncate(r.below(5));
        } else {
            parts.extend([r.word()]);
        }
        judge(&blueprint, &parts.join("."))
    }),
    (
        "play: a character that is not base64url",
        "token-format",
        |r| {
            let blueprint = good();
            let mut token = blueprint.mint().into_bytes();
            let at = r.below(token.len());
            let at = if token[at] == b'.' { at + 1 } else { at };
            token[at] = *r.pick(b"+/= \n\"{%~");
            judge(&blueprint, &String::from_utf8(token).unwrap())
        },
    ),
    ("play: a token too large", "token-format", |r| {
        let blueprint = good();
        let token = blueprint.mint() + &"A".repeat(64 * 1024 + r.below(1000));
        judge(&blueprint, &token)
    }),
    ("play: another key wrapping", "jwe-algorithm", |r| {
        signed(r, |blueprint, r| {
            let algorithm = r.pick(&[
                "dir",
                "A128KW",
                "A192KW",
                "A256GCMKW",
                "RSA-OAEP",
                "PBES2-HS512+A256KW",
                "a256kw",
                "",
            ]);
            blueprint.jwe_header = format!(r#"{{"alg":"{algorithm}","enc":"A256GCM"}}"#);
        })
    }),
    ("play: another encryption", "jwe-algorithm", |r| {
        signed(r, |blueprint, r| {
            let encryption =
                r.pick(&["A128GCM", "A192GCM", "A256CBC-HS512", "a256gcm", "none", ""]);
            blueprint.jwe_header = format!(r#"{{"alg":"A256KW","enc":"{encryption}"}}"#);
        })
    }),
    ("play: compressed", "jwe-algorithm", |r| {
        signed(r, |blueprint, r| {
            let zip = r.word();
            blueprint.jwe_header = format!(r#"{{"alg":"A256KW","enc":"A256GCM","zip":"{zip}"}}"#);
        })
    }),
    ("play: something critical", "jwe-algorithm", |r| {
        signed(r, |blueprint, r| {
            let word = r.word();
            blueprint.jwe_header =
                format!(r#"{{"alg":"A256KW","enc":"A256GCM","crit":["{word}"]}}"#);
        })
    }),
    ("play: a bit of the wrapped key", "jwe-undecryptable", |r| {
        part(r, 1, |bytes, r| r.flip(bytes))
    }),
    (
        "play: a wrapped key of another length",
        "jwe-undecryptable",
        |r| {
            part(r, 1, |bytes, r| {
                let length = [0, 8, 16, 24, 32, 39, 41, 48, 56][r.below(9)];
                bytes.resize(length, 0);
            })
        },
    ),
    (
        "play: a bit of the nonce of encryption",
        "jwe-undecryptable",
        |r| part(r, 2, |bytes, r| r.flip(bytes)),
    ),
    (
        "play: a nonce of encryption of another length",
        "jwe-undecryptable",
        |r| {
            part(r, 2, |bytes, r| {
                let length = [0, 1, 8, 11, 13, 16][r.below(6)];
                bytes.resize(length, 9);
            })
        },
    ),
    ("play: a bit of the ciphertext", "jwe-undecryptable", |r| {
        part(r, 3, |bytes, r| r.flip(bytes))
    }),
    ("play: a bit of the tag", "jwe-undecryptable", |r| {
        part(r, 4, |bytes, r| r.flip(bytes))
    }),
    ("play: a shorter tag", "jwe-undecryptable", |r| {
        part(r, 4, |bytes, r| {
            let length = r.below(16);
            bytes.truncate(length);
        })
    }),
    ("play: another decryption key", "jwe-undecryptable", |r| {
        signed(r, |blueprint, r| r.flip(&mut blueprint.wrapping))
    }),
    ("play: no signature inside", "jws-malformed", |r| {
        signed(r, |blueprint, r| {
            blueprint.jws_header = r
                .pick(&["", "[]", "7", "{", r#"{"alg":"ES256","alg":"ES256"}"#])
                .to_string();
        })
    }),
    ("play: another signature algorithm", "jws-algorithm", |r| {
        signed(r, |blueprint, r| {
            let algorithm = r.pick(&[
                "none", "HS256", "RS256", "ES384", "ES512", "PS256", "es256", "EdDSA", "",
            ]);
            blueprint.jws_header = format!(r#"{{"alg":"{algorithm}"}}"#);
        })
    }),
    ("play: something critical inside", "jws-algorithm", |r| {
        signed(r, |blueprint, r| {
            let word = r.word();
            blueprint.jws_header = if r.below(2) == 0 {
                format!(r#"{{"alg":"ES256","crit":["{word}"]}}"#)
            } else {
                r#"{"alg":"ES256","b64":false}"#.to_owned()
            };
        })
    }),
    (
        "play: signed by another key",
        "jws-signature-invalid",
        |r| signed(r, |blueprint, _| blueprint.signed_by = new_key()),
    ),
    (
        "play: a key that the token brings along",
        "jws-signature-invalid",
        |r| {
            signed(r, |blueprint, r| {
                blueprint.signed_by = new_key();
                let member = r.pick(&["kid", "jku", "x5u", "x5t"]);
                let word = r.word();
                blueprint.jws_header =
                    format!(r#"{{"alg":"ES256","{member}":"{word}","jwk":{{}}}}"#);
            })
        },
    ),
];

const REQUEST: &[Row] = &[
    ("play: no JSON object", "verdict-malformed", |r| {
        signed(r, |blueprint, r| {
            blueprint.payload = r
                .pick(&["[]", "{}", "null", "7", "\"text\"", "{", "", "{} {}"])
                .to_string();
        })
    }),
    ("play: a member twice", "verdict-malformed", |r| {
        signed(r, |blueprint, r| {
            let word = r.word();
            let twice = format!(r#""{word}":{{"a":1,"a":{}}},"#, r.below(9));
            blueprint.payload.insert_str(1, &twice);
        })
    }),
    (
        "play: a digest of another length",
        "verdict-malformed",
        |r| {
            set(r, "/appIntegrity/certificateSha256Digest", |r| {
                let length = [0, 20, 31, 33, 64][r.below(5)];
                json!([URL_SAFE_NO_PAD.encode(r.bytes(length))])
            })
        },
    ),
    (
        "play: a version that is no number",
        "verdict-malformed",
        |r| {
            set(r, "/appIntegrity/versionCode", |r| match some_json(r) {
                Value::Null => json!("seven"),
                other => other,
            })
        },
    ),
    ("play: labels that are no list", "verdict-malformed", |r| {
        set(r, "/deviceIntegrity/deviceRecognitionVerdict", |r| {
            r.pick(&[
                json!("MEETS_DEVICE_INTEGRITY"),
                json!({"MEETS_DEVICE_INTEGRITY": true}),
                json!([7]),
                json!(1),
            ])
            .clone()
        })
    }),
    ("play: no request", "request-details-missing", |r| {
        if r.below(2) == 0 {
            without(r, "", "requestDetails")
        } else {
            set(r, "/requestDetails", |_| Value::Null)
        }
    }),
    (
        "play: a request of another package",
        "request-package-mismatch",
        |r| {
            set(r, "/requestDetails/requestPackageName", |r| {
                json!(format!("com.example.books.{}", r.word()))
            })
        },
    ),
    (
        "play: a request of no package",
        "request-package-mismatch",
        |r| without(r, "/requestDetails", "requestPackageName"),
    ),
    ("play: another nonce", "request-binding-mismatch", |r| {
        set(r, "/requestDetails/nonce", |r| {
            let mut nonce = b"nonce-nonce-nonce".to_vec();
            let at = r.below(nonce.len());
            nonce[at] ^= 1;
            if r.below(4) == 0 {
                nonce.truncate(at);
            }
            json!(String::from_utf8(nonce).unwrap())
        })
    }),
    ("play: no nonce", "request-binding-mismatch", |r| {
        without(r, "/requestDetails", "nonce")
    }),
    (
        "play: the other kind of request",
        "request-binding-mismatch",
        |r| {
            signed(r, |blueprint, _| {
                blueprint.binding = Binding::RequestHash("nonce-nonce-nonce");
            })
        },
    ),
    (
        "play: both kinds of request",
        "request-binding-mismatch",
        |r| {
            signed(r, |blueprint, r| {
                let mut payload = whole();
                payload["requestDetails"]["requestHash"] = if r.below(2) == 0 {
                    json!("nonce-nonce-nonce")
                } else {
                    json!(r.word())
                };
                if r.below(2) == 0 {
                    blueprint.binding = Binding::Either("nonce-nonce-nonce");
                }
                blueprint.payload = payload.to_string();
            })
        },
    ),
    ("play: too old", "verdict-not-fresh", |r| {
        set(r, "/requestDetails/timestampMillis", |r| {
            json!(NOW_MS - 600_001 - r.within(0, 1 << 40))
        })
    }),
    ("play: from the future", "verdict-not-fresh", |r| {
        set(r, "/requestDetails/timestampMillis", |r| {
            json!((NOW_MS + 60_001 + r.within(0, 1 << 40)).to_string())
        })
    }),
    ("play: of no time", "verdict-not-fresh", |r| {
        if r.below(8) == 0 {
            without(r, "/requestDetails", "timestampMillis")
        } else {
            set(r, "/requestDetails/timestampMillis", some_json)
        }
    }),
];

const POLICY: &[Row] = &[
    (
        "play: an app that Google does not recognise",
        "play-app-not-recognized",
        |r| {
            if r.below(4) == 0 {
                without(r, "/appIntegrity", "appRecognitionVerdict")
            } else {
                set(r, "/appIntegrity/appRecognitionVerdict", |r| {
                    r.pick(&[
                        json!("UNRECOGNIZED_VERSION"),
                        json!("UNEVALUATED"),
                        json!("PLAY_RECOGNIZED "),
                        json!(""),
                        json!("play_recognized"),
                    ])
                    .clone()
                })
            }
        },
    ),
    ("play: no app", "app-id-missing", |r| {
        without(r, "/appIntegrity", "packageName")
    }),
    ("play: another app installed", "app-not-registered", |r| {
        set(r, "/appIntegrity/packageName", |r| {
            json!(format!("com.example.books{}", r.word()))
        })
    }),
    ("play: another signer", "app-not-registered", |r| {
        set(r, "/appIntegrity/certificateSha256Digest", |r| {
            let mut digests = vec![
                URL_SAFE_NO_PAD.encode(r.bytes(32)),
                URL_SAFE_NO_PAD.encode([7; 32]),
            ];
            digests.truncate(1 + r.below(2));
            json!(digests)
        })
    }),
    ("play: no signer", "app-not-registered", |r| {
        if r.below(2) == 0 {
            set(r, "/appIntegrity/certificateSha256Digest", |_| json!([]))
        } else {
            without(r, "/appIntegrity", "certificateSha256Digest")
        }
    }),
    ("play: an old version", "app-version-too-old", |r| {
        if r.below(4) == 0 {
            without(r, "/appIntegrity", "versionCode")
        } else {
            set(r, "/appIntegrity/versionCode", |r| {
                json!(r.below(5).to_string())
            })
        }
    }),
    (
        "play: a device without the label",
        "play-device-not-trusted",
        |r| {
            set(r, "/deviceIntegrity/deviceRecognitionVerdict", |r| {
                r.pick(&[
                    json!([]),
                    json!(["MEETS_BASIC_INTEGRITY"]),
                    json!(["MEETS_VIRTUAL_INTEGRITY"]),
                    json!(["MEETS_DEVICE_INTEGRITY_"]),
                    json!(["MEETS_DEVICE"]),
                ])
                .clone()
            })
        },
    ),
    (
        "play: too many verdicts lately",
        "play-activity-too-high",
        |r| {
            set(
                r,
                "/deviceIntegrity/recentDeviceActivity/deviceActivityLevel",
                |r| {
                    r.pick(&[
                        json!("LEVEL_4"),
                        json!("UNEVALUATED"),
                        json!("LEVEL_"),
                        json!("1"),
                        json!("LEVEL_256"),
                        Value::Null,
                    ])
                    .clone()
                },
            )
        },
    ),
    ("play: an old system", "play-sdk-too-old", |r| {
        set(r, "/deviceIntegrity/deviceAttributes/sdkVersion", |r| {
            if r.below(8) == 0 {
                Value::Null
            } else {
                json!(r.below(33))
            }
        })
    }),
    ("play: a recalled device", "play-device-recalled", |r| {
        let bit = *r.pick(&["bitFirst", "bitSecond", "bitThird"]);
        if r.below(2) == 0 {
            without(r, "/deviceIntegrity/deviceRecall/values", bit)
        } else {
            set(
                r,
                &format!("/deviceIntegrity/deviceRecall/values/{bit}"),
                |_| json!(true),
            )
        }
    }),
    ("play: no licence", "play-licence-missing", |r| {
        set(r, "/accountDetails/appLicensingVerdict", |r| {
            r.pick(&[
                json!("UNLICENSED"),
                json!("UNEVALUATED"),
                json!("licensed"),
                json!(""),
                Value::Null,
            ])
            .clone()
        })
    }),
    (
        "play: a risk that Play Protect found",
        "play-protect-risk",
        |r| {
            set(r, "/environmentDetails/playProtectVerdict", |r| {
                r.pick(&[
                    json!("HIGH_RISK"),
                    json!("MEDIUM_RISK"),
                    json!("UNEVALUATED"),
                    Value::Null,
                ])
                .clone()
            })
        },
    ),
    ("play: an app that captures", "play-apps-risk", |r| {
        set(
            r,
            "/environmentDetails/appAccessRiskVerdict/appsDetected",
            |r| {
                r.pick(&[
                    json!(["UNKNOWN_CAPTURING"]),
                    json!(["KNOWN_INSTALLED", "UNKNOWN_CONTROLLING"]),
                    Value::Null,
                ])
                .clone()
            },
        )
    }),
    (
        "play: a verdict that a tester chose",
        "development-evidence",
        |r| {
            signed(r, |blueprint, _| {
                let mut payload = whole();
                payload["testingDetails"] = json!({"isTestingResponse": true});
                blueprint.payload = payload.to_string();
            })
        },
    ),
];
