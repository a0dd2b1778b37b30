//! `coordinator man`: the pages of the manual, from the definition of the command line and what is
//! said here beside it.

use super::args::ManArgs;
use super::help;
use super::output::{Trouble, print};
use super::{client, service};
use crate::exit;
use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use rangefinder_errors::Code;
use std::{fs, io};

/// What a page says beside the definition of its command.
pub(super) struct Extra {
    /// Name of the command, empty for the default one.
    pub(super) command: &'static str,
    /// Forms of the command, one a line.
    pub(super) synopsis: &'static str,
    /// Paragraphs, one a line.
    pub(super) description: &'static str,
    /// Exit codes that it may end with.
    pub(super) codes: &'static [u8],
    /// As at the end of `--help`.
    pub(super) examples: &'static str,
}

/// What a command that runs a sweep may end with.
pub(super) const AS_A_SWEEP: &[u8] = &[
    exit::OK,
    exit::FAILED,
    exit::WRONG_INPUT,
    exit::NO_USABLE_LR,
    exit::CANCELLED,
];

/// What a command that suggests nothing may end with.
pub(super) const DONE_OR_NOT: &[u8] = &[exit::OK, exit::FAILED, exit::WRONG_INPUT];

/// The default command.
const SWEEP: Extra = Extra {
    command: "",
    synopsis: "coordinator [OPTIONS]\ncoordinator COMMAND [OPTIONS]",
    description: "\
        Trains a network for some hundred steps while the learning rate grows from tiny to \
        huge, and reads a good one off the curve of the losses. The test is split over worker \
        processes, one for each GPU or share of the CPU, and their losses are merged into the \
        curve that a single process would have drawn. Out of it come a learning rate and an \
        interval for it, or the reason why the curve is of no use and what to do about it. A \
        worker that dies changes nothing in the answer.\n\
        Without a command, such a sweep is run. The learning rate stands alone on standard \
        output, or one object with `--json`; all else goes to standard error.\n\
        Each option of the model, the data, the optimizer, the batches, the range and its \
        split is also a key of the file that `--config` names, with underscores for dashes; \
        `--print-config` prints such a file, with every key, its meaning and its default. \
        Of an option that is given again the last value counts; a list takes all.",
    codes: AS_A_SWEEP,
    examples: help::EXAMPLES,
};

/// `coordinator plan`.
const PLAN: Extra = Extra {
    command: "plan",
    synopsis: "coordinator plan [OPTIONS]",
    description: "\
        Shows the tasks that a sweep with these options would be split into, how long it would \
        take compared with an unsplit one, and by how much its curve is expected to differ. No \
        worker is started: data that can be sought and a training that can be repeated are \
        taken for granted, and the gradients are not measured.",
    codes: DONE_OR_NOT,
    examples: help::PLAN,
};

/// `coordinator analyze`.
const ANALYZE: Extra = Extra {
    command: "analyze",
    synopsis: "coordinator analyze [OPTIONS] CURVE",
    description: "\
        Reads a learning rate off losses that exist, such as those of another tool, with every \
        method and profile of a sweep. Standard output is that of a sweep.\n\
        A CSV file has a header with `lr` (or `learning_rate`) and `loss`, and a row for each step. \
        JSON lines have an object with these fields on each line, as many loggers write them; \
        lines without them are passed over. Other columns and fields are ignored, but for \
        `replica`, which tells several sweeps apart.",
    codes: &[
        exit::OK,
        exit::FAILED,
        exit::WRONG_INPUT,
        exit::NO_USABLE_LR,
    ],
    examples: help::ANALYZE,
};

/// `coordinator plot`.
const PLOT: Extra = Extra {
    command: "plot",
    synopsis: "coordinator plot [OPTIONS] SWEEP",
    description: "Writes the pictures of a sweep again, and prints their paths.",
    codes: DONE_OR_NOT,
    examples: "",
};

