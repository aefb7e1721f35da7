//! What an operator demands of an app instance, as typed data.
//!
//! Decides nothing by itself: `appraise` reads it. It refuses unknown members, so that a typing error cannot
//! silently switch a check off.

use serde::{Deserialize, Serialize};

/// Whether a refused app learns the codes of its findings (W-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionReasons {
    /// Only the coarse code and a support id.
    #[default]
    Off,
    /// The codes too.
    On,
}

/// The policy of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What a refused app learns.
    pub rejection_reasons: RejectionReasons,
}
