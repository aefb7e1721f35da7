//! The worst that 64 KB of foreign bytes can cost: under 5 ms of processor time and under 8 MB of memory each.
//!
//! Processor time is the thread's own, so a busy machine changes nothing; a build without optimisation is allowed
//! ten times as much.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod mint;

use std::fs;
use std::time::Duration;

use bonafide_evidence::android::{Anchors, AttestKeys, RevocationList, UnverifiedKeyDescription};
use bonafide_evidence::apple::{
    AppAttest, Assertion, ExpectedKeyId, ExpectedPublicKey, Receipt, verify_assertion,
    verify_receipt,
};
use bonafide_evidence::play::{Binding, Freshness, PlayIntegrity, PlayKeys, PlayToken};
use bonafide_evidence::{Context, Evidence, ExpectedChallenge, Reject, UnixTime, verify};
use mint::apple::cbor;
use mint::{Blueprint, der};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const LARGEST: usize = 64 * 1024;
const MOST_BYTES: usize = 8 * 1024 * 1024;
const MOST_TIME: Duration = Duration::from_millis(if cfg!(debug_assertions) { 50 } else { 5 });
const NOW: UnixTime = UnixTime(1_793_491_200);

/// What this thread used of a processor; `None` where the system does not tell.
fn processor_time() -> Option<Duration> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = told.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

struct Cost {
    bytes: usize,
    time: Duration,
}

/// Runs of one measurement: systems count processor time in ticks of some milliseconds.
const RUNS: u32 = 32;

/// The least of some tries: what one run costs by itself, without what the system did meanwhile.
fn cost(mut work: impl FnMut()) -> Cost {
    let once = |work: &mut dyn FnMut()| {
        MEMORY.reset_peak_usage();
        let (before, began) = (MEMORY.current_usage(), processor_time());
        for _ in 0..RUNS {
            work();
        }
        let ended = processor_time();
        let bytes = MEMORY.peak_usage().saturating_sub(before);
        let time = began
            .zip(ended)
            .map_or(Duration::ZERO, |(began, ended)| ended.saturating_sub(began));
        Cost {
            bytes,
            time: time / RUNS,
        }
    };
    let tries: Vec<Cost> = (0..3).map(|_| once(&mut work)).collect();
    Cost {
        bytes: tries.iter().map(|cost| cost.bytes).min().unwrap(),
        time: tries.iter().map(|cost| cost.time).min().unwrap(),
    }
}

fn context<'a>(anchors: &'a Anchors, revocations: &'a RevocationList) -> Context<'a> {
    Context {
        now: NOW,
        challenge: ExpectedChallenge::Exactly(&[0; 32]),
        anchors,
        revocations,
        attest_keys: AttestKeys::Accept,
    }
}

/// Whatever comes of it: it ends, and soon.
fn ended<T>(outcome: Result<T, Reject>) {
    drop(outcome);
}

fn chain(chain: &[Vec<u8>]) {
    let (anchors, revocations) = (Anchors::google(), RevocationList::empty());
    let context = context(&anchors, &revocations);
    ended(verify(&Evidence::AndroidKey { chain }, &context));
    for certificate in chain {
        ended(UnverifiedKeyDescription::of_certificate(certificate));
    }
}

fn app_attest(object: &[u8]) {
    let (anchors, revocations) = (Anchors::apple_app_attest(), RevocationList::empty());
    let app_id = "TEAM123456.com.example.books";
    let evidence = Evidence::AppAttest(AppAttest {
        object,
        app_id,
        key_id: ExpectedKeyId::NotCompared,
    });
    ended(verify(&evidence, &context(&anchors, &revocations)));
    ended(verify_assertion(&Assertion {
        object,
        app_id,
        client_data_hash: &[0; 32],
        public_key: &[4; 65],
        previous_counter: 0,
    }));
}

fn receipt(object: &[u8]) {
    ended(verify_receipt(&Receipt {
        object,
        app_id: "TEAM123456.com.example.books",
        public_key: ExpectedPublicKey::Exactly(&[4; 65]),
        anchors: &Anchors::apple_receipts(),
        now: NOW,
    }));
}

fn play(token: PlayToken<'_>) {
    let evidence = Evidence::PlayIntegrity(PlayIntegrity {
        token,
        binding: Binding::NotCompared,
        package: "com.example.books",
        freshness: Freshness::at(NOW),
    });
    let (anchors, revocations) = (Anchors::none(), RevocationList::empty());
    ended(verify(&evidence, &context(&anchors, &revocations)));
}

