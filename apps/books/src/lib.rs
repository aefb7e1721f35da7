//! The Books demo app without a window: search, login, favourites, covers, logout.
//!
//! Composes what an app composes: [`bonafide_sdk`] holds the login and protects every request, a browser asks the reader, a
//! virtual phone plays the hardware. Decides what a reader is told; refuses to know how attestation or OAuth work
//! inside, and by which rung of the ladder the app proves itself.

mod api;
mod app;
pub mod browser;
mod cover;
mod error;
mod files;
mod login;
pub mod loopback;
mod phone;
mod setup;

pub use api::Book;
pub use app::{BooksApp, Profile};
pub use error::{Action, BooksError, Trouble};
pub use login::LoginStep;
pub use phone::{PhoneAttester, PhoneKeyRing};
pub use setup::{BooksSetup, Provider};

/// The package of the app on the phone.
pub const PACKAGE: &str = "dev.bonafide.books";
