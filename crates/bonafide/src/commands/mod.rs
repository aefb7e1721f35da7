//! One file per noun: its arguments, and what is asked of the service or of the offline libraries.

pub(crate) mod completions;
pub(crate) mod login;
pub(crate) mod role;
pub(crate) mod whoami;

use crate::args::Noun;
use crate::context::Context;
use crate::error::{Exit, Failure};

/// Does what was asked.
pub(crate) async fn run(noun: Noun, context: &Context) -> Result<Exit, Failure> {
    match noun {
        Noun::Login(args) => login::run(args, context).await,
        Noun::Logout(args) => login::forget(&args, context),
        Noun::Whoami => whoami::run(context).await,
        Noun::Role(args) => role::run(args, context).await,
        Noun::Completions(args) => completions::run(&args),
        Noun::Man(args) => completions::man(&args),
    }
}
