//! The Books demo app without a window: search, login, favourites, covers, logout.
//!
//! Composes what an app composes: [`bonafide_oauth`] says what to send, [`bonafide_sdk`] protects it and releases the client
//! secret at the moment of use, a virtual phone plays the hardware. Decides what a reader is told; refuses to know
//! how attestation or OAuth work inside.

mod api;
mod app;
pub mod browser;
mod cover;
mod error;
mod login;
pub mod loopback;
mod phone;
mod session;
mod setup;

pub use api::Book;
pub use app::{BooksApp, Profile};
pub use error::{Action, BooksError, Trouble};
pub use login::LoginStep;
pub use phone::PhoneAttester;
pub use setup::{BooksSetup, Provider};

/// The package of the app on the phone.
pub const PACKAGE: &str = "dev.bonafide.books";
