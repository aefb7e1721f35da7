//! Two RSA keys, made for these tests and used nowhere else.

use rsa::BoxedUint;
use sha2::{Digest, Sha256};

use super::keys::{CertificatePlan, tlv};

/// An RSA signer with PKCS#1 v1.5 and SHA-256.
#[derive(Clone)]
pub(crate) struct RsaPlan {
    modulus: &'static str,
    private_exponent: &'static str,
    primes: [&'static str; 2],
    /// The certificate writes the modulus without the zero byte that makes it positive.
    pub(crate) negative_in_certificate: bool,
    pub(crate) spoil: bool,
}

impl RsaPlan {
    pub(crate) fn bits_1024() -> Self {
        Self::new(MODULUS_1024, EXPONENT_1024, [PRIME_1024, OTHER_PRIME_1024])
    }

    pub(crate) fn bits_2048() -> Self {
        Self::new(MODULUS_2048, EXPONENT_2048, [PRIME_2048, OTHER_PRIME_2048])
    }

    fn new(
        modulus: &'static str,
        private_exponent: &'static str,
        primes: [&'static str; 2],
    ) -> Self {
        Self {
            modulus,
            private_exponent,
            primes,
            negative_in_certificate: false,
            spoil: false,
        }
    }

    /// The `SubjectPublicKeyInfo`.
    pub(crate) fn info(&self) -> Vec<u8> {
        self.info_with(&[0])
    }

    fn info_with(&self, sign: &[u8]) -> Vec<u8> {
        let modulus = [sign, &hex::decode(self.modulus).unwrap()].concat();
        let numbers = [tlv(0x02, &modulus), tlv(0x02, &[1, 0, 1])].concat();
        let algorithm = tlv(
            0x30,
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
        );
        let bits = tlv(0x03, &[&[0][..], &tlv(0x30, &numbers)].concat());
        tlv(0x30, &[algorithm, bits].concat())
    }

    pub(crate) fn certificate(&self) -> Vec<u8> {
        let mut plan = CertificatePlan::new(1);
        let sign: &[u8] = if self.negative_in_certificate {
            &[]
        } else {
            &[0]
        };
        plan.key = self.info_with(sign);
        plan.build()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let number = |text: &str| BoxedUint::from_be_slice_vartime(&hex::decode(text).unwrap());
        let key = rsa::PrivateKey::from_components(
            number(self.modulus),
            number("010001"),
            number(self.private_exponent),
            self.primes.iter().copied().map(number).collect(),
        );
        let info = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
        let scheme = rsa::Pkcs1v15Sign {
            hash_len: Some(32),
            prefix: info.as_slice().into(),
        };
        let mut signature = key.unwrap().sign(scheme, &Sha256::digest(message)).unwrap();
        if self.spoil {
            signature[9] ^= 1;
        }
        signature
    }
}

const MODULUS_1024: &str = "\
    c65b1b546cfc47920c5923ffc9596fdac2c88c6347cbc1439ed9bf3128f7cd60a1a2238f95ee9646a9301536804af63b\
    851a7eab2b178cfc7a872587b67bd81f698c997028f6d66800b26298d950001f8b8babc1318e20201ec830b26c2b4929\
    35cdd702ed5ef3a7e6b6a1d1eb65aee971e185df2467a74547a83eeedd185be3";
const EXPONENT_1024: &str = "\
    86bbb3e0b0f6dc169454a863427d81c0f2b60ec6112a91e840aa5f7820ffd17d65cd20a29391307a66c9c65ef2ddf84b\
    8da9e5889708b4377b72f94729e90d6f7561d3eb21cfd7d4c904febb65a717b7f4940072f0543639d70387c1b9b8c0ae\
    99e2a481f86768b749e843a38f0058e3389226ed32c93345336098c683516601";
const PRIME_1024: &str = "\
    f79120f9f4122920405c0e9fede6f340c5170b24332f96d71c3567adcc06e98fbadc1247b8ab3766e041a356b6c01c2a\
    e42bcd5fa1b0b9d4deb3f9a53fcacfa3";
const OTHER_PRIME_1024: &str = "\
    cd1cd722ed09b3c374d4ccbc53da3d6f58dea4644f52547b49935e0c0c08e4e1e6ddfec3a488d9f55493e0cef79ed580\
    5e3f30765877a26f8548935d5f9c06c1";
const MODULUS_2048: &str = "\
    92bc15c7150dfc916e3a578bb3a38cd46eff471b9b43007420f877487ae74c47342c2fbe055fec9a3e09733aa6073cf5\
    c37839baa9f13d62793d99ad4e555456de7e221419202fe947b828831f897cbadff81948821d022bd7c8ce1c66cb74bc\
    364a68b33143a19fe534e09223e10af810c981373b311bf5e4db8905f77d3094e13afaa684976d4da550cf0cbc35ed2a\
    6002bf63a3cb54f8c35b96136888c0079b3c923f2e7e3dae337d193872d11a1cb522560a05a699aae681b23fc4536952\
    b6f4c127f0a84dd4810a043b8e49ab683bcdaf8b31cea46ba242634b5f9d78d7537cd7afafb348d32d8ce2d94be75848\
    2793a3fe035a5612a517c7c4d07588e3";
const EXPONENT_2048: &str = "\
    1297ebc888d5f761b44e874668127ae7765339bef94b21b5157276a7040fe81e03b1efb0cbfc8e3e334b3e4339c3a409\
    5e660f26a49f3190975d636a4f09480123fb66b51643fa5e3c9ccce164af26d3854aea65423b8bc963740a0e164684b9\
    cec55a040ee38b88f7e1dded16c7cefc85200b94249781fc042e7f6bf6a2f1f35280ba8c7611a25a103c6e4e7b6a1eec\
    1cfe8ab5089ae1e726c39c0c050b63fd574c36f0d392acf2f6c85297fd68e6cf666d3c715ffc627aa76f3772e0a5c373\
    d97d0ca9ffccb8695722eacdb9734b64c47438125b5ea56f3ade9a18799c9f0a132d8bf7dae6368c23b4005e04652cec\
    a0d416aca3f02cda050ab7eda12ec681";
const PRIME_2048: &str = "\
    c5248d1a5f43a71913dc275b30556ad07aca560caed95164f8afa6eaaf5431d9bef5aa31bc8632ff238cc13a34b89788\
    5f1ba2411523a6f9bbde63998bf5ee5da70a1daa6e6d2c3a7d1741dde96543c352cbe19c4cbb1916ff1a4841ec570390\
    23d5867b247afdf4539f264db4899ec2936abed9ce4d062c55b8b05a76d41e81";
const OTHER_PRIME_2048: &str = "\
    be8ae3b33eed0419644b782566ce04a9e4a5314b631f582632a0614a71ebe1676b9e861d6dab24d9f34eb53bf127ded1\
    a499612a82112708d71a06381ab891eb6e3fced8b1f1a24d1213095ee27fab0b75b349c2f406f5259e077a06e2a2318f\
    af0a7f5b14cc13bdd7f781a28c8e30949562d95fbed662aeb7aa86752ea93d63";
