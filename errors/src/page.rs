//! The page on which people look codes up.

use crate::{Code, Group};
use std::fmt::Write as _;

const INTRODUCTION: &str = "\
# Errors

<!-- Written from errors/src/catalogue.rs by `INSTA_UPDATE=always cargo test -p rangefinder-errors`. -->

Every error message carries a code: `error[RF202]: --batch-size: 0 is too small`. The message \
names the thing, its value and what to do; this page says what the code means wherever it stands. \
Codes are a part of the interface, as exit codes are: a number keeps its meaning, and that of a code \
that is gone is never given to another. Several mistakes come as a list, each with its own code. \
`sweep.json` has the code of a failed sweep in `failure.code`, and one in each of `failure.fields`. A \
worker program says `worker: error[RF601]: ...` on its standard error, which the coordinator quotes. \
Verdicts (`no usable learning rate`, exit code 3), notices and warnings are no errors and have no \
code.

The exit code is 2 (wrong input) where none is named; 1 is a failure, 3 a curve without a usable \
learning rate, 130 a cancelled sweep.
";

/// The text of `docs/errors.md`.
#[must_use]
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in Group::ALL {
        // Writing to a text cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n| code | what it means | what to do |\n|---|---|---|\n",
            group.title()
        );
        for code in Code::ALL.iter().filter(|code| code.group() == *group) {
            let _ = writeln!(
                page,
                "| <a id=\"{code}\"></a>{code} | {}{} | {} |",
                code.meaning(),
                exit_codes(code.exits()),
                code.remedy()
            );
        }
    }
    page
}

fn exit_codes(exits: &[u8]) -> String {
    match exits {
        [2] => String::new(),
        [one] => format!(" Exit code {one}."),
        several => {
            let several: Vec<_> = several.iter().map(u8::to_string).collect();
            format!(" Exit code {}.", several.join(" or "))
        }
    }
}