/// `open` as often as it fits, around `inside`.
fn nested(open: &[u8], size: usize) -> Vec<u8> {
    open.iter().copied().cycle().take(size).collect()
}

/// A SEQUENCE in a SEQUENCE, with true lengths, as deep as `size` allows.
fn deep_der(size: usize) -> Vec<u8> {
    let mut inside = Vec::new();
    while inside.len() + 4 <= size {
        inside = der::sequence(&[inside]);
    }
    inside
}

/// A certificate whose names or extensions fill 16 KiB.
fn wide_certificate(fill: impl Fn(&mut mint::Certificate, usize)) -> Vec<u8> {
    let blueprint = Blueprint::factory();
    let mut count = 8;
    let mut largest = Vec::new();
    loop {
        let mut certificate = blueprint.certificates[0].clone();
        fill(&mut certificate, count);
        let minted = mint::sign(&certificate, &blueprint.keys[0]);
        if minted.len() > 16 * 1024 - 1 {
            return largest;
        }
        largest = minted;
        count += 16;
    }
}

fn chains() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let eighth = LARGEST / 8;
    let names = wide_certificate(|certificate, count| {
        let attributes = vec![(5, "f0"); count];
        certificate.subject = mint::name(&attributes);
    });
    let extensions = wide_certificate(|certificate, count| {
        let arcs = 1..u64::try_from(count).unwrap();
        certificate.extensions = arcs
            .map(|arc| mint::extension(&[2, 5, 29, 1000 + arc], &[5, 0]))
            .collect();
    });
    let tags = wide_certificate(|certificate, count| {
        let mut description = mint::Description::good();
        let numbers = 1..u64::try_from(count).unwrap();
        description
            .hardware
            .extend(numbers.map(|tag| der::explicit(1000 + tag, &der::integer(1))));
        let value = description.to_der();
        certificate.extensions = vec![mint::key_description_extension(&value)];
    });
    let packages = wide_certificate(|certificate, count| {
        let mut description = mint::Description::good();
        description.software[1] = mint::application(
            &vec![("p", 1); count.min(64)],
            &vec![vec![1; 32]; count.min(16)],
        );
        let padding = der::explicit(9999, &der::octets(&vec![0; count * 4]));
        description.software.push(padding);
        let value = description.to_der();
        certificate.extensions = vec![mint::key_description_extension(&value)];
    });
    vec![
        ("chain of zeros", vec![vec![0; eighth]; 8]),
        (
            "chain of open sequences",
            vec![nested(&[0x30, 0x80], eighth); 8],
        ),
        ("chain of deep DER", vec![deep_der(eighth); 8]),
        ("chain of wide names", vec![names; 4]),
        ("chain of many extensions", vec![extensions; 4]),
        ("chain of wide descriptions", vec![tags; 4]),
        ("chain of many packages", vec![packages; 4]),
    ]
}

fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let whole = 16 * 1024;
    let members = |count: usize| {
        let pairs: Vec<_> = (0..count)
            .map(|at| (cbor::text(&format!("{at:08}")), cbor::bytes(&[0; 480])))
            .collect();
        cbor::map_of(&pairs)
    };
    let certificates = cbor::map_of(&[(
        cbor::text("attStmt"),
        cbor::map_of(&[(
            cbor::text("x5c"),
            cbor::array(&vec![cbor::bytes(&[0; 60]); 250]),
        )]),
    )]);
    vec![
        ("CBOR of arrays in arrays", nested(&[0x81], whole)),
        ("CBOR of maps in maps", nested(&[0xA1, 0x61, b'a'], whole)),
        ("CBOR of indefinite arrays", nested(&[0x9F], whole)),
        (
            "CBOR that promises much",
            vec![0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ),
        ("CBOR map of 32 members", members(32)),
        ("CBOR map of 33 members", members(33)),
        ("CBOR list of certificates", certificates),
        ("object of 64 KB", vec![0xA1; LARGEST]),
    ]
}

fn receipts() -> Vec<(&'static str, Vec<u8>)> {
    let whole = 16 * 1024;
    let pieces = [
        vec![0x24, 0x80],
        nested(&[0x04, 0x01, 0xAA], whole - 8),
        vec![0, 0],
    ];
    let mut fields = mint::receipt::Blueprint::good();
    let many = (100..160).map(|number| (number, vec![b'x'; 150]));
    fields.fields.extend(many);
    vec![
        ("BER of open sequences", nested(&[0x30, 0x80], whole)),
        ("BER of strings in pieces", pieces.concat()),
        ("BER of strings in strings", nested(&[0x24, 0x80], whole)),
        ("deep DER", deep_der(whole)),
        ("receipt of many fields", fields.mint()),
        ("receipt of 64 KB", vec![0x30; LARGEST]),
    ]
}

