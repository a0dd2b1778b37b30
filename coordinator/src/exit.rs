//! Exit codes of the command line; a part of its interface.

/// A usable learning rate was found, and printed; or the command did what it was asked.
pub const OK: u8 = 0;
/// The sweep failed, or a file could not be written.
pub const FAILED: u8 = 1;
/// What was asked for is wrong: flags, configuration, model, data, files.
pub const WRONG_INPUT: u8 = 2;
/// The curve was drawn, but no usable learning rate can be read off it.
pub const NO_USABLE_LR: u8 = 3;
/// The sweep was cancelled.
pub const CANCELLED: u8 = 130;

/// The codes for people, at the end of `--help`.
pub const HELP: &str = "\
Exit codes:
  0    a usable learning rate was found
  1    the sweep failed
  2    wrong input
  3    no usable learning rate
  130  cancelled";

/// What `--help` says of a code.
pub(crate) fn meaning(code: u8) -> &'static str {
    HELP.lines()
        .filter_map(|line| line.trim().split_once(' '))
        .find(|(number, _)| *number == code.to_string())
        .map_or("", |(_, meaning)| meaning.trim())
}
