//! Seeds of the fuzz targets, from the corpus of evidence where there is one.
//!
//! Each target that wants seeds has a line in [`for_target`]. Seeds go to `fuzz/corpus/<target>`, where
//! libFuzzer also keeps what it finds by itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{carve, root, say};

/// Writes a target's seeds; says so where there is no corpus to take them from.
pub(crate) fn write(target: &str) -> Result<()> {
    let Some(vectors) = vectors() else {
        say("no corpus: fuzzing starts from nothing");
        return Ok(());
    };
    let folder = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    let mut count = 0_u32;
    let artifacts = vectors.with_file_name("artifacts");
    if artifacts.is_dir() {
        for seed in carve::seeds(target, &artifacts)? {
            let path = folder.join(format!("artifact-{count:05}"));
            fs::write(&path, seed).with_context(|| path.display().to_string())?;
            count += 1;
        }
    }
    if target == "status_list" {
        for list in status_lists(&vectors)? {
            fs::write(folder.join(format!("list-{count:05}")), list)?;
            count += 1;
        }
    }
    for record in records(&vectors)? {
        for seed in for_target(target, &record) {
            let path = folder.join(format!("seed-{count:05}"));
            fs::write(&path, seed).with_context(|| path.display().to_string())?;
            count += 1;
        }
    }
    say(&format!("{target}: {count} seeds"));
    Ok(())
}

fn for_target(target: &str, record: &Value) -> Vec<Vec<u8>> {
    match target {
        "chain" => chain(record)
            .map(|chain| framed(&chain))
            .into_iter()
            .collect(),
        "key_description" => chain(record)
            .iter()
            .filter_map(|chain| key_description(chain.first()?).map(<[u8]>::to_vec))
            .collect(),
        // Certificates, behind the byte that says so.
        "trust_metadata" => chain(record)
            .into_iter()
            .flatten()
            .map(|certificate| [[3].as_slice(), &certificate].concat())
            .collect(),
        "cbor" => object(record, &["attestation", "assertion"]),
        "cose_key" => object(record, &["attestation", "assertion"])
            .iter()
            .filter_map(|object| authenticator_data(object).map(<[u8]>::to_vec))
            .collect(),
        "receipt" => object(record, &["receipt"]),
        // Tokens, behind the byte that says so.
        "play_token" => tokens(record)
            .map(|token| [&[0], token.as_bytes()].concat())
            .collect(),
        _ => Vec::new(),
    }
}

/// An object of one of the kinds.
fn object(record: &Value, kinds: &[&str]) -> Vec<Vec<u8>> {
    let kind = record.get("kind").and_then(Value::as_str);
    let object = record.get("object").and_then(Value::as_str);
    kind.filter(|kind| kinds.contains(kind))
        .and(object)
        .and_then(|object| STANDARD.decode(object).ok())
        .into_iter()
        .collect()
}

/// The bytes behind `authData` or `authenticatorData`, found without parsing.
fn authenticator_data(object: &[u8]) -> Option<&[u8]> {
    let name: &[u8] = if object.windows(8).any(|window| window == b"authData") {
        b"authData"
    } else {
        b"authenticatorData"
    };
    let at = object
        .windows(name.len())
        .position(|window| window == name)?;
    let behind = object.get(at + name.len()..)?;
    let (start, length) = match *behind {
        [0x59, high, low, ..] => (3, usize::from(u16::from_be_bytes([high, low]))),
        [0x58, length, ..] => (2, usize::from(length)),
        _ => return None,
    };
    behind.get(start..start + length)
}

fn tokens(record: &Value) -> impl Iterator<Item = &str> {
    let steps = record.get("steps").and_then(Value::as_array);
    let steps = steps.into_iter().flatten();
    std::iter::once(record)
        .chain(steps)
        .filter_map(|holder| holder.get("token").and_then(Value::as_str))
}

/// Revocation lists, whole.
fn status_lists(vectors: &Path) -> Result<Vec<Vec<u8>>> {
    let mut lists = Vec::new();
    for file in fs::read_dir(vectors.join("common"))? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.contains("status")) {
            lists.push(fs::read(&path)?);
        }
    }
    Ok(lists)
}

/// `$BONAFIDE_CORPUS/vectors`, as the walkers find it.
#[expect(clippy::disallowed_methods, reason = "the edge of the program")]
fn vectors() -> Option<PathBuf> {
    let corpus = std::env::var("BONAFIDE_CORPUS").unwrap_or_else(|_| "../shared".to_owned());
    let vectors = root().join(corpus).join("vectors");
    vectors.is_dir().then_some(vectors)
}

/// Every record of every `*.jsonl` one folder down.
fn records(vectors: &Path) -> Result<Vec<Value>> {
    let mut records = Vec::new();
    for folder in fs::read_dir(vectors)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder)? {
            let file = file?.path();
            if file
                .extension()
                .is_some_and(|extension| extension == "jsonl")
            {
                let text = fs::read_to_string(&file)?;
                let lines = text.lines().map(serde_json::from_str);
                records.extend(lines.collect::<Result<Vec<Value>, _>>()?);
            }
        }
    }
    Ok(records)
}

fn chain(record: &Value) -> Option<Vec<Vec<u8>>> {
    let certificates = record.get("chain")?.as_array()?;
    certificates
        .iter()
        .map(|der| STANDARD.decode(der.as_str()?).ok())
        .collect()
}

/// Certificates behind their lengths, as the target `chain` cuts them.
fn framed(chain: &[Vec<u8>]) -> Vec<u8> {
    let mut framed = Vec::new();
    for certificate in chain {
        let length = u16::try_from(certificate.len()).unwrap_or(u16::MAX);
        framed.extend(length.to_be_bytes());
        framed.extend(certificate);
    }
    framed
}

/// The value behind the extension's identifier (1.3.6.1.4.1.11129.2.1.17), found without parsing.
fn key_description(leaf: &[u8]) -> Option<&[u8]> {
    const IDENTIFIER: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\xd6\x79\x02\x01\x11";
    let at = leaf
        .windows(IDENTIFIER.len())
        .position(|window| window == IDENTIFIER)?;
    let behind = leaf.get(at + IDENTIFIER.len()..)?;
    let behind = behind.strip_prefix(b"\x01\x01\xff").unwrap_or(behind);
    let (start, length) = match *behind {
        [0x04, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [0x04, 0x81, length, ..] => (3, usize::from(length)),
        [0x04, length, ..] => (2, usize::from(length)),
        _ => return None,
    };
    behind.get(start..start + length)
}