fn verdicts() -> Vec<(&'static str, Vec<u8>)> {
    let repeated = |open: &str, item: &str, close: &str| {
        let count = (LARGEST - open.len() - close.len()) / item.len();
        let mut text = open.to_owned() + &item.repeat(count);
        text.pop(); // the last comma
        (text + close).into_bytes()
    };
    let mut members = String::from("{");
    let mut at = 0;
    while members.len() < LARGEST - 16 {
        members += &["\"", &at.to_string(), "\":0,"].concat();
        at += 1;
    }
    members.pop();
    members.push('}');
    let details = r#"{"requestDetails":{"requestPackageName":"com.example.books","timestampMillis":1793491200000,"nonce":"n"},"deviceIntegrity":{"deviceRecognitionVerdict":["#;
    vec![
        ("JSON of arrays in arrays", nested(b"[", LARGEST)),
        ("JSON of objects in objects", nested(b"{\"a\":", LARGEST)),
        (
            "JSON list of empty lists",
            repeated("{\"a\":[", "[],", "]}"),
        ),
        (
            "JSON list of empty objects",
            repeated("{\"a\":[", "{},", "]}"),
        ),
        ("JSON of many members", members.into_bytes()),
        ("JSON of many labels", repeated(details, "\"A\",", "]}}")),
        (
            "JSON of one long text",
            repeated("{\"a\":\"", "\\u0041 ", "\"}"),
        ),
    ]
}

fn tokens() -> Vec<(&'static str, String)> {
    vec![
        ("token of dots", ".".repeat(LARGEST)),
        (
            "token of five long parts",
            vec!["A".repeat(LARGEST / 5 - 4); 5].join("."),
        ),
        (
            "token with a header of braces",
            format!("{}.A.A.A.A", "e3t7".repeat(LARGEST / 4 - 8)),
        ),
    ]
}

fn lists() -> Vec<(&'static str, String)> {
    let entry = |serial: &str| format!(r#""{serial}":{{"status":"REVOKED"}},"#);
    let many: String = (0..2000).map(|at| entry(&format!("{at:x}"))).collect();
    let document =
        |entries: &str| format!(r#"{{"entries":{{{}}}}}"#, entries.trim_end_matches(','));
    vec![
        ("list of short numbers", document(&many)),
        (
            "list of one long number",
            document(&entry(&"a".repeat(LARGEST - 100))),
        ),
        (
            "list of one padded number",
            document(&entry(&"0".repeat(LARGEST - 100))),
        ),
        (
            "list of nested comments",
            format!(r#"{{"entries":{{}},"x":{}"#, "[".repeat(LARGEST)),
        ),
    ]
}

#[test]
fn the_worst_64_kilobytes_cost_little() {
    let key = mint::play::new_key();
    let keys = PlayKeys::new(&[6; 32], &mint::play::spki(&key)).unwrap();
    let mut costs: Vec<(&str, Cost)> = Vec::new();
    for (name, certificates) in chains() {
        let size: usize = certificates.iter().map(Vec::len).sum();
        assert!(size > LARGEST / 2, "{name} has only {size} bytes");
        costs.push((name, cost(|| chain(&certificates))));
    }
    for (name, object) in objects() {
        costs.push((name, cost(|| app_attest(&object))));
    }
    for (name, object) in receipts() {
        costs.push((name, cost(|| receipt(&object))));
    }
    for (name, json) in verdicts() {
        costs.push((name, cost(|| play(PlayToken::Decoded(&json)))));
    }
    for (name, token) in tokens() {
        let token = &*token;
        costs.push((
            name,
            cost(|| play(PlayToken::Sealed { token, keys: &keys })),
        ));
    }
    for (name, list) in lists() {
        costs.push((name, cost(|| drop(RevocationList::parse(list.as_bytes())))));
    }
    costs.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.time));
    for (name, cost) in &costs {
        println!("{name}: {:?}, {} KB", cost.time, cost.bytes / 1024);
    }
    for (name, cost) in &costs {
        assert!(cost.bytes < MOST_BYTES, "{name} takes {} bytes", cost.bytes);
        assert!(cost.time < MOST_TIME, "{name} takes {:?}", cost.time);
    }
}