/// `coordinator completions`.
const COMPLETIONS: Extra = Extra {
    command: "completions",
    synopsis: "coordinator completions SHELL",
    description: "\
        Prints a script that completes commands, flags, names of models, losses, methods and \
        the like, and files. `make install` puts those of bash, zsh and fish where these \
        shells look. For elvish and PowerShell there are commands and flags only.",
    codes: DONE_OR_NOT,
    examples: help::COMPLETIONS,
};

/// `coordinator man`.
const MAN: Extra = Extra {
    command: "man",
    synopsis: "coordinator man --out FOLDER",
    description: "\
        Writes this manual, a page for each command, and prints the paths of the pages. `make \
        install` does so.",
    codes: DONE_OR_NOT,
    examples: "Examples:\n  coordinator man --out ~/.local/share/man/man1",
};

/// The commands beside the default one, in the order of their definition.
fn others() -> impl Iterator<Item = &'static Extra> {
    const BEFORE: &[Extra] = &[PLAN, ANALYZE, PLOT];
    const AFTER: &[Extra] = &[COMPLETIONS, MAN];
    let asking = &client::pages::PAGES;
    BEFORE
        .iter()
        .chain(&service::pages::PAGES)
        .chain(asking)
        .chain(AFTER)
}

impl Extra {
    /// Name of the page.
    fn name(&self) -> String {
        match self.command {
            "" => "coordinator".to_owned(),
            command => format!("coordinator-{command}"),
        }
    }
}

/// Variables that are read from the environment.
const ENVIRONMENT: [(&str, &str); 11] = [
    (
        "RANGEFINDER_WORKER",
        "The program of the workers, instead of the one beside this one",
    ),
    (
        "RANGEFINDER_LOG",
        "What to log to standard error, such as `info` or `rangefinder_coordinator=debug`; by \
         default nothing",
    ),
    (
        "RANGEFINDER_SERVER",
        "The address of the service that the commands ask, where `--server` names none",
    ),
    (
        "RANGEFINDER_TOKEN_FILE",
        "The file of the token for it, where `--token-file` names none",
    ),
    (
        "RANGEFINDER_TOKEN",
        "The token itself, where no file is named",
    ),
    (
        "RANGEFINDER_CA_FILE",
        "As `--ca-file`, where that is not given",
    ),
    ("RANGEFINDER_CERT_FILE", "As `--cert-file`"),
    ("RANGEFINDER_KEY_FILE", "As `--key-file`"),
    ("RANGEFINDER_SERVER_NAME", "As `--server-name`"),
    (
        "NO_COLOR",
        "Where it is set to anything, nothing is coloured",
    ),
    (
        "CUDA_VISIBLE_DEVICES",
        "The GPUs that the workers share out, as everywhere",
    ),
];

/// What a sweep writes and reads.
const FILES: [(&str, &str); 4] = [
    (
        "sweeps/TIME/",
        "Where `--out` names no folder: a new one with the files of a sweep, named by the time",
    ),
    (
        "sweep.json",
        "Everything about a sweep: specification, plan, attempts, curves, suggestion",
    ),
    (
        "curve.csv, losses.csv",
        "The merged curve, and every loss of the attempts that count",
    ),
    ("plot.svg, plot.png", "The picture"),
];

pub(super) fn run(args: &ManArgs) -> Result<u8, Trouble> {
    let pages =
        pages().map_err(|error| Trouble::new(exit::FAILED, Code::Defect, error.to_string()))?;
    let cannot = |path: &std::path::Path, error: io::Error| {
        let text = format!(
            "{}: cannot be written: {error}\n  choose another folder with --out",
            path.display()
        );
        Trouble::new(exit::FAILED, Code::Unwritable, text)
    };
    fs::create_dir_all(&args.out).map_err(|error| cannot(&args.out, error))?;
    let mut paths = String::new();
    for (name, page) in pages {
        let path = args.out.join(name);
        fs::write(&path, page).map_err(|error| cannot(&path, error))?;
        paths.push_str(&format!("{}\n", path.display()));
    }
    print(&paths)?;
    Ok(exit::OK)
}

