//! What the attackers do with what they have. Each function acts and reports; the story says what should come of it.

use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::ResponseKey;
use bonafide_wire::seal::{OpeningKey, Suite};

use super::handset::Failed;
use super::http::{Answer, Captured};
use super::middleman::{Caught, Middleman};
use super::scene::{Holds, OrOtherwise as _, Otherwise, Scene, Told, expect};
use super::stage::Stage;

/// Whose certificate a man in the middle has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Issuer {
    /// An authority of his own, installed in the phone's store.
    Kitchen,
    /// A public authority that issues for whoever asks.
    Wobbly,
}

/// How a login through a man in the middle came out.
#[derive(Debug)]
pub(super) struct Interception {
    failed: Option<Failed>,
    caught: Caught,
}

impl Interception {
    /// Shows it.
    pub(super) fn show(&self, scene: &mut Scene) {
        match &self.failed {
            Some(failed) => {
                let heard = self.caught.heard.len();
                let code = failed.code();
                scene.refused(
                    code,
                    format!("{code}; Books hung up, and he heard {heard} bytes"),
                );
                scene.screen(failed.to_string());
            }
            None => scene.allowed("the login went through him"),
        }
    }

    /// What he heard.
    pub(super) fn heard(&self) -> &[u8] {
        &self.caught.heard
    }

    /// Holds if victims knocked, and he heard nothing.
    pub(super) fn must_have_heard_nothing(&self) -> Told {
        expect(Holds(self.failed.is_some()), || {
            "the login went through".to_owned()
        })?;
        expect(Holds(self.caught.connections > 0), || {
            "nobody connected to the man in the middle".to_owned()
        })?;
        let heard = self.caught.heard.len();
        expect(Holds(heard == 0), || format!("he heard {heard} bytes"))
    }
}

/// Books logs in while somebody answers in the token endpoint's name.
pub(super) async fn login_through_middleman(
    stage: &Stage,
    issuer: Issuer,
) -> Result<Interception, Otherwise> {
    let authority = match issuer {
        Issuer::Kitchen => &stage.kitchen_ca,
        Issuer::Wobbly => &stage.wobbly_ca,
    };
    let identity = authority
        .server(&["oauth2.googleapis.com"])
        .or_otherwise("the attacker's certificate")?;
    let middleman = Middleman::new(identity)
        .await
        .or_otherwise("the attacker")?;
    let victim = stage
        .books
        .led_astray("oauth2.googleapis.com", middleman.address());
    let failed = victim.login().await.err();
    Ok(Interception {
        failed,
        caught: middleman.caught(),
    })
}

/// The last attestation that was heard on the wire.
pub(super) fn captured_attestation(stage: &Stage) -> Result<Captured, Otherwise> {
    let heard = stage.tap.heard();
    let requests = heard.iter().flat_map(|heard| Captured::all(&heard.up));
    let mut attestations = requests.filter(|request| {
        let line = request.head.lines().next().unwrap_or_default();
        line.starts_with("POST ") && line.contains("/attestations ")
    });
    attestations
        .next_back()
        .or_otherwise("no attestation was heard")
}

/// Everything that was heard on the wire, both directions.
pub(super) fn heard(stage: &Stage) -> Vec<u8> {
    let heard = stage.tap.heard();
    let directions = heard.iter().flat_map(|heard| [&heard.up, &heard.down]);
    directions.flatten().copied().collect()
}

/// Sends a captured request again, byte for byte.
pub(super) async fn resend(stage: &Stage, captured: &Captured) -> Result<Answer, Otherwise> {
    captured.send(stage.service_address()).await
}

/// Sends it again, asking for the reply under the attacker's own key.
pub(super) async fn resend_with_own_key(
    stage: &Stage,
    captured: &Captured,
) -> Result<Answer, Otherwise> {
    let suite = Suite::X25519;
    let own = OpeningKey::generate(suite).or_otherwise("the attacker's key")?;
    let key = ResponseKey {
        suite,
        public_key: Base64Url(own.public_key().to_vec()),
    };
    captured
        .with_response_key(key)?
        .send(stage.service_address())
        .await
}
