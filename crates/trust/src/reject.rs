//! Why trust metadata is refused: one variant per rule, one stable code each.

macro_rules! rejects {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
        pub enum $name {
            $($(#[$doc])* #[error($text)] $variant,)*
        }

        impl $name {
            /// All of them, for the reference page and the coverage test.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}
pub(crate) use rejects;

rejects! {
    /// A reply of `GET trust-bundle`, or saved state, that is not believed.
    TrustReject {
        /// More bytes than the budget.
        TooLarge = "trust-too-large", "the trust metadata is larger than its budget";
        /// The reply is not two envelopes.
        Malformed = "trust-malformed", "the reply is not a root and a bundle envelope";
        /// Too many signatures, or two of one key.
        Signatures = "trust-signatures", "an envelope has more than 8 signatures, or two of one key";
        /// The payload of the root is not root metadata of this version of the protocol.
        RootMalformed = "root-malformed", "the root metadata is not of the documented shape";
        /// Keys, roles and thresholds do not fit together.
        RootRules = "root-rules", "the root metadata's keys, roles and thresholds do not fit together";
        /// The root is of another account.
        RootForeign = "root-foreign", "the root metadata is of another account";
        /// The first root is not signed by the key of the config string.
        RootNotOurs = "root-not-ours", "the first root metadata is not signed by the key that the app was built with";
        /// A later root lacks the signatures of the root it replaces.
        RootUnsignedByOld = "root-unsigned-by-old", "the new root metadata is not signed by a threshold of the root keys held";
        /// A root lacks the signatures that it demands itself.
        RootUnsignedByNew = "root-unsigned-by-new", "the root metadata is not signed by a threshold of its own root keys";
        /// An older root than the one held.
        RootRollback = "root-rollback", "the root metadata is older than the one held";
        /// The version held, with other bytes.
        RootAltered = "root-altered", "the root metadata has the version held but other bytes";
        /// The root has expired.
        RootExpired = "root-expired", "the root metadata has expired";
        /// More rotations than saved state can hold.
        RootChain = "root-chain", "too many root rotations since the key that the app was built with";
        /// Not enough signatures of bundle keys.
        BundleUnsigned = "bundle-unsigned", "the bundle is not signed by a threshold of the bundle keys";
        /// The payload of the bundle is not a bundle of this version of the protocol.
        BundleMalformed = "bundle-malformed", "the bundle is not of the documented shape";
        /// Counts, names or lengths break a rule.
        BundleRules = "bundle-rules", "the bundle breaks a limit, or names something twice";
        /// A protected API has pins but no backup pin.
        PinsWithoutBackup = "pins-without-backup", "a protected API has pins but no backup pin";
        /// Managed roots are on and there are none.
        RootsMissing = "roots-missing", "managed roots are on, but the bundle has none";
        /// The bundle is of another account.
        BundleForeign = "bundle-foreign", "the bundle is of another account";
        /// The bundle belongs to another root version.
        BundleRootVersion = "bundle-root-version", "the bundle belongs to another version of the root metadata";
        /// An older bundle than the one held.
        BundleRollback = "bundle-rollback", "the bundle is older than the one held";
        /// The version held, with other bytes.
        BundleAltered = "bundle-altered", "the bundle has the version held but other bytes";
        /// The bundle has expired.
        BundleExpired = "bundle-expired", "the bundle has expired";
    }
}
