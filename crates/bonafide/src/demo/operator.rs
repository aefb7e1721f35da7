//! The operator at the terminal: runs this very program's commands, and shows them as they would be typed.
//!
//! Each command is a process of its own with nothing but its arguments, a session and a working directory,
//! so that what the story shows is what works when copied.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::scene::{OrOtherwise as _, Otherwise, Scene};

/// What `bonafide` reads from the environment, and the operator's terminal does not have unless exported.
const ENVIRONMENT: [&str; 7] = [
    "BONAFIDE_URL",
    "BONAFIDE_ACCOUNT",
    "BONAFIDE_PROFILE",
    "BONAFIDE_SESSION",
    "BONAFIDE_CREDENTIAL",
    "BONAFIDE_CREDENTIAL_FILE",
    "BONAFIDE_CONFIG",
];

/// An operator with a terminal.
#[derive(Debug)]
pub(super) struct Operator {
    program: PathBuf,
    desk: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub(super) struct Printed {
    /// Whether it ended well.
    pub(super) done: bool,
    /// Data.
    pub(super) stdout: String,
    /// Talk.
    pub(super) stderr: String,
}

impl Operator {
    /// Sits down at a desk (a directory) to speak with the service whose admin listener is at `url`.
    pub(super) fn new(desk: &Path, url: String) -> Result<Self, Otherwise> {
        let program = std::env::current_exe().or_otherwise("this program's own path")?;
        Ok(Self {
            program,
            desk: desk.to_owned(),
            environment: vec![
                ("BONAFIDE_URL".to_owned(), url),
                (
                    "BONAFIDE_CONFIG".to_owned(),
                    desk.join("profiles.toml").display().to_string(),
                ),
            ],
        })
    }

    /// Puts something into the terminal's environment.
    pub(super) fn export(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Evaluates what a command prints, as `eval "$(…)"` does; what it printed, without the values.
    pub(super) async fn evaluates(&mut self, command: &str) -> Result<String, Otherwise> {
        let printed = self.run(command, "").await?;
        printed.must_be_done(command)?;
        let mut shown = Vec::new();
        for line in printed.stdout.lines() {
            let assignment = line
                .strip_prefix("export ")
                .and_then(|rest| rest.split_once('='));
            if let Some((name, value)) = assignment {
                self.export(name, value.trim_matches('\''));
                shown.push(format!("export {name}=…"));
            }
        }
        shown.extend(printed.stderr.lines().map(str::to_owned));
        Ok(shown.join("\n"))
    }

    /// Types a command, shows it and what it printed, and expects it to end well.
    pub(super) async fn types(
        &self,
        scene: &mut Scene,
        command: &str,
    ) -> Result<Printed, Otherwise> {
        let printed = self.tries(scene, command).await?;
        printed.must_be_done(command)?;
        Ok(printed)
    }

    /// Types a command and shows it; how it ends is the caller's business.
    pub(super) async fn tries(
        &self,
        scene: &mut Scene,
        command: &str,
    ) -> Result<Printed, Otherwise> {
        scene.command(command);
        let printed = self.run(command, "").await?;
        show(scene, &printed);
        Ok(printed)
    }

    /// Pipes something that nobody may read over the operator's shoulder into a command.
    pub(super) async fn pipes(
        &self,
        scene: &mut Scene,
        (shown, secret): (&str, &str),
        command: &str,
    ) -> Result<Printed, Otherwise> {
        scene.command(format!("{shown} | {command}"));
        let printed = self.run(command, secret).await?;
        show(scene, &printed);
        printed.must_be_done(command)?;
        Ok(printed)
    }

    /// Runs a command without showing it, to check what the story claims.
    pub(super) async fn looks_up(&self, command: &str) -> Result<serde_json::Value, Otherwise> {
        let printed = self.run(&format!("{command} --output json"), "").await?;
        printed.must_be_done(command)?;
        serde_json::from_str(&printed.stdout).or_otherwise(command)
    }

    /// Runs `bonafide …`; arguments are parted by spaces, a part in double quotes is one.
    async fn run(&self, command: &str, stdin: &str) -> Result<Printed, Otherwise> {
        let words = words(command);
        let arguments = words.strip_prefix(&["bonafide".to_owned()][..]);
        let arguments = arguments.or_otherwise("commands begin with bonafide")?;
        let mut command = Command::new(&self.program);
        for name in ENVIRONMENT {
            command.env_remove(name);
        }
        let mut child = command
            .args(arguments)
            .current_dir(&self.desk)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .or_otherwise("starting a command")?;
        if let Some(mut pipe) = child.stdin.take() {
            // A command that reads nothing may have closed it already.
            drop(pipe.write_all(stdin.as_bytes()).await);
        }
        let output = child.wait_with_output().await.or_otherwise("a command")?;
        Ok(Printed::of(&output))
    }
}

impl Printed {
    fn of(output: &Output) -> Self {
        Self {
            done: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn must_be_done(&self, command: &str) -> Result<(), Otherwise> {
        if self.done {
            return Ok(());
        }
        let said = self.stderr.trim();
        Err(Otherwise(format!("`{command}` failed: {said}")))
    }
}

fn show(scene: &mut Scene, printed: &Printed) {
    for text in [&printed.stdout, &printed.stderr] {
        let text = text.trim_end();
        if !text.is_empty() {
            scene.output(text);
        }
    }
}

fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in command.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_part_is_one_argument() {
        assert_eq!(
            words("bonafide device add latest --reason \"test phone of the team\""),
            [
                "bonafide",
                "device",
                "add",
                "latest",
                "--reason",
                "test phone of the team"
            ]
        );
    }
}
