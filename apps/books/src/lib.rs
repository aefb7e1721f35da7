//! The Books demo app: model and headless command line.
