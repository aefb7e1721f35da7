//! Android's binary XML, as far as an app's identity needs it: the root element, `uses-sdk` and `application`.
//!
//! Decides what the manifest says the way Android reads it: attributes of the `android:` namespace by **resource id**
//! (their names can be emptied or swapped without Android caring), `package` and `split` by name without a namespace.
//! Refuses chunks that overrun and attributes that come twice. Resolves no resources.
//!
//! Format: `frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h` in the Android sources.

use crate::cursor::Cursor;
use crate::finding::{Check, Code, Finding, OrBroken, broken};
use crate::inspection::AppFacts;

/// The most that an honest manifest has is a few hundred kilobytes.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 16 << 20;

const CHUNK_STRINGS: u16 = 0x0001;
const CHUNK_XML: u16 = 0x0003;
const CHUNK_START_ELEMENT: u16 = 0x0102;
const CHUNK_END_ELEMENT: u16 = 0x0103;
const CHUNK_RESOURCE_MAP: u16 = 0x0180;

const TYPE_REFERENCE: u8 = 0x01;
const TYPE_STRING: u8 = 0x03;
const TYPE_FIRST_INT: u8 = 0x10;
const TYPE_LAST_INT: u8 = 0x1f;
const NO_STRING: u32 = u32::MAX;

pub(crate) const ATTR_SHARED_USER_ID: u32 = 0x0101_000b;
pub(crate) const ATTR_DEBUGGABLE: u32 = 0x0101_000f;
pub(crate) const ATTR_MIN_SDK: u32 = 0x0101_020c;
pub(crate) const ATTR_VERSION_CODE: u32 = 0x0101_021b;
pub(crate) const ATTR_VERSION_NAME: u32 = 0x0101_021c;
pub(crate) const ATTR_TARGET_SDK: u32 = 0x0101_0270;
pub(crate) const ATTR_TEST_ONLY: u32 = 0x0101_0272;
pub(crate) const ATTR_TARGET_SANDBOX: u32 = 0x0101_054c;
pub(crate) const ATTR_VERSION_CODE_MAJOR: u32 = 0x0101_0576;

/// The manifest's facts, and what only the verifier needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) app: AppFacts,
    pub(crate) target_sandbox: u32,
}

impl Manifest {
    /// Lowest Android level; 1 if the manifest does not say.
    pub(crate) fn min_sdk(&self) -> u32 {
        self.app.min_sdk.unwrap_or(1)
    }

    pub(crate) fn target_sdk(&self) -> u32 {
        self.app.target_sdk.unwrap_or_else(|| self.min_sdk())
    }
}

/// Reads a manifest. Findings about what the app is (debuggable, …) go to `findings`.
pub(crate) fn parse(bytes: &[u8], findings: &mut Vec<Finding>) -> Check<Manifest> {
    let mut document = Document::open(bytes).or_broken(Code::ManifestMalformed, "no XML chunk")?;
    let mut reader = ManifestReader::default();
    while let Some((kind, chunk)) = document.next_chunk()? {
        match kind {
            CHUNK_STRINGS if document.strings.is_none() => {
                let pool = StringPool::parse(chunk);
                document.strings = Some(pool.or_broken(Code::ManifestMalformed, "string pool")?);
            }
            CHUNK_RESOURCE_MAP => document.read_resource_map(chunk),
            CHUNK_START_ELEMENT => {
                let element = Document::element(chunk)
                    .or_broken(Code::ManifestMalformed, "an element does not fit")?;
                reader.start(&document, &element)?;
            }
            CHUNK_END_ELEMENT => reader.depth = reader.depth.saturating_sub(1),
            // Namespaces, text and chunks of a later Android are stepped over by their size.
            _ => {}
        }
    }
    let manifest = reader.finish()?;
    remark(&manifest.app, findings);
    Ok(manifest)
}

pub(crate) fn remark(app: &AppFacts, findings: &mut Vec<Finding>) {
    if app.debuggable {
        findings.push(Finding::new(Code::Debuggable, "android:debuggable is true"));
    }
    if app.test_only {
        findings.push(Finding::new(Code::TestOnly, "android:testOnly is true"));
    }
    if let Some(id) = &app.shared_user_id {
        findings.push(Finding::new(Code::SharedUserId, id.clone()));
    }
}

