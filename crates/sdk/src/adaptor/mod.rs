//! The HTTP adaptor for Rust apps, over `reqwest` and `rustls`, with hosts for a desktop.
//!
//! It decides, per request and per redirect, what may be added and where it may go; the rules themselves
//! are the trust bundle's and the service's. It refuses to send anything that it could not protect (W-20).

mod client;
mod desktop;
mod failure;
mod login;
mod oauth;
mod placeholder;
mod redirect;
mod request;
mod tls;
mod transport;

pub use client::{ProtectedClient, ProtectedClientBuilder};
pub use desktop::{DirectoryVault, SystemClock};
pub use login::{
    Authority, BegunLogin, Choice, InstanceKeys, LadderReject, LoginError, LoginFault,
    LoginSettings, LoginStage, Means, OAuthSession, PassedOver, RungWish, Standing, Target, Unfit,
    choose,
};
pub use request::{ProtectedRequest, ProtectedResponse, Redirects};
pub use tls::Roots;
pub use transport::ReqwestTransport;

pub use reqwest::Method;
pub use url::Url;
