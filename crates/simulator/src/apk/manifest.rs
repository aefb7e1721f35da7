//! The binary `AndroidManifest.xml` and an empty resource table, in the chunk format that `aapt2` writes.
//!
//! Attributes of the `android:` namespace are known by resource id, so their names stand first in the string
//! pool, in the order of the resource map.

use super::{ApkBuilder, BuildType};
use crate::SimulatorError;

const ANDROID: &str = "http://schemas.android.com/apk/res/android";
const NONE: u32 = 0xffff_ffff;

/// `android:` attributes with their resource ids, ascending: the order in which `aapt2` writes them.
const RESOURCES: [(&str, u32); 8] = [
    ("label", 0x0101_0001),
    ("name", 0x0101_0003),
    ("debuggable", 0x0101_000f),
    ("exported", 0x0101_0010),
    ("minSdkVersion", 0x0101_020c),
    ("versionCode", 0x0101_021b),
    ("versionName", 0x0101_021c),
    ("targetSdkVersion", 0x0101_0270),
];

enum Value {
    Text(String),
    Number(u32),
    Truth,
}

struct Attribute {
    name: &'static str,
    value: Value,
}

struct Element {
    name: &'static str,
    attributes: Vec<Attribute>,
    children: Vec<Self>,
}

impl Attribute {
    fn text(name: &'static str, value: &str) -> Self {
        let value = Value::Text(value.to_owned());
        Self { name, value }
    }

    fn number(name: &'static str, value: u32) -> Self {
        let value = Value::Number(value);
        Self { name, value }
    }

    fn truth(name: &'static str) -> Self {
        let value = Value::Truth;
        Self { name, value }
    }
}

impl Element {
    fn new(name: &'static str, attributes: Vec<Attribute>, children: Vec<Self>) -> Self {
        Self {
            name,
            attributes,
            children,
        }
    }

    /// An element that consists of its `android:name`.
    fn named(name: &'static str, value: &str) -> Self {
        Self::new(name, vec![Attribute::text("name", value)], Vec::new())
    }
}

/// The manifest of an APK.
pub(super) fn write(apk: &ApkBuilder) -> Result<Vec<u8>, SimulatorError> {
    let mut writer = Writer::new();
    let mut events = Vec::new();
    let prefix = writer.string("android");
    let uri = writer.string(ANDROID);
    events.extend(node(0x0100, &[prefix, uri])?);
    writer.element(&tree(apk), &mut events)?;
    events.extend(node(0x0101, &[prefix, uri])?);

    let ids: Vec<u8> = RESOURCES
        .iter()
        .flat_map(|(_, id)| id.to_le_bytes())
        .collect();
    let body = [
        string_pool(&writer.strings)?,
        chunk(0x0180, &[], &ids)?,
        events,
    ];
    chunk(0x0003, &[], &body.concat())
}

/// A resource table without packages.
pub(super) fn empty_resource_table() -> Vec<u8> {
    // type, header size, size; package count 0; an empty string pool.
    let mut table = vec![0x02, 0, 0x0c, 0, 40, 0, 0, 0, 0, 0, 0, 0];
    table.extend_from_slice(&[0x01, 0, 0x1c, 0, 28, 0, 0, 0]);
    table.extend_from_slice(&[0; 12]);
    table.extend_from_slice(&[28, 0, 0, 0, 0, 0, 0, 0]);
    table
}

fn tree(apk: &ApkBuilder) -> Element {
    let versions = vec![
        Attribute::number("minSdkVersion", apk.min_sdk),
        Attribute::number("targetSdkVersion", apk.target_sdk),
    ];
    let identity = vec![
        Attribute::number("versionCode", apk.version_code),
        Attribute::text("versionName", &apk.version_name),
        Attribute::text("package", &apk.package),
    ];
    let children = vec![
        Element::new("uses-sdk", versions, Vec::new()),
        Element::named("uses-permission", "android.permission.INTERNET"),
        application(apk),
    ];
    Element::new("manifest", identity, children)
}

fn application(apk: &ApkBuilder) -> Element {
    let launcher = vec![
        Element::named("action", "android.intent.action.MAIN"),
        Element::named("category", "android.intent.category.LAUNCHER"),
    ];
    let filter = Element::new("intent-filter", Vec::new(), launcher);
    let main = format!("{}.MainActivity", apk.package);
    let activity = Element::new(
        "activity",
        vec![Attribute::text("name", &main), Attribute::truth("exported")],
        vec![filter],
    );
    let mut attributes = vec![Attribute::text("label", &apk.label)];
    if apk.build_type == BuildType::Debug {
        attributes.push(Attribute::truth("debuggable"));
    }
    Element::new("application", attributes, vec![activity])
}

