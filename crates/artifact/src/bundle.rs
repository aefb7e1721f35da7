//! Android App Bundles: what a developer uploads to a store, never what a device runs.
//!
//! Decides whether every entry is covered by one JAR signature and reads the manifest (protobuf here, not binary XML).
//! What can be concluded is who **uploaded**: the store signs what devices get with another key, so an identity from here
//! has the upload key marked as such and nothing that attestation could be compared with.

use std::io;

use crate::certificate::Certificate;
use crate::cursor::Cursor;
use crate::finding::{ApiRange, Check, Code, Finding, LATEST_API, OrBroken, broken, settle};
use crate::inspection::{AppFacts, Inspection, Kind, Scheme, SignedRange};
use crate::jar::Jar;
use crate::source::Source;
use crate::zip::{Allowance, Archive, expand_to_vec};
use crate::{apk, manifest};

/// The base module's manifest: what makes an archive a bundle.
pub(crate) const MANIFEST: &str = "base/manifest/AndroidManifest.xml";
/// Bundles are never installed, so that the gaps of old Android do not matter: from here on all of `jarsigner`'s algorithms
/// count, those for EC keys included.
const JUDGED: ApiRange = ApiRange::new(24, LATEST_API);

/// Inspects a bundle whose archive has been opened.
pub(crate) fn inspect(
    source: &dyn Source,
    archive: &Archive,
    mut findings: Vec<Finding>,
) -> io::Result<Inspection> {
    let app = settle(read_manifest(source, archive), &mut findings)?;
    let signers = if Jar::is_present(archive) {
        let jar = settle(Jar::read(source, archive), &mut findings)?;
        let judgement = jar.map(|jar| jar.judge(JUDGED, &[])).unwrap_or_default();
        findings.extend(judgement.findings);
        judgement.certificates
    } else {
        findings.push(Finding::new(Code::NoSignature, "the bundle is not signed"));
        Vec::new()
    };
    if !signers.is_empty() {
        findings.push(Finding::new(Code::UploadKey, ""));
    }
    for certificate in &signers {
        findings.extend(apk::weaknesses(certificate));
    }
    if let Some(app) = &app {
        manifest::remark(app, &mut findings);
    }
    let mut inspection = Inspection::empty(
        Kind::Aab,
        source.size(),
        apk::content_digest::file_sha256(source)?,
    );
    inspection.app = app;
    if !signers.is_empty() {
        inspection.schemes.push(Scheme::V1);
        let current = signers.iter().map(Certificate::sha256).collect();
        let range = SignedRange {
            api: JUDGED,
            scheme: Scheme::V1,
            current,
            history: Vec::new(),
        };
        inspection.signed.push(range);
    }
    inspection.certificates = signers.iter().map(Certificate::summary).collect();
    Ok(inspection.with_findings(findings))
}

fn read_manifest(source: &dyn Source, archive: &Archive) -> Check<AppFacts> {
    let entry = archive
        .find(MANIFEST)
        .or_broken(Code::ManifestMissing, MANIFEST)?;
    let mut allowance = Allowance::for_file(source.size());
    let bytes = expand_to_vec(source, entry, &mut allowance, manifest::MAX_MANIFEST_BYTES)?;
    let app = parse(&bytes).or_broken(Code::ManifestMalformed, "not readable protobuf XML")?;
    if !manifest::is_package_name(&app.package) {
        return broken(Code::ManifestPackage, format!("{:.100?}", app.package));
    }
    Ok(app)
}

