//! A phone that speaks the device protocol byte by byte, and everything that was said to it.

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use bonafide_simulator::apk::Apk;
use bonafide_simulator::{AppUid, Factory, KeyAlias, Phone};
use bonafide_wire::bytes::Base64Url;
use bonafide_wire::device::{
    AttestationPayload, AttestationReply, AttestationRequest, ChallengePurpose, ChallengeReply,
    EnrolmentPayload, EnrolmentReply, EnrolmentRequest, Measurements, PlatformEvidence,
    ResponseKey, SdkInfo, SealedReply, SecretWish, reply_info,
};
use bonafide_wire::ids::{DeviceId, UpstreamName};
use bonafide_wire::problem::Problem;
use bonafide_wire::proof::{Proof, Purpose, signed_bytes};
use bonafide_wire::seal::{OpeningKey, Suite};
use bonafide_wire::upstream::{
    ClientAuthenticationOutcome, ClientAuthenticationWish, InstanceKey, instance_key_bytes,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::native_host::{self, Key};
use crate::service::{Service, account};

/// An installed app on a phone.
pub(crate) struct DevicePhone<'a> {
    service: &'a Service,
    phone: Phone,
    app: AppUid,
    hardware: Option<KeyAlias>,
    pub(crate) ticket: Base64Url,
    pub(crate) device: Option<DeviceId>,
    /// Its key for one authorization server.
    pub(crate) instance: Arc<Key>,
    heard: Mutex<Vec<u8>>,
}

pub(crate) fn upstream(name: &str) -> UpstreamName {
    UpstreamName::parse(name).unwrap()
}

pub(crate) fn sdk() -> SdkInfo {
    SdkInfo {
        name: "test".to_owned(),
        version: "0".to_owned(),
    }
}

impl<'a> DevicePhone<'a> {
    pub(crate) fn new(service: &'a Service, factory: &Factory, apk: &Apk) -> Self {
        let phone = Phone::builder("Test phone")
            .build(factory, native_host::now().0)
            .unwrap();
        let app = phone.install(apk).unwrap();
        Self {
            service,
            phone,
            app,
            hardware: None,
            ticket: Base64Url(Vec::new()),
            device: None,
            instance: Arc::new(Key::new()),
            heard: Mutex::default(),
        }
    }

    /// Every byte that the service ever sent to this phone.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<T, Problem> {
        let (status, bytes) = self
            .post_bytes(route, serde_json::to_vec(body).unwrap())
            .await;
        if status == 200 || status == 201 {
            Ok(serde_json::from_slice(&bytes).unwrap())
        } else {
            let text = String::from_utf8_lossy(&bytes);
            Err(serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text}")))
        }
    }

    pub(crate) async fn post_bytes(&self, route: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let request = self
            .service
            .http()
            .post(self.service.url(route))
            .header("content-type", "application/json")
            .body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let mut heard = format!("{status} {:?}\n", answer.headers()).into_bytes();
        let bytes = answer.bytes().await.unwrap().to_vec();
        heard.extend_from_slice(&bytes);
        self.heard.lock().unwrap().extend_from_slice(&heard);
        (status, bytes)
    }

    pub(crate) async fn challenge(&self, purpose: ChallengePurpose) -> Base64Url {
        let wish = json!({ "purpose": purpose });
        let reply: ChallengeReply = self.post("challenges", &wish).await.unwrap();
        reply.challenge
    }

    pub(crate) fn measure(&self) -> Measurements {
        self.phone.measure(self.app).unwrap()
    }

    pub(crate) fn prove(&self, purpose: Purpose, attachment: &[u8], payload: &[u8]) -> Proof {
        let message = signed_bytes(purpose, &account(), attachment, payload);
        let key = self.hardware.as_ref().unwrap();
        let signature = self.phone.sign(self.app, key, &message).unwrap();
        Proof::EcdsaP256Sha256 {
            signature: Base64Url(signature),
        }
    }

    pub(crate) async fn enrol(&mut self) -> Result<(), Problem> {
        let challenge = self.challenge(ChallengePurpose::Enrolment).await;
        let now = native_host::now().0;
        let (key, chain) = self
            .phone
            .generate_key(self.app, challenge.as_slice(), now)
            .unwrap();
        self.hardware = Some(key);
        let payload = EnrolmentPayload {
            challenge,
            evidence: PlatformEvidence::AndroidKey {
                chain: chain.into_iter().map(Base64Url).collect(),
            },
            measurements: self.measure(),
            sdk: sdk(),
        };
        let payload = serde_json::to_vec(&payload).unwrap();
        let request = EnrolmentRequest {
            proof: self.prove(Purpose::Enrolment, &[], &payload),
            payload: Base64Url(payload),
        };
        let reply: EnrolmentReply = self.post("enrolments", &request).await?;
        self.ticket = reply.ticket;
        self.device = Some(reply.device_id);
        Ok(())
    }

    pub(crate) fn response_key() -> (OpeningKey, ResponseKey) {
        let key = OpeningKey::generate(Suite::X25519).unwrap();
        let public = ResponseKey {
            suite: key.suite(),
            public_key: Base64Url(key.public_key().to_vec()),
        };
        (key, public)
    }

    /// Proof that this phone has its key for `name`, over a challenge.
    pub(crate) fn instance_key(&self, name: &str, challenge: &Base64Url) -> InstanceKey {
        let device = self.device.as_ref().unwrap();
        let message = instance_key_bytes(&account(), device, &upstream(name), challenge.as_slice());
        InstanceKey {
            public_key: Base64Url(self.instance.public_key()),
            proof: Base64Url(self.instance.sign_der(&message)),
        }
    }

    /// Attests, and asks for what `wish` makes of the challenge.
    pub(crate) async fn attest(
        &mut self,
        secrets: Vec<SecretWish>,
        wish: impl FnOnce(&Self, &Base64Url) -> Vec<ClientAuthenticationWish>,
    ) -> Result<AttestationReply, Problem> {
        let challenge = self.challenge(ChallengePurpose::Attestation).await;
        let (key, response_key) = Self::response_key();
        let payload = AttestationPayload {
            client_authentications: wish(self, &challenge),
            challenge,
            response_key,
            measurements: self.measure(),
            tokens: vec![],
            secrets,
            sdk: sdk(),
        };
        let payload = serde_json::to_vec(&payload).unwrap();
        let request = AttestationRequest {
            proof: self.prove(Purpose::Attestation, self.ticket.as_slice(), &payload),
            ticket: self.ticket.clone(),
            payload: Base64Url(payload),
        };
        let sealed: SealedReply = self.post("attestations", &request).await?;
        let aad = digest(&SHA256, request.payload.as_slice());
        let info = reply_info(&account());
        let plain = key.open(&sealed.sealed, &info, aad.as_ref()).unwrap();
        let reply: AttestationReply = serde_json::from_slice(&plain).unwrap();
        self.ticket = reply.ticket.clone();
        Ok(reply)
    }

    /// One client authentication: the value, or why it was withheld.
    pub(crate) async fn client_authentication(
        &mut self,
        wish: impl FnOnce(&Self, &Base64Url) -> ClientAuthenticationWish,
    ) -> Result<String, &'static str> {
        let reply = self
            .attest(vec![], |phone, challenge| vec![wish(phone, challenge)])
            .await
            .unwrap();
        match reply.client_authentications.into_iter().next().unwrap() {
            ClientAuthenticationOutcome::Issued { value, .. } => Ok(value.0.expose().to_owned()),
            ClientAuthenticationOutcome::Withheld { reason, .. } => Err(reason.as_str()),
        }
    }
}
