//! An inspection in words: who signed, for which Android versions, what is odd, what to do.

use anstyle::{AnsiColor, Style};
use bonafide_artifact::{
    ApiRange, Difference, EntryChange, Finding, Inspection, IosFacts, Kind, LATEST_API,
    ProfileKind, Severity, Sha256Digest, SignedRange, Verdict,
};

use bonafide_wire::admin::AppAttestEnvironment;

use crate::commands::registration::claim;
use crate::render::printable;

const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The whole page.
pub(crate) fn describe(name: &str, inspection: &Inspection) -> String {
    let mut lines = vec![headline(name, inspection)];
    lines.extend(what_it_is(inspection));
    lines.extend(parts(inspection));
    lines.extend(who_signed(inspection));
    lines.extend(levels(inspection));
    lines.extend(findings(inspection.findings()));
    lines.push(String::new());
    lines.push(advice(name, inspection));
    lines.join("\n")
}

/// What differs between two artifacts.
pub(crate) fn compare(difference: &Difference) -> String {
    const SHOWN: usize = 60;
    if difference.identical {
        return format!("{GREEN}the same file{GREEN:#}, byte for byte");
    }
    let mut lines = vec![format!("{YELLOW}different{YELLOW:#}")];
    for fact in &difference.facts {
        lines.push(format!("  {BOLD}{}{BOLD:#}", fact.what));
        lines.push(format!("    {}", printable(&fact.first)));
        lines.push(format!("    {}", printable(&fact.second)));
    }
    lines.push(String::new());
    lines.push(format!(
        "{BOLD}Entries{BOLD:#}: {} the same, {} not",
        difference.same_entries,
        difference.entries.len()
    ));
    for entry in difference.entries.iter().take(SHOWN) {
        let (style, word) = match entry.change {
            EntryChange::Removed => (RED, "only in the first "),
            EntryChange::Added => (GREEN, "only in the second"),
            EntryChange::Content => (YELLOW, "other content     "),
            EntryChange::Packing => (DIM, "packed differently"),
        };
        lines.push(format!(
            "  {style}{word}{style:#}  {}",
            printable(&entry.name)
        ));
    }
    if difference.entries.len() > SHOWN {
        lines.push(format!(
            "  … and {} more (all with --output json)",
            difference.entries.len() - SHOWN
        ));
    }
    if difference.entries.is_empty() {
        lines.push(
            "  The entries agree: the difference is in signatures, order or padding.".to_owned(),
        );
    }
    lines.join("\n")
}

fn headline(name: &str, inspection: &Inspection) -> String {
    let (style, word) = verdict_word(inspection.verdict());
    format!("{style}{word}{style:#}  {BOLD}{}{BOLD:#}", printable(name))
}

fn what_it_is(inspection: &Inspection) -> Vec<String> {
    let kind = match inspection.kind() {
        Kind::Apk => "APK",
        Kind::SplitSet => "split set",
        Kind::Aab => "Android App Bundle",
        Kind::Ipa => "iOS app",
    };
    let mut lines = Vec::new();
    if let Some(app) = inspection.app() {
        let version = app.version_name.as_deref().unwrap_or("no version name");
        let code = app
            .version_code
            .map(|code| format!(", version code {code}"))
            .unwrap_or_default();
        lines.push(format!(
            "  {} {}{code}",
            printable(&app.package),
            printable(version)
        ));
        if let Some(split) = &app.split {
            lines.push(format!("  split {}", printable(split)));
        }
    }
    lines.push(format!("  {kind}, {}", size(inspection.size())));
    lines.extend(inspection.ios().map(ios).unwrap_or_default());
    lines.push(format!(
        "  {DIM}sha256 {}{DIM:#}",
        inspection.artifact_sha256()
    ));
    lines
}

/// What matters on iOS: the app id is the identity, and App Attest reports its hash.
fn ios(ios: &IosFacts) -> Vec<String> {
    let or_none = |text: &Option<String>| printable(text.as_deref().unwrap_or("none"));
    let mut lines = vec![
        format!(
            "  build {}, iOS {} and later",
            or_none(&ios.build),
            or_none(&ios.min_os)
        ),
        format!(
            "  app id {BOLD}{}{BOLD:#}, team {}",
            or_none(&ios.app_id),
            or_none(&ios.team_id)
        ),
    ];
    if let Some(hash) = ios.app_id_sha256 {
        lines.push(format!("  {DIM}App Attest reports {hash}{DIM:#}"));
    }
    let environment = match claim::environment(ios) {
        Some(AppAttestEnvironment::Production) => "production",
        Some(AppAttestEnvironment::Development) => "development, Apple's sandbox",
        None => "not said: an ad hoc build without the entitlement",
    };
    lines.push(format!("  App Attest environment: {environment}"));
    for slice in &ios.slices {
        let state = if slice.encrypted {
            "encrypted for the store's devices"
        } else {
            "every page compared"
        };
        lines.push(format!("  code for {}: {state}", printable(&slice.arch)));
    }
    if let Some(profile) = &ios.profile {
        let kind = match profile.kind {
            ProfileKind::Development => "development",
            ProfileKind::AdHoc => "ad hoc",
            ProfileKind::Enterprise => "enterprise",
            ProfileKind::Store => "App Store",
        };
        let until = profile.expires.as_deref().unwrap_or("an unknown date");
        lines.push(format!(
            "  {kind} profile {:?}, {}, until {}",
            printable(&profile.name),
            match profile.devices {
                1 => "1 device".to_owned(),
                devices => format!("{devices} devices"),
            },
            printable(until)
        ));
    }
    lines
}

fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match bytes {
        0..KIB => format!("{bytes} bytes"),
        KIB..MIB => format!("{} KiB", bytes / KIB),
        _ => format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB),
    }
}

fn parts(inspection: &Inspection) -> Vec<String> {
    let mut lines = Vec::new();
    if !inspection.parts().is_empty() {
        lines.push(String::new());
        lines.push(format!("{BOLD}Parts{BOLD:#}"));
    }
    for part in inspection.parts() {
        let (style, word) = verdict_word(part.verdict);
        let split = part.split.as_deref().unwrap_or("base");
        lines.push(format!(
            "  {style}{word}{style:#}  {} ({})",
            printable(&part.name),
            printable(split)
        ));
    }
    lines
}

fn verdict_word(verdict: Verdict) -> (Style, &'static str) {
    match verdict {
        Verdict::Verified => (GREEN, "verified"),
        Verdict::Rejected => (RED, "rejected"),
        Verdict::NotChecked => (YELLOW, "not checked"),
    }
}

fn who_signed(inspection: &Inspection) -> Vec<String> {
    let heading = match inspection.verdict() {
        Verdict::Verified => "Signed by",
        Verdict::Rejected | Verdict::NotChecked => "Claims to be signed by",
    };
    let mut lines = vec![String::new(), format!("{BOLD}{heading}{BOLD:#}")];
    if inspection.signed().is_empty() {
        lines.push("  nobody, as far as can be told".to_owned());
        return lines;
    }
    if let (Kind::Ipa, [range]) = (inspection.kind(), inspection.signed()) {
        lines.extend(
            range
                .current
                .iter()
                .map(|one| format!("  {}", person(inspection, *one))),
        );
        return lines;
    }
    for range in inspection.signed() {
        lines.push(format!(
            "  {}, by signature scheme {}",
            android(range.api),
            range.scheme.as_str()
        ));
        for certificate in &range.current {
            lines.push(format!("    {}", person(inspection, *certificate)));
            lines.push(format!("    {DIM}{certificate}{DIM:#}"));
        }
        if range.history.len() > 1 {
            lines.push(format!(
                "    key rotated {} times, first was:",
                range.history.len() - 1
            ));
        }
        lines.extend(attested(inspection, range));
    }
    lines
}

/// What evidence from a phone will say, where that is not what was printed just before.
fn attested(inspection: &Inspection, range: &SignedRange) -> Vec<String> {
    let [oldest] = range.attested() else {
        return Vec::new();
    };
    if range.current.contains(oldest) {
        return Vec::new();
    }
    vec![
        format!("    {}", person(inspection, *oldest)),
        format!("    {DIM}{oldest}{DIM:#}"),
        "    Key Attestation keeps reporting that first certificate, not the current one."
            .to_owned(),
    ]
}

fn person(inspection: &Inspection, certificate: Sha256Digest) -> String {
    let found = inspection
        .certificates()
        .iter()
        .find(|known| known.sha256 == certificate);
    found.map_or_else(String::new, |known| {
        format!("{} ({})", printable(&known.subject), printable(&known.key))
    })
}

/// Only worth a paragraph where Android versions disagree.
fn levels(inspection: &Inspection) -> Vec<String> {
    let levels = inspection.levels();
    if levels.len() < 2 {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        format!("{BOLD}Android versions disagree{BOLD:#}"),
    ];
    lines.extend(levels.iter().map(|level| {
        let word = match level.verdict {
            Verdict::Verified => "would verify",
            Verdict::Rejected => "would reject",
            Verdict::NotChecked => "was not checked",
        };
        format!("  {}: {word}", android(level.api))
    }));
    lines
}