#[derive(Default)]
struct ManifestReader {
    manifest: Manifest,
    version_code: u32,
    version_code_major: u32,
    seen: Vec<&'static str>,
    depth: u32,
}

impl ManifestReader {
    fn start(&mut self, document: &Document<'_>, element: &Element) -> Check<()> {
        let depth = self.depth;
        self.depth = self.depth.saturating_add(1);
        let name = document.string(element.name).unwrap_or_default();
        match (depth, name.as_str()) {
            (0, "manifest") if self.first("manifest") => self.read_root(document, element),
            (0, _) => broken(Code::ManifestMalformed, format!("root element {name:?}")),
            // Android takes the first of each; later ones must not change what we believe.
            (1, "uses-sdk") if self.first("uses-sdk") => self.read_uses_sdk(document, element),
            (1, "application") if self.first("application") => {
                self.read_application(document, element)
            }
            _ => Ok(()),
        }
    }

    fn first(&mut self, element: &'static str) -> bool {
        let first = !self.seen.contains(&element);
        self.seen.push(element);
        first
    }

    fn read_root(&mut self, document: &Document<'_>, element: &Element) -> Check<()> {
        check_duplicates(document, element)?;
        for attribute in &element.attributes {
            match document.resource_id(attribute.name) {
                ATTR_VERSION_CODE => self.version_code = document.number(attribute)?,
                ATTR_VERSION_CODE_MAJOR => self.version_code_major = document.number(attribute)?,
                ATTR_VERSION_NAME => self.manifest.app.version_name = document.text(attribute),
                ATTR_SHARED_USER_ID => self.manifest.app.shared_user_id = document.text(attribute),
                ATTR_TARGET_SANDBOX => self.manifest.target_sandbox = document.number(attribute)?,
                _ if attribute.namespace == NO_STRING => {
                    match document.string(attribute.name).as_deref() {
                        Some("package") => {
                            self.manifest.app.package =
                                document.text(attribute).unwrap_or_default();
                        }
                        Some("split") => self.manifest.app.split = document.text(attribute),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_uses_sdk(&mut self, document: &Document<'_>, element: &Element) -> Check<()> {
        check_duplicates(document, element)?;
        for attribute in &element.attributes {
            match document.resource_id(attribute.name) {
                ATTR_MIN_SDK => self.manifest.app.min_sdk = Some(document.sdk_level(attribute)?),
                ATTR_TARGET_SDK => {
                    self.manifest.app.target_sdk = Some(document.sdk_level(attribute)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_application(&mut self, document: &Document<'_>, element: &Element) -> Check<()> {
        check_duplicates(document, element)?;
        for attribute in &element.attributes {
            match document.resource_id(attribute.name) {
                ATTR_DEBUGGABLE => self.manifest.app.debuggable = Document::flag(attribute),
                ATTR_TEST_ONLY => self.manifest.app.test_only = Document::flag(attribute),
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Check<Manifest> {
        if self.seen.is_empty() {
            return broken(Code::ManifestMalformed, "no manifest element");
        }
        if !is_package_name(&self.manifest.app.package) {
            return broken(
                Code::ManifestPackage,
                format!("{:.100?}", self.manifest.app.package),
            );
        }
        self.manifest.app.version_code =
            Some(u64::from(self.version_code_major) << 32 | u64::from(self.version_code));
        Ok(self.manifest)
    }
}

pub(crate) fn is_package_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

fn check_duplicates(document: &Document<'_>, element: &Element) -> Check<()> {
    let key = |attribute: &Attribute| {
        let id = document.resource_id(attribute.name);
        let name = if id == 0 {
            document.string(attribute.name)
        } else {
            None
        };
        (id, attribute.namespace, name)
    };
    let mut keys: Vec<_> = element.attributes.iter().map(key).collect();
    keys.sort();
    if keys.windows(2).any(|pair| pair.first() == pair.last()) {
        return broken(Code::ManifestDuplicateAttribute, "");
    }
    Ok(())
}

struct Document<'a> {
    rest: Cursor<'a>,
    strings: Option<StringPool<'a>>,
    resource_ids: Vec<u32>,
}

struct Element {
    name: u32,
    attributes: Vec<Attribute>,
}

struct Attribute {
    namespace: u32,
    name: u32,
    raw: u32,
    kind: u8,
    data: u32,
}

impl<'a> Document<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u16()?;
        let header = usize::from(cursor.u16()?);
        let size = usize::try_from(cursor.u32()?).ok()?;
        // The outer type is not compared strictly: packers spoil it and Android reads on (androguard's collection).
        if kind != CHUNK_XML && kind != 0 && header != 8 {
            return None;
        }
        let body = bytes.get(header.max(8)..size.min(bytes.len()))?;
        Some(Self {
            rest: Cursor::new(body),
            strings: None,
            resource_ids: Vec::new(),
        })
    }

    fn next_chunk(&mut self) -> Check<Option<(u16, &'a [u8])>> {
        if self.rest.rest().len() < 8 {
            return Ok(None);
        }
        let mut peek = self.rest;
        let header = (|| Some((peek.u16()?, peek.u16()?, peek.u32()?)))();
        let (kind, header_size, size) =
            header.or_broken(Code::ManifestMalformed, "chunk header")?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size < 8 || usize::from(header_size) > size {
            return broken(
                Code::ManifestMalformed,
                format!("chunk 0x{kind:04x} of {size} bytes"),
            );
        }
        let chunk = self.rest.take(size).or_broken(
            Code::ManifestMalformed,
            &format!("chunk 0x{kind:04x} overruns"),
        )?;
        Ok(Some((kind, chunk)))
    }

    fn read_resource_map(&mut self, chunk: &[u8]) {
        let mut cursor = Cursor::new(chunk.get(8..).unwrap_or_default());
        self.resource_ids = std::iter::from_fn(|| cursor.u32()).collect();
    }

    fn element(chunk: &[u8]) -> Option<Element> {
        let mut cursor = Cursor::new(chunk);
        cursor.take(2)?;
        let header = usize::from(cursor.u16()?);
        let body = chunk.get(header..)?;
        let mut cursor = Cursor::new(body);
        let _namespace = cursor.u32()?;
        let name = cursor.u32()?;
        let start = usize::from(cursor.u16()?);
        let stride = usize::from(cursor.u16()?);
        let count = usize::from(cursor.u16()?);
        if count > 0 && stride < 20 {
            return None;
        }
        let mut attributes = Vec::new();
        let mut table = Cursor::new(body.get(start..)?);
        for _ in 0..count {
            attributes.push(Attribute::parse(table.take(stride)?)?);
        }
        Some(Element { name, attributes })
    }

    fn string(&self, index: u32) -> Option<String> {
        self.strings.as_ref()?.get(index)
    }

    /// The resource id of an attribute's name, or 0.
    fn resource_id(&self, name: u32) -> u32 {
        usize::try_from(name)
            .ok()
            .and_then(|i| self.resource_ids.get(i))
            .copied()
            .unwrap_or(0)
    }

    fn text(&self, attribute: &Attribute) -> Option<String> {
        match attribute.kind {
            TYPE_STRING => self.string(attribute.data),
            TYPE_REFERENCE => Some(format!("@0x{:08x}", attribute.data)),
            kind if is_int(kind) => Some(attribute.data.to_string()),
            _ => self.string(attribute.raw),
        }
    }

    fn number(&self, attribute: &Attribute) -> Check<u32> {
        match attribute.kind {
            kind if is_int(kind) => Ok(attribute.data),
            TYPE_STRING => self
                .string(attribute.data)
                .and_then(|text| text.parse().ok())
                .or_broken(Code::ManifestMalformed, "text where a number belongs"),
            kind => broken(
                Code::ManifestMalformed,
                format!("value of type 0x{kind:02x} for a number"),
            ),
        }
    }

    fn flag(attribute: &Attribute) -> bool {
        // A reference is resolved from resources on the device; what cannot be known is taken as the worse.
        attribute.kind == TYPE_REFERENCE || is_int(attribute.kind) && attribute.data != 0
    }

    /// A level, or the code name of a preview, which means the level after the last one released before it.
    fn sdk_level(&self, attribute: &Attribute) -> Check<u32> {
        if attribute.kind != TYPE_STRING {
            return self.number(attribute);
        }
        let name = self.string(attribute.data).unwrap_or_default();
        match name.parse() {
            Ok(level) => Ok(level),
            Err(_) => codename_level(&name).or_broken(
                Code::ManifestMalformed,
                &format!("Android level {name:.40?}"),
            ),
        }
    }
}

/// Previews report the level before their own, so a code name maps to the level of the release before.
fn codename_level(name: &str) -> Option<u32> {
    const RELEASES: [(char, u32); 17] = [
        ('C', 2),
        ('D', 3),
        ('E', 4),
        ('F', 7),
        ('G', 8),
        ('H', 10),
        ('I', 13),
        ('J', 15),
        ('K', 18),
        ('L', 20),
        ('M', 22),
        ('N', 23),
        ('O', 25),
        ('P', 27),
        ('Q', 28),
        ('R', 29),
        ('S', 30),
    ];
    let first = name.chars().next()?;
    if let Some((_, level)) = RELEASES.iter().find(|(letter, _)| *letter == first) {
        return Some(*level);
    }
    // Later than the table knows: one above the newest level in it per letter, as the reference does.
    first
        .is_ascii_uppercase()
        .then(|| 30_u32.saturating_add(u32::from(first).saturating_sub(u32::from('S'))))
}

const fn is_int(kind: u8) -> bool {
    matches!(kind, TYPE_FIRST_INT..=TYPE_LAST_INT)
}

impl Attribute {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (namespace, name, raw) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        cursor.take(3)?; // size of the value and a reserved byte
        Some(Self {
            namespace,
            name,
            raw,
            kind: cursor.u8()?,
            data: cursor.u32()?,
        })
    }
}

struct StringPool<'a> {
    offsets: &'a [u8],
    data: &'a [u8],
    is_utf8: bool,
}

impl<'a> StringPool<'a> {
    fn parse(chunk: &'a [u8]) -> Option<Self> {
        const FLAG_UTF8: u32 = 1 << 8;
        let mut cursor = Cursor::new(chunk);
        cursor.take(2)?;
        let header = usize::from(cursor.u16()?);
        cursor.u32()?;
        let count = usize::try_from(cursor.u32()?).ok()?;
        cursor.u32()?;
        let flags = cursor.u32()?;
        let start = usize::try_from(cursor.u32()?).ok()?;
        let table = chunk.get(header.max(28)..)?;
        let offsets = table.get(..count.checked_mul(4)?.min(table.len()))?;
        let data = if count == 0 {
            &[][..]
        } else {
            chunk.get(start..)?
        };
        Some(Self {
            offsets,
            data,
            is_utf8: flags & FLAG_UTF8 != 0,
        })
    }

    fn get(&self, index: u32) -> Option<String> {
        let at = usize::try_from(index).ok()?.checked_mul(4)?;
        let offset = Cursor::new(self.offsets.get(at..)?).u32()?;
        let mut cursor = Cursor::new(self.data.get(usize::try_from(offset).ok()?..)?);
        if self.is_utf8 {
            utf8_length(&mut cursor)?;
            let length = utf8_length(&mut cursor)?;
            return Some(String::from_utf8_lossy(cursor.take(length)?).into_owned());
        }
        let length = utf16_length(&mut cursor)?;
        let bytes = cursor.take(length.checked_mul(2)?)?;
        let units: Vec<u16> = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|u| u16::from_le_bytes(*u))
            .collect();
        Some(String::from_utf16_lossy(&units))
    }
}

fn utf8_length(cursor: &mut Cursor<'_>) -> Option<usize> {
    let first = cursor.u8()?;
    if first & 0x80 == 0 {
        return Some(usize::from(first));
    }
    Some(usize::from(first & 0x7f) << 8 | usize::from(cursor.u8()?))
}

fn utf16_length(cursor: &mut Cursor<'_>) -> Option<usize> {
    let first = cursor.u16()?;
    if first & 0x8000 == 0 {
        return Some(usize::from(first));
    }
    Some(usize::from(first & 0x7fff) << 16 | usize::from(cursor.u16()?))
}
