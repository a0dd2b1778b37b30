//! Copies of the examples, and the commands of their pages.

use rangefinder_report::{SweepDocument, document};
use rangefinder_tests::programs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The factor by which a learning rate may differ from the page's on another machine.
const TOLERANCE: f64 = 1.25;

/// The folder of all examples.
pub fn all() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// The file of an example as it is in the repository.
pub fn original(path: &str) -> Vec<u8> {
    std::fs::read(all().join(path)).unwrap()
}

/// A copy of an example in a folder of its own.
pub struct Example(TempDir);

/// A command of the page, and what came of it.
pub struct Step {
    pub command: String,
    shown: Vec<String>,
    pub run: Run,
}

/// What a command left behind.
pub struct Run {
    /// None: a signal killed it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Example {
    pub fn copy(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(all().join(name)).unwrap() {
            let entry = entry.unwrap();
            // What else is there was left by the reader's own runs.
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
            }
        }
        Self(folder)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    /// The names of what is in a folder of it.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path().join(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The `sweep.json` in its folder `out`, beside all other files of a sweep.
    #[track_caller]
    pub fn document(&self) -> SweepDocument {
        let names = [
            "curve.csv",
            "losses.csv",
            "plot.png",
            "plot.svg",
            "sweep.json",
        ];
        assert_eq!(self.names("out"), names);
        document::read(&self.0.path().join("out/sweep.json")).unwrap()
    }

    /// Runs a command in it, with the program in PATH.
    pub fn bash(&self, command: &str) -> Run {
        let program = programs::coordinator();
        let mut path = program.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("RANGEFINDER_WORKER", programs::worker())
            .env("CUDA_VISIBLE_DEVICES", "")
            .env("NO_COLOR", "1")
            .env_remove("RANGEFINDER_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs all commands of its page; each must succeed and print what is shown there.
    #[track_caller]
    pub fn follow(&self) -> Vec<Step> {
        let page = String::from_utf8(self.read("README.md")).unwrap();
        let steps: Vec<_> = commands(&page)
            .into_iter()
            .map(|(command, shown)| Step {
                run: self.bash(&command),
                command,
                shown,
            })
            .collect();
        assert!(!steps.is_empty());
        for step in &steps {
            assert_eq!(step.run.code, Some(0), "{}", step.told());
            step.prints_what_is_shown();
        }
        steps
    }
}

impl Step {
    /// The learning rate, which must be alone on stdout.
    #[track_caller]
    pub fn lr(&self) -> f64 {
        let lr = self.run.stdout.trim_end().parse();
        lr.unwrap_or_else(|error| panic!("{error}: {}", self.told()))
    }

    /// A line of `...` stands for what is left out, and a number alone on a line for a learning
    /// rate. All other numbers, and where lines break, are the machine's.
    #[track_caller]
    fn prints_what_is_shown(&self) {
        let printed = masked(&format!("{}\n{}", self.run.stderr, self.run.stdout));
        let is_number = |line: &str| line.parse::<f64>().is_ok();
        for piece in self.shown.split(|line| line == "..." || is_number(line)) {
            assert!(
                printed.contains(&masked(&piece.join("\n"))),
                "the page shows {piece:#?}, but {}",
                self.told()
            );
        }
        for number in self.shown.iter().filter(|line| is_number(line)) {
            let ratio = self.lr() / number.parse::<f64>().unwrap();
            assert!(
                (1.0 / TOLERANCE..TOLERANCE).contains(&ratio),
                "the page shows {number}, but {}",
                self.told()
            );
        }
    }

    pub fn told(&self) -> String {
        let Run {
            code,
            stdout,
            stderr,
        } = &self.run;
        format!(
            "{}\ncode: {code:?}\nstdout: {stdout}\nstderr: {stderr}",
            self.command
        )
    }
}

/// The commands in the `console` blocks of a page, each with the lines shown below it.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut lines = page.lines();
    while lines.any(|line| line == "```console") {
        for line in lines.by_ref().take_while(|line| *line != "```") {
            match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => found.push((command.to_owned(), Vec::new())),
                (None, Some((command, shown))) if shown.is_empty() && command.ends_with('\\') => {
                    command.push('\n');
                    command.push_str(line);
                }
                (None, Some((_, shown))) => shown.push(line.to_owned()),
                (None, None) => panic!("no command before {line:?}"),
            }
        }
    }
    found
}

/// The words of a text, each number in it as `#`.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut in_number = false;
    for word in text.split_whitespace() {
        if !masked.is_empty() {
            masked.push(' ');
        }
        let mut rest = word.chars().peekable();
        while let Some(letter) = rest.next() {
            let goes_on = match letter {
                '.' | ',' => rest.peek().is_some_and(char::is_ascii_digit),
                'e' | '-' => rest
                    .peek()
                    .is_some_and(|next| *next == '-' || next.is_ascii_digit()),
                _ => false,
            };
            let was = in_number;
            in_number = letter.is_ascii_digit() || in_number && goes_on;
            if !in_number {
                masked.push(letter);
            } else if !was {
                masked.push('#');
            }
        }
        in_number = false;
    }
    masked
}
