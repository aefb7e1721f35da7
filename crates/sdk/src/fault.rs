//! Which rule failed, as types with stable codes. It decides nothing; the codes are API.

use bonafide_trust::{ConnectionReject, TrustReject};
use bonafide_wire::device::Withheld;
use bonafide_wire::problem::ProblemCode;

use crate::host::{AttesterError, TransportError};

macro_rules! coded {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $message:literal;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// For people.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }
        }
    };
}

/// Which rule failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service answered with a problem.
    Problem(ProblemCode),
    /// The instance is allowed, but this wish is not granted.
    Withheld(Withheld),
    /// The service gave no answer.
    Transport(TransportError),
    /// The service's answer cannot be used.
    Reply(ReplyFault),
    /// The device's key store failed.
    Attester(AttesterError),
    /// The same, with a key for one authorization server.
    InstanceKey(AttesterError),
    /// The trust metadata that came first were refused, so that there are none.
    Trust(TrustReject),
    /// The trust metadata are past their expiry and could not be renewed; secrets stay where they are.
    TrustStale,
    /// The connection to an API was refused.
    Connection(ConnectionReject),
    /// A placeholder stands where no secret may go.
    Placeholder(PlaceholderReject),
    /// The request to an API failed or is not one that this client sends.
    Request(RequestFault),
}

coded! {
    /// Why a service's answer cannot be used.
    ReplyFault {
        /// Not the documented JSON.
        Malformed = "service-answer-malformed", "the service's answer cannot be read";
        /// Sealed to another key, or to another request.
        Sealed = "service-answer-not-for-us", "the service's answer is not for this request";
        /// The outcomes are not those of the wishes.
        Mismatch = "service-answer-mismatched", "the service answered another question";
    }
}

coded! {
    /// Why a placeholder is not replaced (W-19).
    PlaceholderReject {
        /// It is not a whole header value, query value or form field.
        Misplaced = "placeholder-misplaced", "a placeholder must be a whole header value, query value or form field; nothing was sent";
        /// The name in it is not the name of a secret.
        MalformedName = "placeholder-malformed", "the placeholder does not name a secret; nothing was sent";
        /// The host is not a protected API.
        HostNotProtected = "placeholder-host-not-protected", "a secret leaves to protected APIs only (`bonafide api add HOST`); nothing was sent";
        /// The secret may not be used in that place.
        UseNotAllowed = "placeholder-use-not-allowed", "the secret may not be used in that place; nothing was sent";
        /// The secret holds characters that cannot stand in that place.
        Unfit = "placeholder-secret-unfit", "the secret cannot stand in that place; nothing was sent";
        /// A redirect brought it.
        FromRedirect = "placeholder-from-redirect", "a redirect asked for a secret; it was not followed";
    }
}

coded! {
    /// What is wrong with a request to an API, or with its answer.
    RequestFault {
        /// Not an absolute `https` URL without user info.
        Url = "request-url", "the URL must be absolute, https and without user info";
        /// A header that is not one, or that this client sets itself.
        Header = "request-header", "a header is malformed, or one that this client sets itself";
        /// The client could not be built.
        Client = "client-not-built", "the HTTP client cannot be built";
        /// No connection.
        Unreachable = "api-unreachable", "the API cannot be reached";
        /// No answer in time.
        TimedOut = "api-timed-out", "the API did not answer in time";
        /// The answer broke off.
        Interrupted = "api-interrupted", "the API's answer broke off";
        /// The body is larger than the client's limit.
        TooLarge = "api-answer-too-large", "the API's answer is larger than the client's limit";
        /// A redirect to another origin would have to carry a body over.
        RedirectWithBody = "redirect-with-body", "a redirect to another origin would carry the body over";
        /// Too many redirects, or one without a usable target.
        Redirect = "redirect-refused", "too many redirects, or one without a usable target";
    }
}

