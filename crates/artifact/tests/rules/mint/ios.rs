//! iOS apps: one Mach-O executable with a code signature, sealed files, a provisioning profile.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::cms::CmsPlan;
use super::{Blueprint, EntryPlan, certificate};

pub(crate) const ROOT: &str = "Payload/Minted.app/";
/// What the linker leaves for the signature.
const SIGNATURE_ROOM: usize = 0x4000;
const PAGE: usize = 4096;

/// A code directory.
#[derive(Clone)]
pub(crate) struct DirectoryPlan {
    pub(crate) identifier: String,
    pub(crate) team: Option<String>,
    pub(crate) code_limit: Option<u32>,
    pub(crate) code_slots: Option<u32>,
    pub(crate) hash_kind: u8,
    /// Special slots that are left empty, by number.
    pub(crate) unsealed: Vec<usize>,
    pub(crate) special_slots: usize,
    pub(crate) scatter: u32,
}

/// One slice of an executable.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one way to spoil a file"
)]
#[derive(Clone)]
pub(crate) struct SlicePlan {
    pub(crate) code: Vec<u8>,
    pub(crate) subtype: u32,
    pub(crate) directory: DirectoryPlan,
    /// A second code directory beside the first.
    pub(crate) alternate: Option<DirectoryPlan>,
    pub(crate) entitlements: Option<String>,
    pub(crate) key: u8,
    pub(crate) edit_cms: fn(&mut CmsPlan, &[Vec<u8>]),
    pub(crate) cms: Option<Vec<u8>>,
    pub(crate) ad_hoc: bool,
    pub(crate) unsigned: bool,
    pub(crate) encrypted: bool,
    pub(crate) signed_twice: bool,
    /// What is done to the whole slice after it was signed.
    pub(crate) tamper: fn(&mut Vec<u8>),
}

impl SlicePlan {
    pub(crate) fn new(identifier: &str, team: &str) -> Self {
        Self {
            code: vec![0x90; 2 * PAGE + 100],
            subtype: 0,
            directory: DirectoryPlan {
                identifier: identifier.to_owned(),
                team: Some(team.to_owned()),
                code_limit: None,
                code_slots: None,
                hash_kind: 2,
                unsealed: Vec::new(),
                special_slots: 7,
                scatter: 0,
            },
            alternate: None,
            entitlements: None,
            key: 7,
            edit_cms: |_, _| {},
            cms: None,
            ad_hoc: false,
            unsigned: false,
            encrypted: false,
            signed_twice: false,
            tamper: |_| {},
        }
    }

    /// The Mach-O file, sealing these files of the bundle around it.
    pub(crate) fn build(&self, sealed: Option<(&[u8], Option<&[u8]>)>) -> Vec<u8> {
        let mut file = self.header();
        file.extend(&self.code);
        let offset = file.len();
        let signature = self.signature(&file, sealed);
        assert!(
            signature.len() <= SIGNATURE_ROOM,
            "more room for the signature"
        );
        file.extend(signature);
        file.resize(offset + SIGNATURE_ROOM, 0);
        (self.tamper)(&mut file);
        file
    }

    fn header(&self) -> Vec<u8> {
        let mut commands = Vec::new();
        let (mut count, mut size) = (0_u32, 0);
        if !self.unsigned {
            let times = if self.signed_twice { 2 } else { 1 };
            count += times;
            size += 16 * times;
        }
        if self.encrypted {
            count += 1;
            size += 24;
        }
        let offset = 32 + usize::try_from(size).unwrap() + self.code.len();
        if !self.unsigned {
            let place = [0x1d, 16, offset, SIGNATURE_ROOM];
            commands.extend(place);
            if self.signed_twice {
                commands.extend(place);
            }
        }
        if self.encrypted {
            commands.extend([0x2c, 24, 0, PAGE, 1, 0]);
        }
        let head = [0xfeed_facf, 0x0100_000c, self.subtype, 2, count, size, 0, 0];
        let commands = commands
            .into_iter()
            .map(|word| u32::try_from(word).unwrap());
        head.into_iter()
            .chain(commands)
            .flat_map(u32::to_le_bytes)
            .collect()
    }

    fn signature(&self, code: &[u8], sealed: Option<(&[u8], Option<&[u8]>)>) -> Vec<u8> {
        let requirements = blob(0xfade_0c01, &0_u32.to_be_bytes());
        let entitlements = self
            .entitlements
            .as_ref()
            .map(|list| blob(0xfade_7171, list.as_bytes()));
        let mut seals: BTreeMap<usize, &[u8]> = BTreeMap::from([(2, requirements.as_slice())]);
        seals.extend(entitlements.as_deref().map(|list| (5, list)));
        if let Some((info, resources)) = sealed {
            seals.insert(1, info);
            seals.extend(resources.map(|list| (3, list)));
        }
        let plans = std::iter::once(&self.directory).chain(&self.alternate);
        let directories: Vec<Vec<u8>> = plans.map(|plan| plan.build(code, &seals)).collect();
        let mut blobs = vec![(0, directories[0].clone()), (2, requirements.clone())];
        blobs.extend(
            directories
                .get(1)
                .map(|directory| (0x1000, directory.clone())),
        );
        blobs.extend(entitlements.clone().map(|list| (5, list)));
        if !self.ad_hoc {
            let mut cms = CmsPlan::new(self.key);
            (self.edit_cms)(&mut cms, &directories);
            let message = self
                .cms
                .clone()
                .unwrap_or_else(|| cms.build(&directories[0]));
            blobs.push((0x1_0000, blob(0xfade_0b01, &message)));
        }
        super_blob(&blobs)
    }
}

