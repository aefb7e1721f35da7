//! How a command ends: an exit code that scripts can rely on, and words that say what to do next.

use std::process::ExitCode;

use bonafide_wire::problem::{Problem, ProblemCode};

/// The exit codes. They are API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or the verdict is good.
    Done = 0,
    /// Refused, failed, or the verdict is bad.
    Refused = 1,
    /// The command line or an input file cannot be understood.
    Usage = 2,
    /// No such object.
    NotFound = 3,
    /// No credential, or the role may not.
    Auth = 4,
    /// It exists already, or changed meanwhile.
    Conflict = 5,
    /// The service does not answer.
    Unreachable = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Refused => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::NotFound => Self::from(3),
            Exit::Auth => Self::from(4),
            Exit::Conflict => Self::from(5),
            Exit::Unreachable => Self::from(7),
        }
    }
}

/// A command that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Finds the request in the service's log.
    pub(crate) request_id: Option<String>,
}

impl Failure {
    /// A failure with its words.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
            request_id: None,
        }
    }

    /// Something that was given cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::usage(format!("{}: {error}", path.display()))
    }

    /// The same with advice.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the service said.
    pub(crate) fn from_problem(problem: Problem) -> Self {
        let mut message = problem.detail.unwrap_or(problem.title);
        for error in &problem.errors {
            let place = error.pointer.trim_start_matches('/');
            message = format!("{message}\n  {place}: {}", error.message);
        }
        Self {
            exit: exit_of(problem.code),
            message: format!("{message} ({})", problem.code),
            hint: advice(problem.code).map(str::to_owned),
            request_id: problem.instance,
        }
    }
}

fn exit_of(code: ProblemCode) -> Exit {
    match code {
        ProblemCode::NotFound | ProblemCode::UnknownAccount => Exit::NotFound,
        ProblemCode::Unauthenticated | ProblemCode::Forbidden => Exit::Auth,
        ProblemCode::Conflict | ProblemCode::PreconditionFailed => Exit::Conflict,
        ProblemCode::StoreUnavailable | ProblemCode::Unavailable | ProblemCode::AccountDamaged => {
            Exit::Unreachable
        }
        ProblemCode::MalformedRequest
        | ProblemCode::ValidationFailed
        | ProblemCode::PayloadTooLarge
        | ProblemCode::UnsupportedMediaType => Exit::Usage,
        _ => Exit::Refused,
    }
}

fn advice(code: ProblemCode) -> Option<&'static str> {
    match code {
        ProblemCode::Unauthenticated => Some(
            "the session has ended or was never opened: `eval \"$(bonafide role admin)\"` opens one, \
             `bonafide login` stores a credential",
        ),
        ProblemCode::Forbidden => {
            Some("this needs a wider role: `eval \"$(bonafide role admin)\"`, then again")
        }
        ProblemCode::UnknownAccount => {
            Some("`bonafide account list` names the accounts; choose one with --account")
        }
        ProblemCode::PreconditionFailed => Some("someone changed it meanwhile: look, then again"),
        ProblemCode::StoreUnavailable | ProblemCode::Unavailable => {
            Some("nothing was changed; try again in a moment")
        }
        ProblemCode::NotFound => Some(
            "names are exact; is --url the service's admin listener, and --account the right one?",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_words_and_an_exit_code() {
        for (code, exit) in [
            (ProblemCode::NotFound, Exit::NotFound),
            (ProblemCode::Forbidden, Exit::Auth),
            (ProblemCode::Conflict, Exit::Conflict),
            (ProblemCode::ValidationFailed, Exit::Usage),
            (ProblemCode::StoreUnavailable, Exit::Unreachable),
            (ProblemCode::Internal, Exit::Refused),
        ] {
            let failure = Failure::from_problem(Problem::new(code).with_detail("what happened"));
            assert_eq!(failure.exit, exit);
            assert_eq!(failure.message, format!("what happened ({code})"));
        }
    }
}
