//! The one binary. It parses, dispatches and turns an outcome into an exit code; it decides nothing.

mod args;
mod ask;
mod certificate;
mod client;
mod commands;
mod context;
mod demo;
mod environment;
mod error;
mod listing;
mod profile;
#[cfg(test)]
mod reference;
mod render;
mod span;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Arguments;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render::Console;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::new(arguments.global.output);
    match run(arguments, console) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            render::fail(&failure);
            failure.exit.into()
        }
    }
}

fn run(arguments: Arguments, console: Console) -> Result<Exit, Failure> {
    // Somebody may have installed it before us; either way there is one.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let context = Context::new(console, arguments.global, environment::read());
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Refused, format!("no runtime: {error}")))?
        .block_on(commands::run(arguments.noun, &context))
}