/// `aapt.pb.XmlNode` down to what an identity needs.
fn parse(bytes: &[u8]) -> Option<AppFacts> {
    let root = Element::parse(field(bytes, 1)?)?;
    if root.name != "manifest" {
        return None;
    }
    let mut app = AppFacts {
        package: root.plain("package")?,
        version_name: root.android(manifest::ATTR_VERSION_NAME),
        split: root.plain("split"),
        shared_user_id: root.android(manifest::ATTR_SHARED_USER_ID),
        ..AppFacts::default()
    };
    let number = |text: Option<String>| text.and_then(|text| text.parse::<u32>().ok());
    let major = number(root.android(manifest::ATTR_VERSION_CODE_MAJOR)).unwrap_or(0);
    let code = number(root.android(manifest::ATTR_VERSION_CODE)).unwrap_or(0);
    app.version_code = Some(u64::from(major) << 32 | u64::from(code));
    for child in root.children {
        let Some(element) = field(child, 1).and_then(Element::parse) else {
            continue;
        };
        match element.name.as_str() {
            "uses-sdk" => {
                app.min_sdk = app
                    .min_sdk
                    .or(number(element.android(manifest::ATTR_MIN_SDK)));
                app.target_sdk = app
                    .target_sdk
                    .or(number(element.android(manifest::ATTR_TARGET_SDK)));
            }
            "application" => {
                let flag = |id| {
                    element
                        .android(id)
                        .is_some_and(|text| text != "false" && text != "0")
                };
                app.debuggable |= flag(manifest::ATTR_DEBUGGABLE);
                app.test_only |= flag(manifest::ATTR_TEST_ONLY);
            }
            _ => {}
        }
    }
    Some(app)
}

struct Element<'a> {
    name: String,
    attributes: Vec<Attribute>,
    children: Vec<&'a [u8]>,
}

struct Attribute {
    namespace: String,
    name: String,
    value: String,
    resource_id: u64,
}

impl<'a> Element<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut element = Self {
            name: String::new(),
            attributes: Vec::new(),
            children: Vec::new(),
        };
        for (number, value) in fields(bytes)? {
            match (number, value) {
                (3, Value::Bytes(name)) => element.name = text(name),
                (4, Value::Bytes(attribute)) => {
                    element.attributes.push(Attribute::parse(attribute)?);
                }
                (5, Value::Bytes(child)) => element.children.push(child),
                _ => {}
            }
        }
        Some(element)
    }

    /// An attribute of the `android:` namespace, by resource id.
    fn android(&self, id: u32) -> Option<String> {
        let found = self
            .attributes
            .iter()
            .find(|attribute| attribute.resource_id == u64::from(id));
        found.map(|attribute| attribute.value.clone())
    }

    fn plain(&self, name: &str) -> Option<String> {
        let is_it =
            |attribute: &&Attribute| attribute.namespace.is_empty() && attribute.name == name;
        self.attributes
            .iter()
            .find(is_it)
            .map(|attribute| attribute.value.clone())
    }
}

impl Attribute {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut attribute = Self {
            namespace: String::new(),
            name: String::new(),
            value: String::new(),
            resource_id: 0,
        };
        for (number, value) in fields(bytes)? {
            match (number, value) {
                (1, Value::Bytes(namespace)) => attribute.namespace = text(namespace),
                (2, Value::Bytes(name)) => attribute.name = text(name),
                (3, Value::Bytes(value)) => attribute.value = text(value),
                (5, Value::Number(id)) => attribute.resource_id = id,
                _ => {}
            }
        }
        Some(attribute)
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field with this number that holds bytes.
fn field(bytes: &[u8], wanted: u64) -> Option<&[u8]> {
    fields(bytes)?
        .into_iter()
        .find_map(|(number, value)| match value {
            Value::Bytes(bytes) if number == wanted => Some(bytes),
            _ => None,
        })
}

/// All fields of one protobuf message, one level deep.
fn fields(bytes: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut cursor = Cursor::new(bytes);
    let mut fields = Vec::new();
    while !cursor.is_empty() {
        let key = varint(&mut cursor)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut cursor)?),
            1 => Value::Bytes(cursor.take(8)?),
            2 => {
                let length = usize::try_from(varint(&mut cursor)?).ok()?;
                Value::Bytes(cursor.take(length)?)
            }
            5 => Value::Bytes(cursor.take(4)?),
            _ => return None,
        };
        fields.push((key >> 3, value));
    }
    Some(fields)
}

fn varint(cursor: &mut Cursor<'_>) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = cursor.u8()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