fn findings(findings: &[Finding]) -> Vec<String> {
    const SHOWN: usize = 30;
    let mut lines = Vec::new();
    if !findings.is_empty() {
        lines.push(String::new());
        lines.push(format!("{BOLD}Findings{BOLD:#}"));
    }
    for finding in findings.iter().take(SHOWN) {
        let (style, word) = match finding.severity() {
            Severity::Reject => (RED, "reject     "),
            Severity::NotChecked => (YELLOW, "not checked"),
            Severity::Warning => (YELLOW, "warning    "),
            Severity::Info => (DIM, "info       "),
        };
        let levels = finding
            .api()
            .map(|api| format!(" on {}", android(api)))
            .unwrap_or_default();
        let code = finding.code();
        lines.push(format!(
            "  {style}{word}{style:#}  {BOLD}{code}{BOLD:#}{levels}"
        ));
        lines.push(format!("               {}", code.reason()));
        if !finding.detail().is_empty() {
            lines.push(format!(
                "               {DIM}{}{DIM:#}",
                printable(finding.detail())
            ));
        }
    }
    if findings.len() > SHOWN {
        lines.push(format!(
            "  … and {} more (all with --output json)",
            findings.len() - SHOWN
        ));
    }
    lines
}

fn advice(name: &str, inspection: &Inspection) -> String {
    match inspection.verdict() {
        Verdict::Verified => match claim::of(inspection, None) {
            Ok(_) => format!(
                "{} To let this build act as your app:\n  bonafide registration add {}{}",
                match inspection.kind() {
                    Kind::Ipa => "Every page and file is sealed.",
                    Kind::Apk | Kind::SplitSet | Kind::Aab => "Every byte that counts is signed.",
                },
                shell_word(&printable(name)),
                match (inspection.kind(), inspection.source_stamp()) {
                    (Kind::Apk | Kind::SplitSet, None) =>
                        "\nWith Play App Signing the store signs anew: then register what the store delivers, not this file.",
                    _ => "",
                }
            ),
            Err(refusal) => {
                let instead = refusal
                    .instead
                    .map(|advice| format!("\n  {}", printable(&advice)))
                    .unwrap_or_default();
                format!(
                    "The file is whole, but it cannot be registered as an app ({}):\n{}.{instead}",
                    refusal.code,
                    printable(&refusal.why)
                )
            }
        },
        Verdict::NotChecked => {
            "Nothing is known to be wrong, but not all that decides was checked: do not register it.".to_owned()
        }
        Verdict::Rejected => {
            "Do not trust this file. If it is yours, build and sign it anew; a tool that \"optimised\" it after signing is the usual cause.".to_owned()
        }
    }
}

/// A file name as it can be typed.
fn shell_word(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) {
        return name.to_owned();
    }
    let path = if name.starts_with('-') { "./" } else { "" };
    format!("'{path}{}'", name.replace('\'', "'\\''"))
}

/// A range of API levels by the names that people know.
fn android(api: ApiRange) -> String {
    let levels = format!("API {api}");
    let from = release(api.from);
    match (from, api.to) {
        (Some(from), LATEST_API) => format!("Android {from} and later ({levels})"),
        (Some(from), to) if to == api.from => format!("Android {from} ({levels})"),
        (Some(from), to) => match release(to) {
            Some(to) => format!("Android {from} to {to} ({levels})"),
            None => levels,
        },
        (None, _) => levels,
    }
}

fn release(api: u32) -> Option<&'static str> {
    Some(match api {
        16..=18 => "4.x",
        19 | 20 => "4.4",
        21 => "5.0",
        22 => "5.1",
        23 => "6",
        24 => "7.0",
        25 => "7.1",
        26 => "8.0",
        27 => "8.1",
        28 => "9",
        29 => "10",
        30 => "11",
        31 => "12",
        32 => "12L",
        33 => "13",
        34 => "14",
        35 => "15",
        36 => "16",
        37 => "17",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_can_be_typed_whatever_the_file_is_called() {
        for (name, word) in [
            ("out/app-release.apk", "out/app-release.apk"),
            ("very capable app.ipa", "'very capable app.ipa'"),
            ("it's.apk", r"'it'\''s.apk'"),
            ("$(reboot).apk", "'$(reboot).apk'"),
            ("-rf.apk", "'./-rf.apk'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(name), word);
        }
    }

    #[test]
    fn the_page_never_advises_what_registration_refuses() {
        let Some(corpus) = claim::corpus() else {
            return;
        };
        for (file, word) in [
            ("crafted/aab/upload-signed-ok.aab", "(upload-key)"),
            ("crafted/splits/split_config.en.apk", "(split-alone)"),
            (
                "crafted/ipa/capable-rezipped-unchanged.ipa",
                "(apple-chain-untrusted)",
            ),
            ("crafted/splits/set-ok.apks", "registration add FILE"),
        ] {
            let inspection = claim::inspected(&corpus.join(file));
            let page = describe("FILE", &inspection);
            assert!(page.contains(word), "{page}");
            let advised = page.contains("registration add FILE");
            assert_eq!(advised, claim::of(&inspection, None).is_ok(), "{page}");
        }
    }
}