/// File name and text of each page.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut top = help::command().disable_help_subcommand(true);
    top.build();
    let mut pages = vec![page(&top, &top, &SWEEP)?];
    for extra in others() {
        if let Some(command) = top.find_subcommand(extra.command) {
            pages.push(page(&top, command, extra)?);
        }
    }
    Ok(pages)
}

/// File name and text of the page of a command.
fn page(top: &Command, command: &Command, extra: &Extra) -> io::Result<(String, String)> {
    let man = Man::new(command.clone().mut_args(with_values));
    let mut name_section = Vec::new();
    man.render_name_section(&mut name_section)?;
    let mut options_section = Vec::new();
    man.render_options_section(&mut options_section)?;

    let mut page = format!(
        ".TH {} 1 \"\" \"Rangefinder {}\" \"Rangefinder manual\"\n.nh\n.ad l\n",
        extra.name(),
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(&String::from_utf8_lossy(&name_section));
    page.push_str(&before_options(top, extra).render());
    page.push_str(&with_headings(
        &String::from_utf8_lossy(&options_section),
        command,
    ));
    page.push_str(&nested(command, extra).render());
    page.push_str(&after_options(extra).render());
    Ok((format!("{}.1", extra.name()), words_set_bold(&page)))
}

/// Defaults and values stand at the end of the text everywhere, as in `--help`.
fn with_values(arg: Arg) -> Arg {
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if let (Some(default), true) = (
        arg.get_default_values().first(),
        arg.get_action().takes_values(),
    ) {
        help.push_str(&format!(" [default: {}]", default.to_string_lossy()));
    }
    let values = arg.get_possible_values();
    if arg.is_positional() && !values.is_empty() {
        let names: Vec<_> = values.iter().map(|value| value.get_name()).collect();
        help.push_str(&format!(": {}", names.join(", ")));
    }
    arg.help(help)
        .hide_default_value(true)
        .hide_possible_values(true)
}

fn before_options(top: &Command, extra: &Extra) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for (index, form) in extra.synopsis.lines().enumerate() {
        if index > 0 {
            roff.control("br", []);
        }
        let (name, rest) = form.split_at(form.find('[').unwrap_or(form.len()));
        roff.text([bold(name), roman(rest)]);
    }
    roff.control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in extra.description.lines().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(paragraph)]);
    }
    if extra.command.is_empty() {
        roff.control("SH", ["COMMANDS"]);
        for other in others() {
            let about = top
                .find_subcommand(other.command)
                .and_then(Command::get_about)
                .map(ToString::to_string);
            item(
                &mut roff,
                &format!("coordinator {}", other.command),
                &about.unwrap_or_default(),
            );
        }
    }
    roff
}

/// The commands of a command, with their arguments; the default one has theirs on their own pages.
fn nested(command: &Command, extra: &Extra) -> Roff {
    let mut roff = Roff::new();
    let commands = || {
        command
            .get_subcommands()
            .filter(|nested| nested.get_name() != "help")
    };
    if extra.command.is_empty() || commands().next().is_none() {
        return roff;
    }
    roff.control("SH", ["COMMANDS"]);
    for nested in commands() {
        let about = nested.get_about().map(ToString::to_string);
        let name = format!("coordinator {} {}", extra.command, nested.get_name());
        item(&mut roff, &name, &about.unwrap_or_default());
        roff.control("RS", []);
        for arg in nested.get_arguments().filter(|arg| arg.get_id() != "help") {
            let value = match arg.get_value_names() {
                Some([value, ..]) if arg.get_action().takes_values() => value.to_string(),
                _ => String::new(),
            };
            let help = arg.get_help().map(ToString::to_string);
            let name = match arg.get_long() {
                Some(long) => vec![bold(format!("--{long}")), roman(format!(" {value}"))],
                None => vec![bold(value)],
            };
            roff.control("TP", [])
                .text(name)
                .text([roman(help.unwrap_or_default())]);
        }
        roff.control("RE", []);
    }
    roff
}

