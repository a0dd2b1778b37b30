//! `coordinator completions`: what a shell needs to complete the command line, from its definition.
//!
//! Flags that take a name offer the names, and those that take a file the files. The definition
//! itself leaves names as text, so that a wrong one is refused by the specification's own messages.
//! elvish and PowerShell get the flags alone: their generators complete no values.

use super::args::CompletionsArgs;
use super::help;
use super::output::{Trouble, print};
use crate::exit;
use crate::wire::sweeps;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueEnum as _, ValueHint};
use clap_complete::Shell;
use rangefinder_config::names;

/// Flags whose value is a name or a file.
const NAME_OR_FILE: [&str; 2] = ["model", "data"];

pub(super) fn run(args: &CompletionsArgs) -> Result<u8, Trouble> {
    print(&script(args.shell))?;
    Ok(exit::OK)
}

/// The script that a shell reads.
pub(super) fn script(shell: Shell) -> String {
    let mut command = definition();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "coordinator", &mut script);
    completed(shell, &String::from_utf8_lossy(&script))
}

/// The command line as completions should know it.
fn definition() -> Command {
    let complete = |command: Command| command.mut_args(for_completion);
    complete(help::command()).mut_subcommands(complete)
}

fn for_completion(arg: Arg) -> Arg {
    let arg = match arg.get_help() {
        Some(help) => {
            let help = in_short(&help.to_string());
            arg.help(help)
        }
        None => arg,
    };
    if !arg.get_action().takes_values() {
        return arg;
    }
    let value = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string);
    let known = values(arg.get_long().unwrap_or_default());
    match value.as_deref() {
        // As a switch, which it mostly is: shells would offer `true` after a space.
        Some("BOOL") => arg
            .require_equals(false)
            .num_args(0)
            .action(ArgAction::SetTrue),
        Some("FILE" | "CURVE" | "SWEEP") => arg.value_hint(ValueHint::FilePath),
        Some("FOLDER") => arg.value_hint(ValueHint::DirPath),
        Some("COMMAND") => arg.value_hint(ValueHint::CommandString),
        Some("SHELL") | None => arg,
        Some(_) if is_name_or_file(&arg) => arg.value_hint(ValueHint::FilePath),
        Some(_) if !known.is_empty() => arg.value_parser(PossibleValuesParser::new(known)),
        Some(_) => arg.value_hint(ValueHint::Other),
    }
}

fn is_name_or_file(arg: &Arg) -> bool {
    arg.get_long()
        .is_some_and(|long| NAME_OR_FILE.contains(&long))
}

/// The names that a flag takes; none where it takes something else.
fn values(flag: &str) -> Vec<&'static str> {
    fn of<T, const N: usize>(table: [(&'static str, T); N]) -> Vec<&'static str> {
        table.into_iter().map(|(name, _)| name).collect()
    }
    match flag {
        "model" => names::MODELS.to_vec(),
        "data" => names::DATA.to_vec(),
        "token-dtype" => names::TOKEN_DTYPES.to_vec(),
        "target-type" => names::TARGET_TYPES.to_vec(),
        "loss" => names::LOSSES.to_vec(),
        "optimizer" => names::OPTIMIZERS.to_vec(),
        "precision" => names::PRECISIONS.to_vec(),
        "augment" => vec!["flip", "crop=4"],
        "device" => vec!["auto", "cpu", "cuda:0"],
        "mode" => of(names::modes()),
        "method" => of(names::methods()),
        "profile" => of(names::profiles()),
        "split" => of(names::SPLITS),
        "overlap" => of(names::OVERLAPS),
        "state" => of(sweeps::SWEEP_STATES),
        _ => Vec::new(),
    }
}

/// The beginning of a help text: a shell shows it on one line, beside the flag.
fn in_short(help: &str) -> String {
    let ends = ["; ", ". ", ": ", " [default", " ("];
    let end = ends.iter().filter_map(|end| help.find(end)).min();
    help[..end.unwrap_or(help.len())].replace('`', "")
}

/// What the generators leave out: names beside files; and in fish, values of the default command's
/// flags, and names of shells.
fn completed(shell: Shell, script: &str) -> String {
    // In bash, the flag whose values are offered by the lines that follow.
    let mut within = None;
    let mut text: String = script
        .lines()
        .map(|line| {
            if shell == Shell::Bash && line.ends_with(')') && line.trim().starts_with("--") {
                let flag = line.trim().trim_start_matches('-').trim_end_matches(')');
                within = NAME_OR_FILE.into_iter().find(|known| *known == flag);
            }
            let of_line = |start: &str, end: &str| {
                NAME_OR_FILE
                    .into_iter()
                    .find(|flag| line.contains(&format!("{start}{flag}{end}")))
            };
            let line = match shell {
                Shell::Bash => within.map(|flag| {
                    // The script separates words by lines there.
                    let names = values(flag).join("\\n");
                    let both = format!("compgen -f -W $'{names}' -- \"${{cur}}\"");
                    line.replace("compgen -f \"${cur}\"", &both)
                }),
                Shell::Zsh => of_line("'--", "=[").map(|flag| {
                    let names = values(flag).join(" ");
                    line.replace(":_files'", &format!(":{{compadd -- {names}; _files}}'"))
                }),
                Shell::Fish => of_line(" -l ", " ")
                    .map(|flag| format!("{line} -a \"{}\"", values(flag).join(" "))),
                _ => None,
            }
            .unwrap_or_else(|| line.to_owned());
            format!("{line}\n")
        })
        .collect();
    if shell == Shell::Fish {
        // A flag that waits for its value is no reason to know no command line.
        text = text.replacen("    or return\n", "    or return 0\n", 1);
        let shells: Vec<_> = Shell::value_variants()
            .iter()
            .map(Shell::to_string)
            .collect();
        text.push_str(&format!(
            "complete -c coordinator -n \"__fish_coordinator_using_subcommand completions\" -f -a \"{}\"\n",
            shells.join(" ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_and_command_is_in_the_script_of_every_shell() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in [&help::command()]
                .into_iter()
                .chain(help::command().get_subcommands())
            {
                if command.is_hide_set() {
                    continue;
                }
                assert!(
                    script.contains(command.get_name()),
                    "{shell}: {}",
                    command.get_name()
                );
                for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                    let Some(long) = arg.get_long() else { continue };
                    let flag = match shell {
                        Shell::Fish => format!("-l {long}"),
                        _ => format!("--{long}"),
                    };
                    assert!(script.contains(&flag), "{shell}: {flag}");
                }
            }
        }
    }

    #[test]
    fn names_are_those_that_the_flags_say() {
        for arg in help::command().get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            for name in values(arg.get_long().unwrap_or_default()) {
                let name = name.trim_end_matches(":0"); // An index stands for all.
                assert!(help.contains(name), "{}: {name} in {help}", arg.get_id());
            }
        }
    }
}
