//! What an app instance believes: one root, one bundle, and the order in which they may be replaced.
//!
//! An ordered state machine without I/O: feed it replies, it verifies, refuses rollback, and changes as a
//! whole or not at all. A refused reply leaves what is held in force; after the first bundle there is no
//! way back to "no trust data" (W-14 to W-16).

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::envelope::{Envelope, Role, TrustReply};
use bonafide_wire::ids::AccountId;
use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::limits;
use crate::quorum;
use crate::reject::TrustReject;
use crate::root::RootMetadata;

/// The trust metadata in force, if any yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedSet {
    account: AccountId,
    trust_root: Base64Url,
    held: Option<Held>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    root: HeldRoot,
    bundle: Bundle,
    envelope: Envelope,
}

/// A root and the envelopes that lead to it from the key of the config string.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HeldRoot {
    metadata: RootMetadata,
    chain: Vec<Envelope>,
}

/// What an accepted reply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// What was held is what came.
    Unchanged,
    /// A newer root or bundle is in force.
    Newer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    roots: Vec<Envelope>,
    bundle: Envelope,
}

impl TrustedSet {
    /// Nothing yet but what the config string says: the account and the thumbprint of its root key.
    pub fn new(account: AccountId, trust_root: Base64Url) -> Self {
        Self {
            account,
            trust_root,
            held: None,
        }
    }

    /// The bundle in force.
    pub fn bundle(&self) -> Option<&Bundle> {
        self.held.as_ref().map(|held| &held.bundle)
    }

    /// The version of the bundle in force; 0 before the first.
    pub fn version(&self) -> u64 {
        self.bundle().map_or(0, |bundle| bundle.version)
    }

    /// Takes a reply of `GET trust-bundle`. `now` (seconds since 1970) is frozen for the whole of it, and
    /// a clock that is behind what was already seen does not count.
    pub fn update(&mut self, reply: &[u8], now: i64) -> Result<Updated, TrustReject> {
        if reply.len() > limits::MOST_BYTES {
            return Err(TrustReject::TooLarge);
        }
        let reply: TrustReply =
            serde_json::from_slice(reply).map_err(|_| TrustReject::Malformed)?;
        let now = self.bundle().map_or(now, |held| now.max(held.issued_at));
        let held = self.accept(reply, now)?;
        let unchanged = self.held.as_ref().is_some_and(|old| {
            old.root.metadata == held.root.metadata && old.bundle == held.bundle
        });
        self.held = Some(held);
        Ok(if unchanged {
            Updated::Unchanged
        } else {
            Updated::Newer
        })
    }

    fn accept(&self, reply: TrustReply, now: i64) -> Result<Held, TrustReject> {
        quorum::check_form(&reply.root)?;
        quorum::check_form(&reply.bundle)?;
        let root = match self.held.as_ref().map(|held| &held.root) {
            None => self.accept_first_root(reply.root)?,
            Some(held) if held.is(&reply.root) => held.clone(),
            Some(held) => self.accept_next_root(held, reply.root)?,
        };
        if root.metadata.expires_at <= now {
            return Err(TrustReject::RootExpired);
        }
        let bundle = self.accept_bundle(&root.metadata, &reply.bundle)?;
        self.refuse_older_bundle(&bundle, &reply.bundle)?;
        if bundle.expires_at <= now {
            return Err(TrustReject::BundleExpired);
        }
        Ok(Held {
            root,
            bundle,
            envelope: reply.bundle,
        })
    }

    /// The first root is believed for the key that the app was built with. It must be read before its
    /// signature can be checked, because only it tells the key; the key must have the known thumbprint.
    fn accept_first_root(&self, envelope: Envelope) -> Result<HeldRoot, TrustReject> {
        let metadata = RootMetadata::parse(envelope.payload.as_slice())?;
        if !self.is_signed_by_trust_root(&metadata, &envelope) {
            return Err(TrustReject::RootNotOurs);
        }
        self.check_root(&metadata, &envelope)?;
        Ok(HeldRoot {
            metadata,
            chain: vec![envelope],
        })
    }

