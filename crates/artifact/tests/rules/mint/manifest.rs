//! Binary XML with just what a verifier looks at.

/// What the manifest says.
#[derive(Clone)]
pub(crate) struct ManifestPlan {
    pub(crate) package: &'static str,
    pub(crate) version_code: u32,
    pub(crate) version_code_major: Option<u32>,
    pub(crate) min_sdk: u32,
    pub(crate) target_sdk: u32,
    pub(crate) debuggable: bool,
    pub(crate) twice: bool,
}

impl Default for ManifestPlan {
    fn default() -> Self {
        Self {
            package: "com.example.minted",
            version_code: 7,
            version_code_major: None,
            min_sdk: 24,
            target_sdk: 35,
            debuggable: false,
            twice: false,
        }
    }
}

const NONE: u32 = u32::MAX;
const STRINGS: [&str; 11] = [
    "versionCode",
    "versionCodeMajor",
    "minSdkVersion",
    "targetSdkVersion",
    "debuggable",
    "http://schemas.android.com/apk/res/android",
    "package",
    "manifest",
    "uses-sdk",
    "application",
    "",
];
const RESOURCE_IDS: [u32; 5] = [
    0x0101_021b,
    0x0101_0576,
    0x0101_020c,
    0x0101_0270,
    0x0101_000f,
];

/// Binary XML with just what a verifier looks at.
pub(crate) fn manifest(plan: &ManifestPlan) -> Vec<u8> {
    let int = |name: u32, value: u32| attribute(5, name, 0x10, value);
    let mut root = vec![int(0, plan.version_code)];
    root.extend(plan.version_code_major.map(|major| int(1, major)));
    root.push(attribute(NONE, 6, 0x03, 10));
    if plan.twice {
        root.push(int(0, plan.version_code + 1));
    }
    let debuggable = attribute(5, 4, 0x12, if plan.debuggable { NONE } else { 0 });
    let body = [
        strings(plan.package),
        chunk(
            0x0180,
            8,
            &RESOURCE_IDS
                .iter()
                .flat_map(|id| id.to_le_bytes())
                .collect::<Vec<_>>(),
        ),
        start(7, &root),
        start(8, &[int(2, plan.min_sdk), int(3, plan.target_sdk)]),
        end(8),
        start(9, &[debuggable]),
        end(9),
        end(7),
    ]
    .concat();
    chunk(0x0003, 8, &body)
}

fn chunk(kind: u16, header: u16, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [
        &kind.to_le_bytes()[..],
        &header.to_le_bytes(),
        &size.to_le_bytes(),
        body,
    ]
    .concat()
}

fn strings(package: &str) -> Vec<u8> {
    let (mut offsets, mut data) = (Vec::new(), Vec::new());
    for text in STRINGS.iter().copied().take(10).chain([package]) {
        offsets.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        let units: Vec<u16> = text.encode_utf16().collect();
        data.extend(u16::try_from(units.len()).unwrap().to_le_bytes());
        data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        data.extend([0; 2]);
    }
    data.resize(data.len().next_multiple_of(4), 0);
    let count = u32::try_from(STRINGS.len()).unwrap();
    let start = 28 + 4 * count;
    let head: Vec<u8> = [count, 0, 0, start, 0]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    chunk(0x0001, 28, &[head, offsets, data].concat())
}

fn attribute(namespace: u32, name: u32, kind: u8, data: u32) -> Vec<u8> {
    let raw = if kind == 0x03 { data } else { NONE };
    let head: Vec<u8> = [namespace, name, raw]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    [&head[..], &[8, 0, 0, kind], &data.to_le_bytes()].concat()
}

fn start(name: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut body: Vec<u8> = [1, NONE, NONE, name]
        .iter()
        .flat_map(|word: &u32| word.to_le_bytes())
        .collect();
    for short in [20, 20, u16::try_from(attributes.len()).unwrap(), 0, 0, 0] {
        body.extend(short.to_le_bytes());
    }
    body.extend(attributes.concat());
    chunk(0x0102, 16, &body)
}

fn end(name: u32) -> Vec<u8> {
    let body: Vec<u8> = [1, NONE, NONE, name]
        .iter()
        .flat_map(|word: &u32| word.to_le_bytes())
        .collect();
    chunk(0x0103, 16, &body)
}
