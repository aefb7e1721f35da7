//! The decision per connection, over real certificates: the matrix of knowledge about pins and roots.

use bonafide_trust::connection::{Presented, authenticate};
use bonafide_trust::{
    Allowed, Bundle, ConnectionReject, Freshness, ManagedRoot, ManagedRoots, Pin, Protection,
    ValidatedPath, decide,
};
use bonafide_wire::admin::TokenMode;
use bonafide_wire::bytes::Base64Url;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};

use crate::signer::{NOW, bundle};

const HOST: &str = "api.example.com";
const YEAR: i64 = 31_557_600;

struct Authority {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = at(NOW - YEAR);
    params.not_after = at(NOW + YEAR);
    params
}

fn at(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

impl Authority {
    fn params(name: &str) -> CertificateParams {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    }

    fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = Self::params(name);
        let der = params.self_signed(&key).unwrap().der().clone();
        Self {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = Self::params(name);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    /// The same name and key as `other`, vouched for by this authority.
    fn cross_sign(&self, other: &Self, name: &str) -> CertificateDer<'static> {
        Self::params(name)
            .signed_by(other.issuer.key(), &self.issuer)
            .unwrap()
            .der()
            .clone()
    }

    fn leaf(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = params(host);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(host.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Leaf {
            der,
            pin: pin(key.subject_public_key_info().as_slice()),
        }
    }

    fn managed(&self) -> ManagedRoot {
        let subject = webpki::anchor_from_trusted_cert(&self.der).unwrap();
        ManagedRoot::from_certificate(
            format!(
                "{:?}",
                &subject.subject.as_ref()[..8.min(subject.subject.len())]
            ) + &bonafide_wire::envelope::key_id(&self.der).to_string(),
            &self.der,
        )
        .unwrap()
    }

    fn pin(&self) -> Pin {
        pin(&self.issuer.key().subject_public_key_info())
    }
}

struct Leaf {
    der: CertificateDer<'static>,
    pin: Pin,
}

fn pin(spki: &[u8]) -> Pin {
    Pin {
        spki_sha256: bonafide_wire::envelope::key_id(spki),
    }
}

fn no_such_pin() -> Pin {
    Pin {
        spki_sha256: Base64Url(vec![0; 32]),
    }
}

/// Two public authorities, A and B, in the managed set; C outside.
struct World {
    root_a: Authority,
    root_b: Authority,
    root_c: Authority,
    issuing_a: Authority,
    genuine: Leaf,
}

impl World {
    fn new() -> Self {
        let root_a = Authority::root("root A");
        let issuing_a = root_a.intermediate("issuing A");
        let genuine = issuing_a.leaf(HOST, |_| ());
        Self {
            root_a,
            root_b: Authority::root("root B"),
            root_c: Authority::root("root C"),
            issuing_a,
            genuine,
        }
    }

    fn bundle(&self, pins: Vec<Pin>) -> Bundle {
        let mut bundle = bundle(1);
        bundle.roots = vec![self.root_a.managed(), self.root_b.managed()];
        bundle.apis[0].pins = pins;
        bundle
    }

    fn verify(
        &self,
        bundle: &Bundle,
        host: &'static str,
        chain: &[&CertificateDer<'static>],
    ) -> Result<Allowed, ConnectionReject> {
        let (leaf, rest) = chain.split_first().unwrap();
        let rest: Vec<_> = rest.iter().map(|der| (*der).clone()).collect();
        let device: [TrustAnchor<'_>; 1] =
            [webpki::anchor_from_trusted_cert(&self.root_c.der).unwrap()];
        authenticate(
            &Presented {
                server: &ServerName::try_from(host).unwrap(),
                end_entity: leaf,
                intermediates: &rest,
                now: UnixTime::since_unix_epoch(core::time::Duration::from_secs(
                    u64::try_from(NOW).unwrap(),
                )),
            },
            bundle,
            &device,
        )
    }

    fn reaches(&self, bundle: &Bundle, chain: &[&CertificateDer<'static>]) -> &'static str {
        match self.verify(bundle, HOST, chain) {
            Ok(_) => "accept",
            Err(reject) => reject.code(),
        }
    }
}

#[test]
fn managed_roots_and_pins_stop_what_they_say_and_no_more() {
    let world = World::new();
    let (a, b, c) = (&world.root_a, &world.root_b, &world.root_c);
    let by_b = b.leaf(HOST, |_| ());
    let rotated = world.issuing_a.leaf(HOST, |_| ());
    let by_c = c.leaf(HOST, |_| ());
    let cross = b.cross_sign(&world.issuing_a, "issuing A");
    let issuing = &world.issuing_a.der;
    let genuine = &world.genuine.der;

    let roots_only = world.bundle(vec![]);
    let leaf_pin = world.bundle(vec![world.genuine.pin.clone(), no_such_pin()]);
    let issuing_pin = world.bundle(vec![world.issuing_a.pin(), no_such_pin()]);
    let root_b_pin = world.bundle(vec![b.pin(), no_such_pin()]);

    let table: [(&str, Vec<&CertificateDer<'static>>, [&str; 4]); 6] = [
        (
            "genuine",
            vec![genuine, issuing],
            ["accept", "accept", "accept", "pin-mismatch"],
        ),
        (
            "other public authority",
            vec![&by_b.der],
            ["accept", "pin-mismatch", "pin-mismatch", "accept"],
        ),
        (
            "pinned certificates appended",
            vec![&by_b.der, genuine, issuing, &a.der],
            ["accept", "pin-mismatch", "pin-mismatch", "accept"],
        ),
        (
            "rotated leaf key",
            vec![&rotated.der, issuing],
            ["accept", "pin-mismatch", "accept", "pin-mismatch"],
        ),
        ("outside", vec![&by_c.der], ["root-not-managed"; 4]),
        (
            "cross-signed",
            vec![genuine, issuing, &cross],
            ["accept"; 4],
        ),
    ];
    for (name, chain, expected) in table {
        let bundles = [&roots_only, &leaf_pin, &issuing_pin, &root_b_pin];
        let found = bundles.map(|bundle| world.reaches(bundle, &chain));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_pin_never_replaces_validation() {
    let world = World::new();
    let issuing = &world.issuing_a;
    let expired = issuing.leaf(HOST, |params| params.not_after = at(NOW - 60));
    let early = issuing.leaf(HOST, |params| params.not_before = at(NOW + 60));
    let elsewhere = issuing.leaf("other.example.com", |_| ());
    let client = issuing.leaf(HOST, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let garbage = CertificateDer::from(vec![0x30, 0x00]);
    for (name, leaf, code) in [
        ("expired", &expired.der, "certificate-invalid"),
        ("not yet valid", &early.der, "certificate-invalid"),
        ("wrong name", &elsewhere.der, "certificate-wrong-host"),
        ("client certificate", &client.der, "certificate-invalid"),
        ("garbage", &garbage, "certificate-unreadable"),
    ] {
        let pins = vec![world.issuing_a.pin(), no_such_pin()];
        let found = world.reaches(&world.bundle(pins), &[leaf, &issuing.der]);
        assert_eq!(found, code, "{name}");
    }
    let many = vec![&world.genuine.der; 11];
    assert_eq!(
        world.reaches(&world.bundle(vec![]), &many),
        "too-many-certificates"
    );
}

#[test]
fn a_distrusted_root_vouches_for_its_old_certificates_only() {
    let world = World::new();
    let mut bundle = world.bundle(vec![]);
    let chain = [&world.genuine.der, &world.issuing_a.der];
    for (date, expected) in [(NOW - YEAR, "accept"), (NOW - YEAR - 1, "root-distrusted")] {
        bundle.roots[0].distrust_after = Some(date);
        assert_eq!(world.reaches(&bundle, &chain), expected, "{date}");
    }
    // A cross-signed chain still passes by its other root.
    let cross = world.root_b.cross_sign(&world.issuing_a, "issuing A");
    let chain = [&world.genuine.der, &world.issuing_a.der, &cross];
    assert_eq!(world.reaches(&bundle, &chain), "accept");
}

#[test]
fn name_constraints_of_a_root_hold() {
    let world = World::new();
    let mut bundle = world.bundle(vec![]);
    let chain = [&world.genuine.der, &world.issuing_a.der];
    let subtree = |name: &[u8]| {
        let length = |more: usize| u8::try_from(name.len() + more).unwrap();
        let header = [0xa0, length(4), 0x30, length(2), 0x82, length(0)];
        Some(Base64Url([&header, name].concat()))
    };
    for (name, expected) in [
        (b"example.com".as_slice(), "accept"),
        (b".tr".as_slice(), "certificate-invalid"),
    ] {
        bundle.roots[0].name_constraints = subtree(name);
        assert_eq!(world.reaches(&bundle, &chain), expected);
    }
}

#[test]
fn the_device_store_counts_for_unprotected_hosts_only() {
    let world = World::new();
    let mut bundle = world.bundle(vec![]);
    let protected = world.root_c.leaf(HOST, |_| ());
    let other = world.root_c.leaf("other.example.com", |_| ());
    let managed_other = world.root_a.leaf("other.example.com", |_| ());
    let verify = |bundle: &Bundle, host, leaf: &Leaf| world.verify(bundle, host, &[&leaf.der]);

    assert_eq!(
        verify(&bundle, HOST, &protected),
        Err(ConnectionReject::RootNotManaged)
    );
    assert_eq!(
        verify(&bundle, "other.example.com", &other).map(|allowed| allowed.protection),
        Ok(Protection::Unprotected)
    );
    assert_eq!(
        verify(&bundle, "other.example.com", &managed_other),
        Err(ConnectionReject::RootUnknown)
    );
    bundle.managed_roots = ManagedRoots::Off;
    assert_eq!(
        verify(&bundle, HOST, &protected),
        Ok(Allowed {
            protection: Protection::Protected {
                token: TokenMode::Token
            },
            freshness: Freshness::Fresh
        })
    );
    // Pins hold whatever the roots.
    bundle.apis[0].pins = vec![world.genuine.pin.clone(), no_such_pin()];
    assert_eq!(
        verify(&bundle, HOST, &protected),
        Err(ConnectionReject::PinMismatch)
    );
}

#[test]
fn a_chain_that_the_platform_validated_is_decided_alike() {
    let world = World::new();
    let chain = |ders: &[&CertificateDer<'static>]| {
        let ders: Vec<&[u8]> = ders.iter().map(AsRef::as_ref).collect();
        ValidatedPath::from_certificates(&ders)
    };
    let (genuine, issuing) = (&world.genuine.der, &world.issuing_a.der);
    let good = chain(&[genuine, issuing, &world.root_a.der]).unwrap();
    let foreign = chain(&[&world.root_c.leaf(HOST, |_| ()).der, &world.root_c.der]).unwrap();
    let pinned = world.bundle(vec![world.genuine.pin.clone(), no_such_pin()]);
    assert!(decide(&pinned, HOST, &good, NOW).is_ok());
    for host in ["API.Example.com", "api.example.com."] {
        assert_eq!(
            decide(&pinned, host, &foreign, NOW),
            Err(ConnectionReject::RootNotManaged),
            "{host}"
        );
    }
    assert_eq!(chain(&[]), Err(ConnectionReject::CertificateUnreadable));
    let junk = CertificateDer::from(vec![1, 2, 3]);
    assert_eq!(
        chain(&[genuine, &junk]),
        Err(ConnectionReject::CertificateUnreadable)
    );
    assert_eq!(
        chain(&[genuine; 11]),
        Err(ConnectionReject::TooManyCertificates)
    );
}

#[test]
fn a_stale_bundle_is_enforced_and_says_so() {
    let world = World::new();
    let mut bundle = world.bundle(vec![]);
    bundle.expires_at = NOW;
    let chain = [&world.genuine.der, &world.issuing_a.der];
    assert_eq!(
        world.verify(&bundle, HOST, &chain).map(|a| a.freshness),
        Ok(Freshness::Stale)
    );
    let outside = world.root_c.leaf(HOST, |_| ());
    assert_eq!(world.reaches(&bundle, &[&outside.der]), "root-not-managed");
}
