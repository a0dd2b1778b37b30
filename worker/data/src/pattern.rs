//! Several files by one name: `train-*.npz`, `part-{000..003}.npz`.

use rangefinder_errors::Code;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::error::Defect;

/// Most files that one pattern may name: each is mapped on its own, and Linux allows a process
/// 65,530 maps.
const MAX_FILES: usize = 32_768;

/// The files that `path` names, each once: those of a range in the order of its numbers, and of
/// those that match a pattern in the order of their names, byte by byte.
///
/// A path that exists is itself, whatever its characters. Else `{000..003}` in the name of the file
/// stands for each number of the range, with as many digits as its first end has; `*`, `?` and
/// `[...]` stand for what they do in a shell. The folder is taken as it is written.
///
/// # Errors
/// When a pattern cannot be read, names no file, or too many.
pub(crate) fn files(path: &str) -> Result<Vec<String>, Defect> {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|name| is_pattern(name) && !Path::new(path).exists()) else {
        return Ok(vec![path.to_owned()]);
    };
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    for name in ranges(name)? {
        if name.contains(['*', '?', '[']) {
            matching(folder, &name, &mut files)?;
        } else {
            files.push(folder.join(name));
        }
        if files.len() > MAX_FILES {
            return Err(too_many());
        }
    }
    // Several numbers may match one name.
    let mut seen = HashSet::with_capacity(files.len());
    files.retain(|file| seen.insert(file.clone()));
    if files.is_empty() {
        return Err(Defect::new(
            Code::FilePattern,
            "matches no file",
            "check the folder and the pattern: it is the worker's machine that has the files",
        ));
    }
    files
        .into_iter()
        .map(|file| match file.to_str() {
            Some(file) => Ok(file.to_owned()),
            None => Err(Defect::new(
                Code::FilePattern,
                format!("matches {}, whose name is not UTF-8", file.display()),
                "rename the file",
            )),
        })
        .collect()
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// The names for which ranges of numbers stand; a name without them stands for itself.
fn ranges(name: &str) -> Result<Vec<String>, Defect> {
    let mut names = vec![String::new()];
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('{') {
        let unreadable = || {
            Defect::new(
                Code::FilePattern,
                "has braces that are not a range of numbers",
                "write a range such as {000..003}",
            )
        };
        let (range, after) = after.split_once('}').ok_or_else(unreadable)?;
        let (first, last) = range.split_once("..").ok_or_else(unreadable)?;
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| unreadable());
        let (width, first, last) = (first.len(), number(first)?, number(last)?);
        if first > last {
            return Err(unreadable());
        }
        let count = (last - first)
            .checked_add(1)
            .and_then(|count| usize::try_from(count).ok())
            .and_then(|count| count.checked_mul(names.len()))
            .filter(|&count| count <= MAX_FILES)
            .ok_or_else(too_many)?;
        let mut longer = Vec::with_capacity(count);
        for name in &names {
            longer.extend((first..=last).map(|n| format!("{name}{before}{n:0width$}")));
        }
        names = longer;
        rest = after;
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// Appends the files of a folder whose name matches, in the order of their names.
fn matching(folder: &Path, name: &str, files: &mut Vec<PathBuf>) -> Result<(), Defect> {
    const LIKE_A_SHELL: MatchOptions = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let pattern = Pattern::new(name).map_err(|error| {
        Defect::new(
            Code::FilePattern,
            format!("is no pattern: {} at character {}", error.msg, error.pos),
            "write a pattern as a shell takes it, such as train-*.npz",
        )
    })?;
    let folder_read = match folder.as_os_str() {
        here if here.is_empty() => Path::new("."),
        _ => folder,
    };
    let unreadable = |error: std::io::Error| {
        Defect::new(
            Code::of_reading(&error),
            format!("is in a folder that cannot be read: {error}"),
            "check the folder: it is the worker's machine that reads it",
        )
    };
    let already = files.len();
    for entry in std::fs::read_dir(folder_read).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let name = Path::new(&name);
        if pattern.matches_path_with(name, LIKE_A_SHELL) {
            files.push(folder.join(name));
            if files.len() > MAX_FILES {
                return Err(too_many());
            }
        }
    }
    files[already..].sort_unstable();
    Ok(())
}

fn too_many() -> Defect {
    Defect::new(
        Code::FilePattern,
        format!("stands for more than {MAX_FILES} files"),
        "save fewer and larger files",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<String> {
        ranges(pattern).unwrap()
    }

    #[test]
    fn a_range_has_the_digits_of_its_first_end() {
        assert_eq!(
            names("p-{08..11}.npz"),
            ["p-08.npz", "p-09.npz", "p-10.npz", "p-11.npz"]
        );
        assert_eq!(names("{1..2}-{3..4}"), ["1-3", "1-4", "2-3", "2-4"]);
        assert_eq!(names("{7..7}x"), ["7x"]);
        assert_eq!(names("plain"), ["plain"]);
    }

    #[test]
    fn what_is_no_range_is_refused_before_it_takes_memory() {
        for pattern in [
            "{1..", "{1}", "{a..b}", "{2..1}", "{-1..1}", "{..}", "{1,2}",
        ] {
            assert!(
                ranges(pattern)
                    .unwrap_err()
                    .message
                    .contains("range of numbers"),
                "{pattern}"
            );
        }
        for pattern in [
            "{0..18446744073709551615}",
            "{0..40000}",
            "{0..999}{0..999}",
        ] {
            assert!(
                ranges(pattern).unwrap_err().message.contains("more than"),
                "{pattern}"
            );
        }
    }
}
