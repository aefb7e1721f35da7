//! Every rule that can be broken, by its stable name. The table is the reference: severity and reason stand beside the
//! name, so that documentation, command line and tests cannot drift from what the verifier does.

use serde::{Serialize, Serializer};

use crate::finding::Severity;

macro_rules! codes {
    ($($variant:ident = $name:literal, $severity:ident, $why:literal;)*) => {
        /// A rule. [`Code::as_str`] is API: it never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $why] $variant,)*
        }

        impl Code {
            /// All rules, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable kebab-case name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How much a breach weighs, unless a finding says otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What the rule is for, in a sentence.
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }
        }
    };
}

codes! {
    // The archive
    ZipNoEndRecord = "zip-no-end-record", Reject, "No end-of-central-directory record whose comment ends exactly at the end of the file.";
    ZipTrailingBytes = "zip-trailing-bytes", Reject, "Bytes follow the archive's end record; readers that search for it differ about what the archive is.";
    Zip64 = "zip-zip64", Reject, "ZIP64 structures: Android's installers do not read them, other tools do, so two readers would see two archives.";
    ZipMultiDisk = "zip-multi-disk", Reject, "The archive claims to span several disks.";
    ZipDirectoryGap = "zip-directory-gap", Reject, "The central directory does not end where the end record starts: bytes there hide the signing block from verifiers.";
    ZipDirectoryMalformed = "zip-directory-malformed", Reject, "The central directory cannot be read record by record, or holds more or fewer records than the end record says.";
    ZipBudget = "zip-budget", Reject, "The archive claims more entries, bytes or expansion than any honest app has.";
    ZipDuplicateName = "zip-duplicate-name", Reject, "Two entries have one name: which of them a reader opens is chance (the Master Key attack).";
    ZipBadName = "zip-bad-name", Reject, "An entry's name has a NUL, a line break, a backslash, a leading slash or a parent path: it reads as another name elsewhere.";
    ZipLocalHeader = "zip-local-header", Reject, "An entry's local header is missing or contradicts the central directory.";
    ZipOverlap = "zip-overlap", Reject, "Two entries share bytes, or an entry's data runs into the central directory.";
    ZipEncrypted = "zip-encrypted", Reject, "An entry is flagged as encrypted; Android ignores the flag, analysers stop at it.";
    ZipOddMethod = "zip-odd-method", Warning, "An entry uses an unknown compression method, which Android reads as deflate while analysers give up (`BadPack`).";
    ZipMethodDiffers = "zip-method-differs", Warning, "Local header and central directory name different compression methods (`BadPack`).";
    ZipEntryUnreadable = "zip-entry-unreadable", Reject, "An entry that is needed does not expand to what the central directory says.";
    JanusPrefix = "janus-prefix", Reject, "The file does not start with a local file header: bytes before the archive are run as code by old Android (CVE-2017-13156).";
    // The signing block
    BlockMalformed = "block-malformed", Reject, "The APK Signing Block is there, but its sizes or pairs do not add up.";
    BlockDuplicateScheme = "block-duplicate-scheme", Reject, "Two pairs of one signature scheme: verifiers differ about which one counts.";
    BlockUnknownPair = "block-unknown-pair", Info, "The signing block carries a pair that no signature scheme owns.";
    // Signers of v2 and newer
    NoSignature = "no-signature", Reject, "No signature that counts on these Android levels.";
    SignersMalformed = "signers-malformed", Reject, "A signature scheme's block cannot be read to its end.";
    SignersTrailingBytes = "signers-trailing-bytes", Warning, "Bytes follow the sequence of signers; nothing reads them and nothing signs them.";
    NoSigners = "no-signers", Reject, "A signature scheme's block has no signer.";
    TooManySigners = "too-many-signers", Reject, "More than ten signers.";
    SignatureMissing = "signature-missing", Reject, "A signer has no signature by an algorithm that these Android levels know.";
    SignatureAlgorithmUnknown = "signature-algorithm-unknown", Info, "A signer also has a signature by an algorithm that this crate does not know.";
    PublicKeyUnusable = "public-key-unusable", Reject, "A signer's public key cannot be read, or is outside the bounds that are safe to compute with.";
    SignatureWrong = "signature-wrong", Reject, "A signature does not verify.";
    AlgorithmListsDiffer = "algorithm-lists-differ", Reject, "The signed digests and the signatures name different algorithms: somebody removed a stronger one.";
    CertificateMissing = "certificate-missing", Reject, "A signer has no certificate.";
    CertificateMalformed = "certificate-malformed", Reject, "A certificate cannot be read.";
    CertificateKeyDiffers = "certificate-key-differs", Reject, "The key that verified the signature is not the certificate's.";
    CertificateKeyReencoded = "certificate-key-reencoded", Warning, "The certificate writes its RSA modulus as a negative number; it is the same key.";
    ContentDigestWrong = "content-digest-wrong", Reject, "The file's bytes are not those that were signed.";
    VerityNotAligned = "verity-not-aligned", Reject, "A verity digest needs a signing block at and of a multiple of 4,096 bytes.";
    AttributeMalformed = "attribute-malformed", Reject, "A signed attribute cannot be read.";
    AttributeUnknown = "attribute-unknown", Info, "A signed attribute that this crate does not know.";
    SchemeStripped = "scheme-stripped", Reject, "An older signature says that a newer one was made, and it is not there: somebody removed it.";
    SdkRangeInvalid = "sdk-range-invalid", Reject, "A signer's range of Android levels is empty, or differs inside and outside of the signed data.";
    SdkRangesDisagree = "sdk-ranges-disagree", Reject, "The signers' ranges of Android levels overlap or leave a hole.";
    SdkRangeUncovered = "sdk-range-uncovered", Reject, "No signer covers some of the Android levels asked about.";
    LineageMalformed = "lineage-malformed", Reject, "The proof of key rotation cannot be read.";
    LineageSignatureWrong = "lineage-signature-wrong", Reject, "A step in the proof of key rotation is not signed by the key before it.";
    LineageEndsElsewhere = "lineage-ends-elsewhere", Reject, "The proof of key rotation does not end at the signer's own certificate.";
    LineagesInconsistent = "lineages-inconsistent", Reject, "Two signers tell different histories of the key.";
    RotationBlockMissing = "rotation-block-missing", Reject, "The v3 signer says that a v3.1 signer takes over, and there is none.";
    RotationLevelDiffers = "rotation-level-differs", Reject, "The v3 signer and the v3.1 block name different Android levels for the rotation.";
    RotationUnannounced = "rotation-unannounced", Warning, "The v3.1 signer is not announced by the v3 signer, so nobody would notice its removal.";
    RotationWithoutV3 = "rotation-without-v3", Reject, "A v3.1 block without a v3 block.";
    DevelopmentRelease = "development-release", NotChecked, "A signer is meant for a preview of its first Android level only; on the released one the verdict is open.";
    HybridNotChecked = "hybrid-not-checked", NotChecked, "A v3.2 (hybrid post-quantum) signer decides on these Android levels, and this build cannot verify it.";
    HybridSigners = "hybrid-signers", Reject, "A v3.2 block needs exactly two signers, a classical and a post-quantum one.";
    HybridUnannounced = "hybrid-unannounced", Warning, "The v3.2 signers are not announced by an older signer, so nobody would notice their removal.";
    HybridLevelDiffers = "hybrid-level-differs", Reject, "An older signer and the v3.2 block name different Android levels for it.";
    HybridPastDiffers = "hybrid-past-differs", Reject, "The v3.2 signers' history does not begin with the signer for older Android: anybody can add such a block to somebody else's app.";
    PostQuantumAlone = "post-quantum-alone", Reject, "A post-quantum key signs alone in an older scheme; Android takes it only beside a classical one, in v3.2.";
    OlderSchemeBroken = "older-scheme-broken", Warning, "A scheme that does not count on the Android levels asked about is broken; on older Android the app would not install.";
    PastSignerDiffers = "past-signer-differs", Reject, "The signer for older Android is not the root of the newer signer's history.";
    PastSignersMany = "past-signers-many", Reject, "Several signers for older Android beside a v3 signer, which can only follow a single one.";
    SchemesSignersDiffer = "schemes-signers-differ", Reject, "The v1 and v2 signatures are by different signers.";
    MinSchemeForTarget = "min-scheme-for-target", Reject, "Apps that target Android 11 or sandbox version 2 need a v2 or newer signature.";
    UnsignedBelow = "unsigned-below", Warning, "No signature counts on the oldest of the Android levels asked about: the app does not install there.";
    // v1
    JarManifestMalformed = "jar-manifest-malformed", Reject, "META-INF/MANIFEST.MF cannot be read, or has two sections or attributes of one name.";
    JarEntryMissing = "jar-entry-missing", Reject, "META-INF/MANIFEST.MF describes an entry that is not there.";
    JarFileMalformed = "jar-file-malformed", Reject, "A signature file (.SF) cannot be read.";
    JarBlockMalformed = "jar-block-malformed", Reject, "A signature block (.RSA, .DSA, .EC) is not the PKCS#7 it must be.";
    JarBlockWithoutFile = "jar-block-without-file", Warning, "A signature block has no signature file beside it; Android passes over it.";
    JarSignerIgnored = "jar-signer-ignored", Warning, "Android passes over this signature file, whatever it says.";
    JarAlgorithmUnsupported = "jar-algorithm-unsupported", Reject, "Some of the Android levels asked about do not know this pair of digest and signature algorithm.";
    JarFirstSignerFails = "jar-first-signer-fails", Reject, "The first signer in a signature block does not verify, a later one does: older and newer Android take different signers.";
    JarAttributesUnsafe = "jar-attributes-unsafe", Reject, "Before Android 4.4 signed attributes protect nothing: the app's files could be changed.";
    CertificateUnsuitable = "certificate-unsuitable", Reject, "The certificate forbids its key to sign, or has a critical extension that Android does not know.";
    JarDigestWrong = "jar-digest-wrong", Reject, "What was signed in v1 is not what the archive holds.";
    JarDigestsDisagree = "jar-digests-disagree", Reject, "An entry has several digests in META-INF/MANIFEST.MF and not all are right: older and newer Android would judge it differently.";
    JarEntryUnsigned = "jar-entry-unsigned", Reject, "An entry is not covered by the v1 signature.";
    JarEntrySignersDiffer = "jar-entry-signers-differ", Reject, "Different entries are signed by different signers.";
    JarUnprotectedEntry = "jar-unprotected-entry", Info, "A file below META-INF belongs to no signature; under v1 alone anybody can change it.";
    // The manifest
    ManifestMissing = "manifest-missing", Reject, "There is no AndroidManifest.xml.";
    ManifestMalformed = "manifest-malformed", Reject, "AndroidManifest.xml is not readable binary XML.";
    ManifestPackage = "manifest-package", Reject, "The manifest names no package, or no possible one.";
    ManifestDuplicateAttribute = "manifest-duplicate-attribute", Reject, "The manifest gives one attribute twice: readers differ about which counts.";
    Debuggable = "debuggable", Warning, "The app can be debugged on any device; secrets in its memory can be read.";
    TestOnly = "test-only", Warning, "The app is marked as a test build.";
    SharedUserId = "shared-user-id", Warning, "The app shares its user id with others, so evidence may name their packages too.";
    // v4
    V4Malformed = "v4-malformed", Reject, "The .idsig file cannot be read, or uses parameters that no signer writes.";
    V4RootWrong = "v4-root-wrong", Reject, "The .idsig file's tree of digests is not this file's.";
    V4SignerDiffers = "v4-signer-differs", Reject, "The .idsig file is signed by somebody else than the APK.";
    V4DigestDiffers = "v4-digest-differs", Reject, "The .idsig file names another content digest than the APK's signature.";
    // Provenance
    SourceStampInvalid = "source-stamp-invalid", Warning, "The source stamp (a store's note that it made this file) does not hold. It never decides about the app.";
    SourceStampMissing = "source-stamp-missing", Warning, "The archive announces a source stamp, and there is none.";
    // Weaknesses that Android tolerates
    WeakKey = "weak-key", Warning, "A signing key is too short or of a kind that is no longer trusted.";
    WeakDigest = "weak-digest", Warning, "A signature rests on MD5 or SHA-1.";
    DebugCertificate = "debug-certificate", Warning, "The certificate is the one that Android's build tools give to debug builds; everybody can make one.";
    // Split sets and bundles
    SplitSetEmpty = "split-set-empty", Reject, "There is no APK inside.";
    SplitBase = "split-base", Reject, "A split set needs exactly one base APK.";
    SplitNotVerified = "split-not-verified", Reject, "A part of the set does not verify by itself.";
    SplitOtherPackage = "split-other-package", Reject, "A part belongs to another package.";
    SplitOtherVersion = "split-other-version", Reject, "A part has another version code.";
    SplitOtherSigner = "split-other-signer", Reject, "A part is signed by somebody else, or with another history.";
    SplitDuplicate = "split-duplicate", Reject, "Two parts have one split name.";
    UploadKey = "upload-key", Warning, "A bundle is signed with the upload key. The store signs what devices get with another key: take that one's certificate from the store, never this.";
    // iOS
    AppleBundle = "apple-bundle", Reject, "An IPA holds exactly one app under Payload.";
    AppleFileMissing = "apple-file-missing", Reject, "A file that the app needs is not there.";
    AppleInfoMalformed = "apple-info-malformed", Reject, "Info.plist cannot be read, or names an impossible executable.";
    AppleSymbolicLink = "apple-symbolic-link", Reject, "The bundle has a symbolic link: what it points to is not what was sealed.";
    AppleExecutableMalformed = "apple-executable-malformed", Reject, "An executable is no Mach-O file that holds together.";
    AppleUnsigned = "apple-unsigned", Reject, "A slice of an executable has no code signature.";
    AppleSignatureMalformed = "apple-signature-malformed", Reject, "A code signature cannot be read, or contradicts itself.";
    AppleAdHoc = "apple-ad-hoc", Reject, "The code signature is nobody's: hashes without a signer.";
    AppleCmsMalformed = "apple-cms-malformed", Reject, "The signed message of a code signature cannot be read.";
    AppleCdHashesDiffer = "apple-cdhashes-differ", Reject, "The signed list of code directories is not the list that is there.";
    AppleCodeUncovered = "apple-code-uncovered", Reject, "A code directory does not cover all of the code.";
    AppleCodeModified = "apple-code-modified", Reject, "A page of code is not what was signed.";
    AppleSealBroken = "apple-seal-broken", Reject, "A part that the code directory seals was changed, removed or added.";
    AppleSlicesDiffer = "apple-slices-differ", Reject, "The slices of one executable are signed differently: phones would run another app than tablets.";
    AppleResourcesMalformed = "apple-resources-malformed", Reject, "The seal over the bundle's files is missing or cannot be read.";
    AppleResourceMissing = "apple-resource-missing", Reject, "A sealed file is not there.";
    AppleResourceModified = "apple-resource-modified", Reject, "A sealed file was changed.";
    AppleResourceUnsealed = "apple-resource-unsealed", Reject, "A file was added that no seal covers.";
    AppleIdentifierDiffers = "apple-identifier-differs", Reject, "The bundle's id is not the one that was signed or entitled.";
    AppleNoAppId = "apple-no-app-id", Reject, "The signature entitles to no app id.";
    AppleTeamDiffers = "apple-team-differs", Reject, "App, profile or nested code belong to different teams.";
    AppleProfileMissing = "apple-profile-missing", Reject, "There is no provisioning profile, and the App Store did not sign.";
    AppleProfileMalformed = "apple-profile-malformed", Reject, "The provisioning profile cannot be read.";
    AppleSignerNotInProfile = "apple-signer-not-in-profile", Reject, "The provisioning profile does not name the signer's certificate.";
    AppleEntitlementNotGranted = "apple-entitlement-not-granted", Warning, "The app claims a right that its profile does not grant; a device refuses to install it.";
    AppleChainUntrusted = "apple-chain-untrusted", Warning, "The signer's certificate does not chain to Apple's root: anybody could have made it.";
    AppleEncrypted = "apple-encrypted", NotChecked, "The code is encrypted for the store's devices (`FairPlay`); its pages cannot be compared anywhere else.";
    // Questions without an answer
    RangeUnsupported = "range-unsupported", NotChecked, "The range of Android levels asked about is empty.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Code;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
        }
    }
}
