//! One step of the story: what was done, sent and decided, and whether it came out as told.
//!
//! A scene only collects; how it is shown is the teller's affair.

use core::time::Duration;

use serde::Serialize;

/// What a line of a scene is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A command that an operator types.
    Command,
    /// What it printed.
    Output,
    /// What the user of the phone reads.
    Screen,
    /// What went over the wire, or who did what.
    Sent,
    /// What was decided in favour.
    Allowed,
    /// What was decided against.
    Refused,
    /// Why, and what it means.
    Why,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// A step while it happens.
#[derive(Debug, Default)]
pub(super) struct Scene {
    lines: Vec<Line>,
    code: Option<String>,
}

/// A step that did not come out as told.
#[derive(Debug)]
pub(super) struct Otherwise(pub(super) String);

/// How a step came out.
pub(super) type Told = Result<(), Otherwise>;

/// A step that happened.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// Stable, for scripts.
    #[serde(rename = "step")]
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) as_told: bool,
    /// What was otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) otherwise: Option<String>,
    /// The code that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    pub(super) took_ms: u64,
    pub(super) lines: Vec<Line>,
}

impl Scene {
    fn add(&mut self, kind: Kind, text: impl Into<String>) {
        let text = text.into();
        self.lines.push(Line { kind, text });
    }

    /// A command that an operator types.
    pub(super) fn command(&mut self, text: impl Into<String>) {
        self.add(Kind::Command, text);
    }

    /// What it printed.
    pub(super) fn output(&mut self, text: impl Into<String>) {
        self.add(Kind::Output, text);
    }

    /// What the user of the phone reads.
    pub(super) fn screen(&mut self, text: impl Into<String>) {
        self.add(Kind::Screen, text);
    }

    /// What went over the wire, or who did what.
    pub(super) fn sent(&mut self, text: impl Into<String>) {
        self.add(Kind::Sent, text);
    }

    /// What was decided in favour.
    pub(super) fn allowed(&mut self, text: impl Into<String>) {
        self.add(Kind::Allowed, text);
    }

    /// What was decided against, with the code that a script can rely on.
    pub(super) fn refused(&mut self, code: &str, text: impl Into<String>) {
        self.code = Some(code.to_owned());
        self.add(Kind::Refused, text);
    }

    /// Why, and what it means.
    pub(super) fn why(&mut self, text: impl Into<String>) {
        self.add(Kind::Why, text);
    }

    /// Ends the scene.
    pub(super) fn into_step(
        self,
        (name, title): (&'static str, &'static str),
        told: Told,
        took: Duration,
    ) -> Step {
        Step {
            name,
            title,
            as_told: told.is_ok(),
            otherwise: told.err().map(|otherwise| otherwise.0),
            code: self.code,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            lines: self.lines,
        }
    }
}

/// The step fails unless this holds.
pub(super) fn expect(holds: Holds, otherwise: impl FnOnce() -> String) -> Told {
    if holds.0 {
        Ok(())
    } else {
        Err(Otherwise(otherwise()))
    }
}

/// Whether something holds; a name of its own so that it cannot be mistaken for a switch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holds(pub(super) bool);

/// Turns any error into "it came out otherwise".
pub(super) trait OrOtherwise<T> {
    /// The value, or the step fails with these words and the error's.
    fn or_otherwise(self, what: &str) -> Result<T, Otherwise>;
}

impl<T, E: core::fmt::Display> OrOtherwise<T> for Result<T, E> {
    fn or_otherwise(self, what: &str) -> Result<T, Otherwise> {
        self.map_err(|error| Otherwise(format!("{what}: {error}")))
    }
}

impl<T> OrOtherwise<T> for Option<T> {
    fn or_otherwise(self, what: &str) -> Result<T, Otherwise> {
        self.ok_or_else(|| Otherwise(what.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_read_the_code_and_what_was_otherwise() {
        let mut scene = Scene::default();
        scene.refused("app-not-registered", "refused");
        let told = Err(Otherwise("the login worked".to_owned()));
        let step = scene.into_step(
            ("login-refused", "Login fails"),
            told,
            Duration::from_millis(7),
        );
        let json = serde_json::to_value(&step).unwrap();
        assert_eq!(json["step"], "login-refused");
        assert_eq!(json["code"], "app-not-registered");
        assert_eq!(json["as_told"], false);
        assert_eq!(json["otherwise"], "the login worked");
        assert_eq!(json["lines"][0]["kind"], "refused");
    }
}