fn after_options(extra: &Extra) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for code in extra.codes {
        let meaning = match (*code, extra.codes == DONE_OR_NOT) {
            (exit::OK, true) => "done",
            (exit::FAILED, true) => "a file could not be written, or a service is away or refuses",
            (code, _) => exit::meaning(code),
        };
        item(&mut roff, &code.to_string(), meaning);
    }
    if extra.command.is_empty() {
        roff.control("SH", ["ENVIRONMENT"]);
        for (name, text) in ENVIRONMENT {
            item(&mut roff, name, text);
        }
        roff.control("SH", ["FILES"]);
        for (name, text) in FILES {
            item(&mut roff, name, text);
        }
    }
    if let Some((_, examples)) = extra.examples.split_once('\n') {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut pages = vec!["worker".to_owned()];
    pages.extend([&SWEEP].into_iter().chain(others()).map(Extra::name));
    pages.retain(|page| *page != extra.name());
    let see = pages
        .iter()
        .enumerate()
        .flat_map(|(index, other)| {
            let comma = if index > 0 { ", " } else { "" };
            [roman(comma), bold(other), roman("(1)")]
        })
        .collect::<Vec<_>>();
    roff.text(see);
    roff
}

/// A name with its meaning indented below.
fn item(roff: &mut Roff, name: &str, text: &str) {
    roff.control("TP", [])
        .text([bold(name)])
        .text([roman(text)]);
}

/// The options, with the headings of `--help` below one.
fn with_headings(section: &str, command: &Command) -> String {
    let headings = command.get_arguments().filter_map(Arg::get_help_heading);
    headings.fold(section.to_owned(), |text, heading| {
        let upper = heading.to_uppercase();
        let quote = if upper.contains(' ') { "\"" } else { "" };
        text.replace(
            &format!(".SH {quote}{upper}{quote}\n"),
            &format!(".SS {quote}{heading}{quote}\n"),
        )
    })
}

/// Words in backquotes as bold ones: `man` would show typographic quotes that open only.
fn words_set_bold(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(index, part)| match index % 2 {
            0 => part.to_owned(),
            _ => format!("\\fB{part}\\fR"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_and_command_has_its_place_in_a_page() {
        let pages = pages().unwrap();
        let top = help::command();
        let commands = [&top].into_iter().chain(top.get_subcommands());
        for command in commands {
            let name = match command.get_name() {
                "coordinator" => "coordinator.1".to_owned(),
                name => format!("coordinator-{name}.1"),
            };
            let (_, page) = pages.iter().find(|(other, _)| *other == name).unwrap();
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let Some(long) = arg.get_long() else { continue };
                let flag = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
                assert!(page.contains(&flag), "{name}: {flag}");
            }
            let nested = command
                .get_subcommands()
                .filter(|_| name != "coordinator.1");
            for nested in nested {
                let heading = format!("\\fB{} {}\\fR", command.get_name(), nested.get_name());
                let heading = heading.replacen("fB", "fBcoordinator ", 1);
                assert!(page.contains(&heading), "{name}: {heading}");
                for long in nested.get_arguments().filter_map(Arg::get_long) {
                    let flag = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
                    assert!(page.contains(&flag), "{name}: {flag}");
                }
            }
            for text in [
                ".SH NAME",
                ".SH SYNOPSIS",
                ".SH \"EXIT STATUS\"",
                ".SH \"SEE ALSO\"",
            ] {
                assert!(page.contains(text), "{name}: {text}");
            }
            assert!(
                !page.contains('`') && !page.contains("worker\\-program"),
                "{name}"
            );
        }
        for code in SWEEP.codes {
            assert_ne!(exit::meaning(*code), "", "{code}");
        }
        for command in top.get_subcommands() {
            let entry = format!("coordinator {}", command.get_name());
            assert!(pages[0].1.contains(&entry), "{entry}");
        }
    }
}
