//! `coordinator token`.

use super::args::{TokenArgs, TokenCommand, TokenPlace};
use crate::cli::output::{Trouble, print};
use crate::exit;
use jiff::{Span, Timestamp};
use rangefinder_access::{Role, Token, TokenFile};
use rangefinder_errors::Code;
use rangefinder_report::terminal;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file of the tokens in a service's folder.
pub(super) const FILE: &str = "tokens.json";

pub(in crate::cli) fn run(args: TokenArgs) -> Result<u8, Trouble> {
    match args.command {
        TokenCommand::Create {
            place,
            role,
            name,
            expires_days,
            out,
        } => create(&place, &role, &name, expires_days, out.as_deref()),
        TokenCommand::List { place, json } => list(&place, json),
        TokenCommand::Revoke { place, which } => {
            let revoked = file(&place).revoke(&which);
            for token in revoked.map_err(|error| Trouble::of(&error))? {
                terminal::say(&format!(
                    "revoked {} ({} {})\n",
                    token.id, token.role, token.name
                ));
            }
            Ok(exit::OK)
        }
    }
}

fn file(place: &TokenPlace) -> TokenFile {
    let in_folder = place.data_dir.as_ref().map(|folder| folder.join(FILE));
    TokenFile::new(
        place
            .tokens
            .clone()
            .or(in_folder)
            .unwrap_or_else(|| PathBuf::from(FILE)),
    )
}

fn create(
    place: &TokenPlace,
    role: &str,
    name: &str,
    expires_days: Option<u32>,
    out: Option<&Path>,
) -> Result<u8, Trouble> {
    let role = Role::parse(role).unwrap_or(Role::Client);
    let hours = i64::from(expires_days.unwrap_or(0)).saturating_mul(24);
    let expires = expires_days.map(|_| Timestamp::now().checked_add(Span::new().hours(hours)));
    let expires = expires.transpose().map_err(|error| {
        let text = format!("--expires-days: {error}\n  take fewer days");
        Trouble::new(exit::WRONG_INPUT, Code::OutOfRange, text)
    })?;
    if let Some(folder) = &place.data_dir {
        prepare(folder)?;
    }
    // Where it is to be written is made sure of first: it can be had only once.
    let written = out.map(|path| new_file(path).map(|file| (path, file)));
    let written = written.transpose()?;
    let (token, secret) = file(place)
        .create(role, name, expires)
        .map_err(|error| Trouble::of(&error))?;
    match written {
        None => print(secret.reveal())?,
        Some((path, mut file)) => {
            let line = format!("{}\n", secret.reveal());
            file.write_all(line.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(|error| unwritable(path, &error))?;
            terminal::say(&format!("written to {}\n", path.display()));
        }
    }
    let until = match token.expires {
        Some(expires) => format!(", until {expires:.0}"),
        None => String::new(),
    };
    terminal::say(&format!(
        "token {} for the {} {name}{until}; it is not shown again\n",
        token.id, token.role
    ));
    Ok(exit::OK)
}

/// The folder of a service that is to come, readable by its owner alone.
fn prepare(folder: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::DirBuilderExt as _;
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unwritable(folder, &error))
}

fn new_file(path: &Path) -> Result<std::fs::File, Trouble> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Trouble {
    let text = format!(
        "{} cannot be written: {error}\n  name a new file in a folder that you may write to",
        path.display()
    );
    Trouble::new(exit::WRONG_INPUT, Code::Unwritable, text)
}

fn list(place: &TokenPlace, as_json: bool) -> Result<u8, Trouble> {
    let tokens = file(place).load().map_err(|error| Trouble::of(&error))?;
    let now = Timestamp::now();
    let list = tokens.list();
    if as_json {
        for token in list {
            print(
                &json!({
                    "id": token.id.as_str(),
                    "role": token.role.name(),
                    "name": token.name,
                    "created": token.created.to_string(),
                    "expires": token.expires.map(|time| time.to_string()),
                    "revoked": token.revoked.map(|time| time.to_string()),
                })
                .to_string(),
            )?;
        }
        return Ok(exit::OK);
    }
    if list.is_empty() {
        terminal::say("no tokens; make one with `coordinator token create`\n");
        return Ok(exit::OK);
    }
    let name = list.iter().map(|token| token.name.len()).max().unwrap_or(0);
    let width = name.max("NAME".len());
    print(&format!(
        "{:<16}  {:<6}  {:<width$}  {:<20}  STATE",
        "ID", "ROLE", "NAME", "CREATED"
    ))?;
    for token in list {
        print(&format!(
            "{:<16}  {:<6}  {:<width$}  {:<20.0}  {}",
            token.id.as_str(),
            token.role,
            token.name,
            token.created,
            state(token, now)
        ))?;
    }
    Ok(exit::OK)
}

fn state(token: &Token, now: Timestamp) -> String {
    match (token.revoked, token.expires) {
        (Some(revoked), _) => format!("revoked {revoked:.0}"),
        (None, Some(expires)) if expires <= now => format!("expired {expires:.0}"),
        (None, Some(expires)) => format!("valid until {expires:.0}"),
        (None, None) => "valid".to_owned(),
    }
}
