//! Logging in at an authorization server, by the best rung of the ladder that account, server and device allow.
//!
//! ```text
//! begin -> (browser) -> finish -> send … send -> logout
//! ```
//!
//! [`ladder`] chooses, [`credential`] authenticates each call anew, [`record`] is what survives the process, and
//! [`OAuthSession`] is what an app holds. Whether a server is trusted is the bundle's word, whether the instance is genuine
//! the service's.

mod credential;
mod error;
mod inner;
mod ladder;
mod record;
mod session;
mod settings;

pub use error::{LoginError, LoginFault};
pub use ladder::{Choice, InstanceKeys, LadderReject, Means, PassedOver, RungWish, Unfit, choose};
pub use session::{BegunLogin, OAuthSession, Standing};
pub use settings::{Authority, LoginSettings, LoginStage, Target};
