//! JAR signatures: a manifest, signature files and blocks beside the entries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::cms::CmsPlan;
use super::{Blueprint, EntryPlan, ManifestPlan, manifest};

/// Which tool writes a signature file.
#[derive(Clone, Copy)]
pub(crate) enum Author {
    Usual,
    /// An old one, with other attributes, which does not count a section's blank line.
    Signtool,
}

/// One signature file with its block.
#[derive(Clone)]
pub(crate) struct FilePlan {
    pub(crate) stem: String,
    pub(crate) author: Author,
    /// What is done to its text before it is signed.
    pub(crate) edit: fn(String) -> String,
    pub(crate) cms: CmsPlan,
    /// What is done to the message about its text.
    pub(crate) edit_cms: fn(&mut CmsPlan, &[u8]),
    /// Bytes in place of the block.
    pub(crate) block: Option<Vec<u8>>,
    pub(crate) left_out: bool,
}

impl FilePlan {
    pub(crate) fn new(stem: &str, key: u8) -> Self {
        Self {
            stem: stem.to_owned(),
            author: Author::Usual,
            edit: |text| text,
            cms: CmsPlan::new(key),
            edit_cms: |_, _| {},
            block: None,
            left_out: false,
        }
    }
}

/// A JAR-signed archive.
#[derive(Clone)]
pub(crate) struct JarPlan {
    pub(crate) blueprint: Blueprint,
    pub(crate) edit_manifest: fn(String) -> String,
    pub(crate) files: Vec<FilePlan>,
    /// Entries that come after everything was signed.
    pub(crate) extra: Vec<EntryPlan>,
    pub(crate) no_manifest: bool,
}

impl JarPlan {
    /// A good APK for Android 7 to 10, signed by key 1.
    pub(crate) fn good() -> Self {
        let plan = ManifestPlan {
            target_sdk: 29,
            ..ManifestPlan::default()
        };
        let mut blueprint = Blueprint::good().with_manifest(&plan);
        blueprint.pairs.clear();
        Self::of(blueprint)
    }

    pub(crate) fn of(blueprint: Blueprint) -> Self {
        Self {
            blueprint,
            edit_manifest: |text| text,
            files: vec![FilePlan::new("CERT", 1)],
            extra: Vec::new(),
            no_manifest: false,
        }
    }

    pub(crate) fn target(&mut self, target_sdk: u32, target_sandbox: Option<u32>) {
        let plan = ManifestPlan {
            target_sdk,
            target_sandbox,
            ..ManifestPlan::default()
        };
        self.blueprint.entries[0].data = manifest(&plan);
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut text = "Manifest-Version: 1.0\r\n\r\n".to_owned();
        let mut names = Vec::new();
        for entry in &self.blueprint.entries {
            let name = String::from_utf8(entry.name.clone()).unwrap();
            text.push_str(&section(&name, &entry.data));
            names.push(name);
        }
        let text = (self.edit_manifest)(text);
        let mut blueprint = self.blueprint.clone();
        let entries = &mut blueprint.entries;
        if !self.no_manifest {
            entries.push(EntryPlan::new("META-INF/MANIFEST.MF", text.as_bytes()));
        }
        for plan in &self.files {
            let file = (plan.edit)(signature_file(&text, plan.author));
            let mut cms = plan.cms.clone();
            (plan.edit_cms)(&mut cms, file.as_bytes());
            let block = plan
                .block
                .clone()
                .unwrap_or_else(|| cms.build(file.as_bytes()));
            if !plan.left_out {
                let name = format!("META-INF/{}.SF", plan.stem);
                entries.push(EntryPlan::new(&name, file.as_bytes()));
            }
            entries.push(EntryPlan::new(
                &format!("META-INF/{}.EC", plan.stem),
                &block,
            ));
        }
        entries.extend(self.extra.iter().cloned());
        blueprint.build()
    }
}

fn section(name: &str, data: &[u8]) -> String {
    format!("Name: {name}\r\nSHA-256-Digest: {}\r\n\r\n", digest(data))
}

pub(crate) fn digest(data: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(data))
}

/// Signs the manifest as a whole and section by section.
fn signature_file(manifest: &str, author: Author) -> String {
    let whole = digest(manifest.as_bytes());
    let end = if manifest.contains('\r') {
        "\r\n\r\n"
    } else {
        "\n\n"
    };
    let head = match author {
        Author::Usual => format!("SHA-256-Digest-Manifest: {whole}"),
        Author::Signtool => format!("Created-By: 1.0 (signtool)\r\nSHA-256-Digest: {whole}"),
    };
    let mut text = format!("Signature-Version: 1.0\r\n{head}\r\n\r\n");
    for part in manifest.split_inclusive(end).skip(1) {
        let name = part.lines().find_map(|line| line.strip_prefix("Name: "));
        let signed = match author {
            Author::Signtool => part.strip_suffix('\n').unwrap_or(part),
            Author::Usual => part,
        };
        text.push_str(&section(name.unwrap_or("nameless"), signed.as_bytes()));
    }
    text
}
