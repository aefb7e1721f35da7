//! Binary XML with just what a verifier looks at.

/// What the manifest says.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one way to spoil a file"
)]
#[derive(Clone)]
pub(crate) struct ManifestPlan {
    pub(crate) package: &'static str,
    pub(crate) version_code: u32,
    pub(crate) version_code_major: Option<u32>,
    pub(crate) min_sdk: u32,
    pub(crate) target_sdk: u32,
    pub(crate) debuggable: bool,
    pub(crate) twice: bool,
    pub(crate) test_only: bool,
    pub(crate) shared_user_id: Option<&'static str>,
    pub(crate) split: Option<&'static str>,
    pub(crate) target_sandbox: Option<u32>,
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
            test_only: false,
            shared_user_id: None,
            split: None,
            target_sandbox: None,
        }
    }
}

const NONE: u32 = u32::MAX;
const STRINGS: [&str; 14] = [
    "versionCode",
    "versionCodeMajor",
    "minSdkVersion",
    "targetSdkVersion",
    "debuggable",
    "testOnly",
    "sharedUserId",
    "targetSandboxVersion",
    "http://schemas.android.com/apk/res/android",
    "package",
    "manifest",
    "uses-sdk",
    "application",
    "split",
];
/// Where strings are that attributes name.
const ANDROID: u32 = 8;
const PACKAGE: u32 = 9;
const MANIFEST: u32 = 10;
const USES_SDK: u32 = 11;
const APPLICATION: u32 = 12;
const SPLIT: u32 = 13;
const RESOURCE_IDS: [u32; 8] = [
    0x0101_021b,
    0x0101_0576,
    0x0101_020c,
    0x0101_0270,
    0x0101_000f,
    0x0101_0272,
    0x0101_000b,
    0x0101_054c,
];

/// The bytes.
pub(crate) fn manifest(plan: &ManifestPlan) -> Vec<u8> {
    let values = [
        plan.package,
        plan.shared_user_id.unwrap_or(""),
        plan.split.unwrap_or(""),
    ];
    let first_value = u32::try_from(STRINGS.len()).unwrap();
    let int = |name: u32, value: u32| attribute(ANDROID, name, 0x10, value);
    let mut root = vec![int(0, plan.version_code)];
    root.extend(plan.version_code_major.map(|major| int(1, major)));
    root.push(attribute(NONE, PACKAGE, 0x03, first_value));
    if plan.shared_user_id.is_some() {
        root.push(attribute(ANDROID, 6, 0x03, first_value + 1));
    }
    if plan.split.is_some() {
        root.push(attribute(NONE, SPLIT, 0x03, first_value + 2));
    }
    root.extend(plan.target_sandbox.map(|version| int(7, version)));
    if plan.twice {
        root.push(int(0, plan.version_code + 1));
    }
    let flag = |name, set| attribute(ANDROID, name, 0x12, if set { NONE } else { 0 });
    let application = [flag(4, plan.debuggable), flag(5, plan.test_only)];
    let ids = RESOURCE_IDS.iter().flat_map(|id| id.to_le_bytes());
    let body = [
        strings(&values),
        chunk(0x0180, 8, &ids.collect::<Vec<_>>()),
        start(MANIFEST, &root),
        start(USES_SDK, &[int(2, plan.min_sdk), int(3, plan.target_sdk)]),
        end(USES_SDK),
        start(APPLICATION, &application),
        end(APPLICATION),
        end(MANIFEST),
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

fn strings(values: &[&str]) -> Vec<u8> {
    let (mut offsets, mut data) = (Vec::new(), Vec::new());
    for text in STRINGS.iter().chain(values) {
        offsets.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        let units: Vec<u16> = text.encode_utf16().collect();
        data.extend(u16::try_from(units.len()).unwrap().to_le_bytes());
        data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        data.extend([0; 2]);
    }
    data.resize(data.len().next_multiple_of(4), 0);
    let count = u32::try_from(STRINGS.len() + values.len()).unwrap();
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
