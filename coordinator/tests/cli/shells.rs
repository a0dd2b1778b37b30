//! `coordinator completions` in the shells themselves, and `coordinator man`.

use super::{run, run_in};
use std::process::Command;

/// What a shell prints, in a folder with a file and the script; `None` where there is no such shell.
fn in_shell(shell: &str, options: &[&str], commands: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my net.pt"), "").unwrap();
    let script = run(&["completions", shell]);
    assert_eq!((script.code, script.stderr.as_str()), (0, ""));
    std::fs::write(folder.path().join("script"), &script.stdout).unwrap();
    let output = Command::new(shell)
        .args(options)
        .args(["-c", commands])
        .current_dir(folder.path())
        .output()
        .ok()?;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{shell}: {stderr}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What bash offers for the last of some words, sorted.
fn bash_offers(words: &[&str]) -> Option<Vec<String>> {
    let commands = format!(
        "source ./script
         COMP_WORDS=({words}) COMP_CWORD={last}
         _coordinator coordinator \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last} - 1]}}\" 2>/dev/null
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words = words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" "),
        last = words.len() - 1,
    );
    let said = in_shell("bash", &["--norc"], &commands)?;
    let mut offers: Vec<String> = said.lines().map(ToOwned::to_owned).collect();
    offers.sort();
    Some(offers)
}

#[test]
fn bash_completes_flags_names_and_files() {
    if bash_offers(&["coordinator", ""]).is_none() {
        return; // No bash here.
    }
    for (words, expected) in [
        (&["coordinator", "--mod"][..], &["--mode", "--model"][..]),
        (&["coordinator", "pl"], &["plan", "plot"]),
        (&["coordinator", "--model", "m"], &["mlp", "my net.pt"]),
        (&["coordinator", "plan", "--data", "d"], &["digits"]),
        (&["coordinator", "--weights", "m"], &["my net.pt"]),
        (&["coordinator", "--loss", "s"], &["smooth_l1"]),
        (&["coordinator", "analyze", "--method", "v"], &["valley"]),
        (&["coordinator", "completions", "f"], &["fish"]),
        // A number: nothing is offered.
        (&["coordinator", "--batch-size", ""], &[""]),
        // A switch stands alone: the next word is another flag.
        (
            &["coordinator", "--nesterov", "--weig"],
            &["--weight-decay", "--weights"],
        ),
    ] {
        assert_eq!(bash_offers(words).unwrap(), expected, "{words:?}");
    }
}

#[test]
fn fish_completes_flags_names_and_files() {
    let offers = |line: &str| {
        let commands = format!("source ./script; complete -C '{line}'");
        in_shell("fish", &["--no-config"], &commands)
    };
    if offers("coordinator ").is_none() {
        return; // No fish here.
    }
    for (line, expected) in [
        ("coordinator pl", "plan"),
        ("coordinator --model m", "mlp"),
        ("coordinator --model m", "my net.pt"),
        ("coordinator plan --loss s", "smooth_l1"),
        ("coordinator --split h", "hybrid"),
        ("coordinator completions f", "fish"),
    ] {
        let offers = offers(line).unwrap();
        let found = offers
            .lines()
            .any(|offer| offer.split('\t').next() == Some(expected));
        assert!(found, "{line}: {offers}");
    }
}

#[test]
fn shells_accept_their_scripts() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.path().join(shell);
        std::fs::write(&script, run(&["completions", shell]).stdout).unwrap();
        // Where a shell is missing, nobody reads its script.
        if let Ok(output) = Command::new(shell).arg("-n").arg(&script).output() {
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{shell}: {stderr}");
            assert_eq!(stderr, "", "{shell}");
        }
    }
}

#[test]
fn an_unknown_shell_is_refused_with_those_that_there_are() {
    let refused = run(&["completions", "tcsh"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    for text in ["tcsh", "bash", "fish", "zsh"] {
        assert!(refused.stderr.contains(text), "{}", refused.stderr);
    }
}

#[test]
fn pages_are_written_where_they_are_wanted_and_render_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let written = run_in(folder.path(), &["man", "--out", "new/man1"]);
    assert_eq!(written.code, 0, "{}", written.shown());
    assert!(written.stdout.lines().count() > 4, "{}", written.shown());
    for path in written.stdout.lines() {
        let path = folder.path().join(path);
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.starts_with(".TH coordinator"), "{}", path.display());
        // Where there is no `man`, nobody reads pages.
        if let Ok(output) = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(&path)
            .env("MANWIDTH", "80")
            .env("MANPAGER", "cat")
            .output()
        {
            let stderr = String::from_utf8(output.stderr).unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            assert_eq!(stderr, "", "{}", path.display());
            assert!(shown.contains("SYNOPSIS"), "{shown}");
            let wide = shown.lines().find(|line| line.chars().count() > 84);
            assert_eq!(wide, None, "{}", path.display());
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let refused = run_in(folder.path(), &["man", "--out", "file/man1"]);
    assert_eq!(refused.code, 1, "{}", refused.shown());
    assert!(refused.stderr.contains("file/man1"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--out"), "{}", refused.stderr);
}
