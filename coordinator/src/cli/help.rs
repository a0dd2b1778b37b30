//! What `--help` says beside the flags' own comments: defaults, examples, exit codes.

use super::args::Cli;
use super::{client, service};
use crate::exit;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};
use rangefinder_config::{fields, manual, names};

const WIDTH: usize = 100;

pub(super) const EXAMPLES: &str = "\
Examples:
  coordinator --workers 2
      sweep the embedded example
  coordinator --model net.pt --data train.npz --optimizer sgd --momentum 0.9
      sweep a model of your own
  coordinator --config sweep.toml --hparams hparams.yaml --auto-lr-find
      write the learning rate into a file of hyperparameters
  coordinator --print-config > sweep.toml
      every option with its meaning and default";

/// What script authors ask: of options that a script has given, "$@" may give some again.
const REPEATED: &str = "Of an option that is given again the last value counts; a list takes all.";

pub(super) const PLAN: &str = "\
Examples:
  coordinator plan --workers 8
  coordinator plan --workers 8 --overlap faithful --json";

pub(super) const ANALYZE: &str = "\
Examples:
  coordinator analyze curve.csv --beta 0.9
  coordinator analyze curve.csv --profile fastai --method slide
  coordinator analyze sweep.json --method drop80 --json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  source <(coordinator completions bash)
      in ~/.bashrc
  coordinator completions zsh > ~/.zfunc/_coordinator
      with fpath=(~/.zfunc $fpath) before compinit in ~/.zshrc
  coordinator completions fish | source
      in ~/.config/fish/config.fish";

/// The whole command line.
pub(super) fn command() -> Command {
    let command = with_defaults(Cli::command())
        .after_help(format!("{EXAMPLES}\n\n{REPEATED}\n\n{}", exit::HELP))
        .max_term_width(WIDTH)
        .mut_subcommand("plan", |plan| with_defaults(plan).after_help(PLAN))
        .mut_subcommand("analyze", |analyze| analyze.after_help(ANALYZE))
        .mut_subcommand("completions", |completions| {
            completions.after_help(COMPLETIONS)
        })
        .mut_subcommand("submit", with_defaults);
    let pages = service::pages::PAGES.iter().chain(&client::pages::PAGES);
    pages.fold(command, |command, page| {
        command.mut_subcommand(page.command, |asking| asking.after_help(page.examples))
    })
}

/// Says what to do where a word stands that is no command: people look for a command that sweeps,
/// or give a file without its flag.
pub(super) fn with_advice(mut error: clap::Error) -> clap::Error {
    if let Some((near, usage)) = near_flag(&error) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(near));
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    let word = error.get(ContextKind::InvalidSubcommand).cloned();
    if let (ErrorKind::ArgumentConflict, Some(ContextValue::String(word))) = (error.kind(), &word) {
        let advice = if Cli::command().find_subcommand(word).is_some() {
            format!("a command comes first: coordinator {word} ...")
        } else {
            format!("the value of a switch follows `=`; '{word}' would be a command")
        };
        let advice = vec![StyledStr::from(advice)];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(advice));
    }
    if let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) = (error.kind(), word) {
        let advice = if word.contains(['.', '/']) {
            "name the file by its flag: --model FILE, --data FILE or --config FILE"
        } else {
            "to run a sweep, leave the command out: coordinator --workers 2"
        };
        let near = match error.get(ContextKind::SuggestedSubcommand) {
            Some(ContextValue::Strings(near)) => near
                .first()
                .map(|near| StyledStr::from(format!("a similar command is there: '{near}'"))),
            _ => None,
        };
        error.remove(ContextKind::SuggestedSubcommand);
        let advice = near.into_iter().chain([StyledStr::from(advice)]).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(advice));
    }
    error
}

/// The flag that is most like an unknown one, as letters that are swapped, left out or too many
/// count: clap's own measure takes `--modle` for `--mode`. With it comes the usage of its command,
/// since clap's names clap's choice.
fn near_flag(error: &clap::Error) -> Option<(String, StyledStr)> {
    let ContextValue::String(unknown) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    // Where it finds nothing alike, neither do we.
    error.get(ContextKind::SuggestedArg)?;
    let mut root = Cli::command();
    root.build();
    let first = std::env::args_os().nth(1).unwrap_or_default();
    let command = match root.find_subcommand(&first) {
        Some(_) => root.find_subcommand_mut(&first)?,
        None => &mut root,
    };
    let flags = command
        .get_arguments()
        .filter(|flag| !flag.is_hide_set())
        .filter_map(clap::Arg::get_long);
    let near = names::nearest(unknown.strip_prefix("--")?, flags)?;
    Some((format!("--{near}"), command.render_usage()))
}

/// Adds to each flag of the specification what it is when it is not given, as the manual has it.
fn with_defaults(command: Command) -> Command {
    fields::all().iter().fold(command, |command, field| {
        let comment = field.comment.trim_end_matches('.');
        let help = match manual::default_of(field) {
            Some(default) => format!("{comment} [default: {default}]"),
            None => comment.to_owned(), // Which says it itself.
        };
        // An argument that is changed moves to the end, so the one that belongs beside it follows.
        let command = command.mut_arg(&field.name, |arg| arg.help(help));
        match field.name.as_str() {
            "shuffle" => command.mut_arg("no_shuffle", |arg| arg),
            _ => command,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_specification_is_a_flag_of_sweeps_wherever_they_run_and_of_plans() {
        let command = command();
        let others = ["plan", "submit"].map(|name| command.find_subcommand(name).unwrap());
        for command in [&command].into_iter().chain(others) {
            for field in fields::all() {
                let flag = field.flag();
                let arg = command
                    .get_arguments()
                    .find(|arg| arg.get_long() == flag.strip_prefix("--"))
                    .unwrap_or_else(|| panic!("{flag} is missing"));
                assert_eq!(arg.get_help_heading(), Some(field.section), "{flag}");
            }
        }
    }

    #[test]
    fn every_flag_of_the_specification_says_its_default() {
        for arg in command().get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let field = fields::all()
                .iter()
                .any(|field| arg.get_long() == field.flag().strip_prefix("--"));
            assert!(
                !field
                    || ["default:", "y default", "no default"]
                        .iter()
                        .any(|it| help.contains(it)),
                "{}: {help}",
                arg.get_id()
            );
        }
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        command().debug_assert();
    }
}
