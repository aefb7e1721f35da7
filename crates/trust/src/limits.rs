//! The budgets of foreign trust metadata, each far above honest use. It decides nothing else.

/// Largest reply of `GET trust-bundle`, bytes (W-16).
pub const MOST_BYTES: usize = 512 * 1024;
/// Largest root payload, bytes.
pub const MOST_ROOT_BYTES: usize = 8 * 1024;
/// Largest saved state, bytes: a bundle and every root that led to it.
pub const MOST_SAVED_BYTES: usize = 2 * 1024 * 1024;
/// Most keys of root metadata.
pub const MOST_KEYS: usize = 16;
/// Most managed roots of a bundle; the Mozilla programme has about 120.
pub const MOST_ROOTS: usize = 512;
/// Most protected APIs of a bundle.
pub const MOST_APIS: usize = 512;
/// Most authorization servers of a bundle.
pub const MOST_UPSTREAMS: usize = 64;
/// Longest client id, bytes.
pub const MOST_CLIENT_ID: usize = 256;
/// Most pins of one protected API.
pub const MOST_PINS: usize = 16;
/// Fewest pins where there are any: one in use and one backup.
pub const FEWEST_PINS: usize = 2;
/// Longest name, bytes.
pub const MOST_NAME: usize = 128;
/// Largest subject, key or name constraints of a managed root, bytes.
pub const MOST_DER: usize = 4096;
/// Largest version: integers up to here survive every JSON implementation.
pub const MOST_VERSION: u64 = (1 << 53) - 1;
/// Most root documents between the compiled-in thumbprint and the root in force.
pub const MOST_ROOT_CHAIN: usize = 64;
/// Most certificates of a chain that a server may present.
pub const MOST_CERTIFICATES: usize = 10;