struct Writer {
    strings: Vec<String>,
}

impl Writer {
    fn new() -> Self {
        Self {
            strings: RESOURCES.map(|(name, _)| name.to_owned()).to_vec(),
        }
    }

    /// The index of a string in the pool; strings of the resource map are for attribute names alone.
    fn string(&mut self, text: &str) -> u32 {
        let mut pooled = self.strings.iter().skip(RESOURCES.len());
        let at = if let Some(at) = pooled.position(|known| known == text) {
            at + RESOURCES.len()
        } else {
            self.strings.push(text.to_owned());
            self.strings.len() - 1
        };
        u32::try_from(at).unwrap_or(NONE)
    }

    fn element(&mut self, element: &Element, out: &mut Vec<u8>) -> Result<(), SimulatorError> {
        let name = self.string(element.name);
        let count = u16::try_from(element.attributes.len())
            .map_err(|_| SimulatorError::TooLarge("AndroidManifest.xml"))?;
        let mut body = Vec::new();
        for word in [NONE, name] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        // Offset and size of an attribute, their count, and no id, class or style attribute.
        for half in [20, 20, count, 0, 0, 0] {
            body.extend_from_slice(&half.to_le_bytes());
        }
        for attribute in &element.attributes {
            self.attribute(attribute, &mut body);
        }
        out.extend(chunk(0x0102, &LINE, &body)?);
        for child in &element.children {
            self.element(child, out)?;
        }
        out.extend(node(0x0103, &[NONE, name])?);
        Ok(())
    }

    fn attribute(&mut self, attribute: &Attribute, out: &mut Vec<u8>) {
        let known = RESOURCES
            .iter()
            .position(|(name, _)| *name == attribute.name);
        let (namespace, name) = match known.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => (self.string(ANDROID), at),
            None => (NONE, self.string(attribute.name)),
        };
        let (raw, kind, data) = match &attribute.value {
            Value::Text(text) => {
                let at = self.string(text);
                (at, 0x03, at)
            }
            Value::Number(number) => (NONE, 0x10, *number),
            Value::Truth => (NONE, 0x12, NONE),
        };
        for word in [namespace, name, raw] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&[8, 0, 0, kind]);
        out.extend_from_slice(&data.to_le_bytes());
    }
}

/// Line 1, no comment: the rest of the header of every node.
const LINE: [u8; 8] = [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

fn node(kind: u16, words: &[u32]) -> Result<Vec<u8>, SimulatorError> {
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    chunk(kind, &LINE, &body)
}

/// Type, header size, total size; the rest of the header; the body.
fn chunk(kind: u16, header: &[u8], body: &[u8]) -> Result<Vec<u8>, SimulatorError> {
    let too_large = || SimulatorError::TooLarge("AndroidManifest.xml");
    let header_size = u16::try_from(header.len() + 8).map_err(|_| too_large())?;
    let size = u32::try_from(header.len() + body.len() + 8).map_err(|_| too_large())?;
    let mut out = kind.to_le_bytes().to_vec();
    out.extend_from_slice(&header_size.to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(header);
    out.extend_from_slice(body);
    Ok(out)
}

/// A UTF-16 string pool.
fn string_pool(strings: &[String]) -> Result<Vec<u8>, SimulatorError> {
    let too_large = || SimulatorError::TooLarge("AndroidManifest.xml");
    let mut offsets = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    for text in strings {
        let units: Vec<u16> = text.encode_utf16().collect();
        offsets.extend(
            u32::try_from(data.len())
                .map_err(|_| too_large())?
                .to_le_bytes(),
        );
        // Two units of length begin at 0x8000; nothing here is that long.
        let length = u16::try_from(units.len()).map_err(|_| too_large())?;
        if length >= 0x8000 {
            return Err(too_large());
        }
        data.extend_from_slice(&length.to_le_bytes());
        data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        data.extend_from_slice(&[0, 0]);
    }
    data.resize(data.len().next_multiple_of(4), 0);
    let count = u32::try_from(strings.len()).map_err(|_| too_large())?;
    let strings_start = u32::try_from(offsets.len() + 28).map_err(|_| too_large())?;
    // string count, style count, flags, strings start, styles start
    let header: Vec<u8> = [count, 0, 0, strings_start, 0]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    offsets.extend(data);
    chunk(0x0001, &header, &offsets)
}