impl Fault {
    /// The faults whose codes are the SDK's own; the others carry those of the service and of trust.
    pub fn of_the_sdk() -> Vec<Self> {
        let mut all = vec![Self::TrustStale];
        all.extend(ReplyFault::ALL.iter().copied().map(Self::Reply));
        all.extend(
            [
                TransportError::Unreachable,
                TransportError::TimedOut,
                TransportError::Untrusted,
                TransportError::TooLarge,
            ]
            .map(Self::Transport),
        );
        all.extend(
            [
                AttesterError::KeyMissing,
                AttesterError::Unsupported,
                AttesterError::PlatformUnavailable,
                AttesterError::Failed,
            ]
            .map(Self::Attester),
        );
        all.extend(
            [
                AttesterError::KeyMissing,
                AttesterError::Unsupported,
                AttesterError::Failed,
            ]
            .map(Self::InstanceKey),
        );
        all.extend(
            PlaceholderReject::ALL
                .iter()
                .copied()
                .map(Self::Placeholder),
        );
        all.extend(RequestFault::ALL.iter().copied().map(Self::Request));
        all
    }

    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Problem(code) => code.as_str(),
            Self::Withheld(reason) => reason.as_str(),
            Self::Transport(TransportError::Unreachable) => "service-unreachable",
            Self::Transport(TransportError::TimedOut) => "service-timed-out",
            Self::Transport(TransportError::Untrusted) => "service-untrusted",
            Self::Transport(TransportError::TooLarge) => "service-answer-too-large",
            Self::Reply(fault) => fault.code(),
            Self::Attester(AttesterError::KeyMissing) => "hardware-key-missing",
            Self::Attester(AttesterError::Unsupported) => "attestation-unsupported",
            Self::Attester(AttesterError::PlatformUnavailable) => "platform-unavailable",
            Self::Attester(AttesterError::Failed) => "key-store-failed",
            Self::InstanceKey(AttesterError::KeyMissing) => "instance-key-missing",
            Self::InstanceKey(AttesterError::Unsupported) => "instance-keys-unsupported",
            Self::InstanceKey(AttesterError::PlatformUnavailable | AttesterError::Failed) => {
                "instance-key-failed"
            }
            Self::Trust(reject) => reject.code(),
            Self::TrustStale => "trust-stale",
            Self::Connection(reject) => reject.code(),
            Self::Placeholder(reject) => reject.code(),
            Self::Request(fault) => fault.code(),
        }
    }

    /// For people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Problem(code) => code.title(),
            Self::Withheld(reason) => withheld(reason),
            Self::Transport(TransportError::Unreachable) => "the service cannot be reached",
            Self::Transport(TransportError::TimedOut) => "the service did not answer in time",
            Self::Transport(TransportError::Untrusted) => {
                "somebody stands between this app and the service"
            }
            Self::Transport(TransportError::TooLarge) => "the service's answer is too large",
            Self::Reply(fault) => fault.message(),
            Self::Attester(AttesterError::KeyMissing) => "the hardware key is gone",
            Self::Attester(AttesterError::Unsupported) => "this device has no key attestation",
            Self::Attester(AttesterError::PlatformUnavailable) => {
                "the platform's attestation service is unavailable"
            }
            Self::Attester(AttesterError::Failed) => "the platform's key store failed",
            Self::InstanceKey(AttesterError::KeyMissing) => {
                "the hardware key for this authorization server is gone"
            }
            Self::InstanceKey(AttesterError::Unsupported) => {
                "this app has no keys for authorization servers"
            }
            Self::InstanceKey(AttesterError::PlatformUnavailable | AttesterError::Failed) => {
                "the platform's key store failed with the key for this authorization server"
            }
            Self::Trust(_) => "the account's trust metadata were refused",
            Self::TrustStale => {
                "the account's trust metadata are out of date and cannot be renewed"
            }
            Self::Connection(_) => "the connection is not trusted; nothing was sent",
            Self::Placeholder(reject) => reject.message(),
            Self::Request(fault) => fault.message(),
        }
    }
}

fn withheld(reason: Withheld) -> &'static str {
    match reason {
        Withheld::UnknownApi => "the host is not a protected API of the account",
        Withheld::NoTokenApi => "the API takes no attestation tokens",
        Withheld::UnknownSecret => "there is no such secret for this app",
        Withheld::HostNotAllowed => "the secret may not go to that host",
        Withheld::StoreUnavailable => "the service cannot record the release of a secret now",
        Withheld::UnknownUpstream => "there is no such authorization server for this app",
        Withheld::RungNotAllowed => "the account does not allow this kind of client authentication",
        Withheld::InstanceKeyInvalid => "the instance key does not prove possession",
        Withheld::NotConfigured => "the service lacks what it would authenticate with",
    }
}