impl DirectoryPlan {
    fn build(&self, code: &[u8], seals: &BTreeMap<usize, &[u8]>) -> Vec<u8> {
        let pages: Vec<&[u8]> = code.chunks(PAGE).collect();
        let hash = |data: &[u8]| -> Vec<u8> {
            match self.hash_kind {
                1 => sha1::Sha1::digest(data).to_vec(),
                3 => Sha256::digest(data)[..20].to_vec(),
                4 => sha2::Sha384::digest(data).to_vec(),
                _ => Sha256::digest(data).to_vec(),
            }
        };
        let hash_size = hash(b"").len();
        let mut names = [self.identifier.as_bytes(), &[0]].concat();
        let team_offset = self.team.as_ref().map_or(0, |team| {
            let at = 52 + names.len();
            names.extend(team.as_bytes());
            names.push(0);
            at
        });
        let mut slots = Vec::new();
        for number in (1..=self.special_slots).rev() {
            let sealed = seals
                .get(&number)
                .filter(|_| !self.unsealed.contains(&number));
            slots.extend(sealed.map_or_else(|| vec![0; hash_size], |data| hash(data)));
        }
        let hash_offset = 52 + names.len() + slots.len();
        slots.extend(pages.iter().flat_map(|page| hash(page)));
        let number = |value: usize| u32::try_from(value).unwrap();
        let mut directory = Vec::new();
        for word in [
            0x2_0200,
            0,
            number(hash_offset),
            52,
            number(self.special_slots),
            self.code_slots.unwrap_or(number(pages.len())),
            self.code_limit.unwrap_or(number(code.len())),
        ] {
            directory.extend(word.to_be_bytes());
        }
        directory.extend([u8::try_from(hash_size).unwrap(), self.hash_kind, 0, 12]);
        directory.extend([0; 4]);
        directory.extend(self.scatter.to_be_bytes());
        directory.extend(number(team_offset).to_be_bytes());
        directory.extend(names);
        directory.extend(slots);
        blob(0xfade_0c02, &directory)
    }
}