    fn accept_next_root(
        &self,
        held: &HeldRoot,
        envelope: Envelope,
    ) -> Result<HeldRoot, TrustReject> {
        let old = &held.metadata;
        if !quorum::is_met(&envelope, Role::Root, &self.account, (old, &old.roles.root)) {
            return Err(TrustReject::RootUnsignedByOld);
        }
        let metadata = RootMetadata::parse(envelope.payload.as_slice())?;
        self.check_root(&metadata, &envelope)?;
        if metadata.version < old.version {
            return Err(TrustReject::RootRollback);
        }
        if metadata.version == old.version {
            return Err(TrustReject::RootAltered);
        }
        // A root that the compiled-in key signed needs no other roots to lead to it.
        let mut chain = if self.is_signed_by_trust_root(&metadata, &envelope) {
            Vec::new()
        } else {
            held.chain.clone()
        };
        if chain.len() >= limits::MOST_ROOT_CHAIN {
            return Err(TrustReject::RootChain);
        }
        chain.push(envelope);
        Ok(HeldRoot { metadata, chain })
    }

    fn check_root(&self, root: &RootMetadata, envelope: &Envelope) -> Result<(), TrustReject> {
        if root.account != self.account {
            return Err(TrustReject::RootForeign);
        }
        if !quorum::is_met(
            envelope,
            Role::Root,
            &self.account,
            (root, &root.roles.root),
        ) {
            return Err(TrustReject::RootUnsignedByNew);
        }
        Ok(())
    }

    fn is_signed_by_trust_root(&self, root: &RootMetadata, envelope: &Envelope) -> bool {
        let id = &self.trust_root;
        root.key(id).is_some_and(|point| {
            quorum::is_signed_by(envelope, Role::Root, &self.account, (id, point))
        })
    }

    fn accept_bundle(
        &self,
        root: &RootMetadata,
        envelope: &Envelope,
    ) -> Result<Bundle, TrustReject> {
        let role = (root, &root.roles.bundle);
        if !quorum::is_met(envelope, Role::Bundle, &self.account, role) {
            return Err(TrustReject::BundleUnsigned);
        }
        let bundle = Bundle::parse(envelope.payload.as_slice())?;
        if bundle.account != self.account {
            return Err(TrustReject::BundleForeign);
        }
        if bundle.root_version != root.version {
            return Err(TrustReject::BundleRootVersion);
        }
        Ok(bundle)
    }

    fn refuse_older_bundle(&self, new: &Bundle, envelope: &Envelope) -> Result<(), TrustReject> {
        let Some(held) = &self.held else {
            return Ok(());
        };
        if new.version < held.bundle.version {
            return Err(TrustReject::BundleRollback);
        }
        if new.version == held.bundle.version && envelope.payload != held.envelope.payload {
            return Err(TrustReject::BundleAltered);
        }
        Ok(())
    }

    /// The state as bytes for the vault, `None` before the first bundle. Everything in them is signed, so
    /// that the vault need not be trusted for more than not going back in time.
    pub fn save(&self) -> Option<Vec<u8>> {
        let held = self.held.as_ref()?;
        serde_json::to_vec(&Saved {
            roots: held.root.chain.clone(),
            bundle: held.envelope.clone(),
        })
        .ok()
    }

    /// The state that [`Self::save`] gave, verified anew from the config string's thumbprint. Expiry does
    /// not count here: what was in force stays in force, stale or not.
    pub fn restore(
        account: AccountId,
        trust_root: Base64Url,
        saved: &[u8],
    ) -> Result<Self, TrustReject> {
        if saved.len() > limits::MOST_SAVED_BYTES {
            return Err(TrustReject::TooLarge);
        }
        let saved: Saved = serde_json::from_slice(saved).map_err(|_| TrustReject::Malformed)?;
        let mut set = Self::new(account, trust_root);
        let mut roots = saved.roots.into_iter();
        let first = roots.next().ok_or(TrustReject::Malformed)?;
        let mut root = set.accept_first_root(first)?;
        for next in roots {
            root = set.accept_next_root(&root, next)?;
        }
        let bundle = set.accept_bundle(&root.metadata, &saved.bundle)?;
        set.held = Some(Held {
            root,
            bundle,
            envelope: saved.bundle,
        });
        Ok(set)
    }
}

impl HeldRoot {
    fn is(&self, envelope: &Envelope) -> bool {
        self.chain
            .last()
            .is_some_and(|held| held.payload == envelope.payload)
    }
}
