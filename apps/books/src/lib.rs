//! The Books demo app: model and headless command line.

pub mod virtual_phone;