pub(crate) fn blob(magic: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&magic.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

fn super_blob(blobs: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let count = u32::try_from(blobs.len()).unwrap();
    let mut index = count.to_be_bytes().to_vec();
    let mut offset = 12 + 8 * count;
    for (slot, blob) in blobs {
        index.extend(slot.to_be_bytes());
        index.extend(offset.to_be_bytes());
        offset += u32::try_from(blob.len()).unwrap();
    }
    index.extend(blobs.iter().flat_map(|(_, blob)| blob).copied());
    blob(0xfade_0cc0, &index)
}

/// Slices in one file.
pub(crate) fn fat(slices: &[Vec<u8>]) -> Vec<u8> {
    let mut head = 0xcafe_babe_u32.to_be_bytes().to_vec();
    head.extend(u32::try_from(slices.len()).unwrap().to_be_bytes());
    let mut offset = 8 + 20 * slices.len();
    let mut body = Vec::new();
    for slice in slices {
        for word in [0x0100_000c, 0, offset, slice.len(), 0] {
            head.extend(u32::try_from(word).unwrap().to_be_bytes());
        }
        offset += slice.len();
        body.extend(slice);
    }
    [head, body].concat()
}

/// A property list around this.
pub(crate) fn plist(inside: &str) -> String {
    format!("<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>{inside}</dict></plist>")
}

pub(crate) fn data(bytes: &[u8]) -> String {
    format!("<data>{}</data>", STANDARD.encode(bytes))
}

/// A bundle: the app itself, or code nested in it.
#[derive(Clone)]
pub(crate) struct BundlePlan {
    pub(crate) info: String,
    pub(crate) slices: Vec<SlicePlan>,
    /// Sealed files, by their paths in the bundle.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What is done to the list of seals before it is sealed itself.
    pub(crate) edit_seals: fn(String) -> String,
    pub(crate) no_seals: bool,
    pub(crate) executable: Option<Vec<u8>>,
}

impl BundlePlan {
    pub(crate) fn new(identifier: &str, team: &str) -> Self {
        Self {
            info: plist(&format!(
                "<key>CFBundleIdentifier</key><string>{identifier}</string>\
                 <key>CFBundleExecutable</key><string>Minted</string>\
                 <key>CFBundleShortVersionString</key><string>1.2</string>\
                 <key>CFBundleVersion</key><string>34</string>"
            )),
            slices: vec![SlicePlan::new(identifier, team)],
            files: vec![("asset.txt".to_owned(), b"an asset".to_vec())],
            edit_seals: |list| list,
            no_seals: false,
            executable: None,
        }
    }

    /// All files below `prefix`.
    pub(crate) fn entries(&self, prefix: &str) -> Vec<EntryPlan> {
        let seals: Vec<String> = self
            .files
            .iter()
            .map(|(path, bytes)| {
                let hash = data(&Sha256::digest(bytes));
                format!("<key>{path}</key><dict><key>hash2</key>{hash}</dict>")
            })
            .collect();
        let list = format!("<key>files2</key><dict>{}</dict>", seals.concat());
        let list = (self.edit_seals)(plist(&list));
        let resources = (!self.no_seals).then_some(list.as_bytes());
        let sealed = Some((self.info.as_bytes(), resources));
        let mut slices: Vec<_> = self
            .slices
            .iter()
            .map(|slice| slice.build(sealed))
            .collect();
        let code = if slices.len() == 1 {
            slices.remove(0)
        } else {
            fat(&slices)
        };
        let code = self.executable.clone().unwrap_or(code);
        let mut entries = vec![
            EntryPlan::new(&format!("{prefix}Info.plist"), self.info.as_bytes()),
            EntryPlan::new(&format!("{prefix}Minted"), &code),
        ];
        if let Some(list) = resources {
            entries.push(EntryPlan::new(
                &format!("{prefix}_CodeSignature/CodeResources"),
                list,
            ));
        }
        for (path, bytes) in &self.files {
            entries.push(EntryPlan::new(&format!("{prefix}{path}"), bytes));
        }
        entries
    }
}

/// A provisioning profile.
#[derive(Clone)]
pub(crate) struct ProfilePlan {
    pub(crate) team: String,
    pub(crate) signer: u8,
    pub(crate) entitlements: String,
    pub(crate) edit_cms: fn(&mut CmsPlan),
    pub(crate) bytes: Option<Vec<u8>>,
}

impl ProfilePlan {
    fn build(&self) -> Vec<u8> {
        let list = plist(&format!(
            "<key>Name</key><string>Minted</string>\
             <key>TeamIdentifier</key><array><string>{}</string></array>\
             <key>DeveloperCertificates</key><array>{}</array>\
             <key>Entitlements</key><dict>{}</dict>\
             <key>ExpirationDate</key><date>2030-01-01T00:00:00Z</date>",
            self.team,
            data(&certificate(self.signer)),
            self.entitlements
        ));
        let mut cms = CmsPlan::new(8);
        cms.content = Some(list.clone().into_bytes());
        (self.edit_cms)(&mut cms);
        self.bytes
            .clone()
            .unwrap_or_else(|| cms.build(list.as_bytes()))
    }
}

/// A whole IPA.
#[derive(Clone)]
pub(crate) struct AppPlan {
    pub(crate) bundle: BundlePlan,
    pub(crate) profile: Option<ProfilePlan>,
    /// Nested bundles, by their paths.
    pub(crate) nested: Vec<(String, BundlePlan)>,
    /// Entries as they are, after everything was signed.
    pub(crate) extra: Vec<EntryPlan>,
    pub(crate) remove: Option<&'static str>,
    /// What is done to the entries at last.
    pub(crate) tamper: fn(&mut Vec<EntryPlan>),
}

pub(crate) const RIGHTS: &str =
    "<key>application-identifier</key><string>TEAM1.com.example.minted</string>";

impl AppPlan {
    pub(crate) fn good() -> Self {
        let mut bundle = BundlePlan::new("com.example.minted", "TEAM1");
        bundle.slices[0].entitlements = Some(plist(RIGHTS));
        Self {
            bundle,
            profile: Some(ProfilePlan {
                team: "TEAM1".to_owned(),
                signer: 7,
                entitlements: "<key>application-identifier</key><string>TEAM1.*</string>"
                    .to_owned(),
                edit_cms: |_| {},
                bytes: None,
            }),
            nested: Vec::new(),
            extra: Vec::new(),
            remove: None,
            tamper: |_| {},
        }
    }

    pub(crate) fn entitle(&mut self, rights: &str) {
        self.bundle.slices[0].entitlements = Some(plist(rights));
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut bundle = self.bundle.clone();
        let profile = self.profile.as_ref().map(ProfilePlan::build);
        bundle
            .files
            .extend(profile.map(|bytes| ("embedded.mobileprovision".to_owned(), bytes)));
        for (path, plan) in &self.nested {
            for entry in plan.entries(&format!("{path}/")) {
                bundle
                    .files
                    .push((String::from_utf8(entry.name).unwrap(), entry.data));
            }
        }
        let mut entries = bundle.entries(ROOT);
        entries.extend(self.extra.iter().cloned());
        if let Some(name) = self.remove {
            let name = format!("{ROOT}{name}");
            entries.retain(|entry| entry.name != name.as_bytes());
        }
        (self.tamper)(&mut entries);
        let mut blueprint = Blueprint::good();
        blueprint.pairs.clear();
        blueprint.entries = entries;
        blueprint.build()
    }
}
