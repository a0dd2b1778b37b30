//! Tokens: made, kept, presented, revoked.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use proptest::prelude::*;
use rangefinder_access::{
    Denied, DeniedKind, Role, Secret, TokenFile, TokenSource, Tokens, bearer,
};
use rangefinder_errors::{Code, Coded as _};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

type Timestamp = jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn file() -> (tempfile::TempDir, TokenFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::new(folder.path().join("tokens.json"));
    (folder, file)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_token_lets_its_holder_in_and_no_other() {
    let mut tokens = Tokens::default();
    let (alice, secret) = tokens.create(Role::Client, "alice", None, at(0)).unwrap();
    let (_, other) = tokens.create(Role::Admin, "root", None, at(0)).unwrap();
    let text = secret.reveal();
    assert!(
        text.starts_with(&format!("rf_client_{}_", alice.id)),
        "its kind can be seen"
    );
    let principal = tokens.authenticate(text, at(1)).unwrap();
    assert_eq!(
        (&principal.id, principal.name.as_str()),
        (&alice.id, "alice")
    );
    assert_eq!(principal.role, Role::Client);

    let half = other.reveal().rsplit_once('_').unwrap().1;
    for wrong in [
        String::new(),
        "rf_".to_owned(),
        format!("rf_client_{}", alice.id),
        format!("rf_client_{}_", alice.id),
        format!("rf_client_{}_{half}", alice.id),
        format!("rf_admin_{}_{}", alice.id, text.rsplit_once('_').unwrap().1),
        text[..text.len() - 1].to_owned(),
        format!("{text}0"),
        text.to_uppercase(),
        format!(" {text}"),
    ] {
        let denied = tokens.authenticate(&wrong, at(1)).unwrap_err();
        assert_eq!(denied, Denied::Unknown, "{wrong}");
        assert_eq!(denied.code(), Code::TokenRefused);
        assert_eq!(denied.kind(), DeniedKind::Unauthenticated);
    }
}

proptest! {
    #[test]
    fn any_other_text_is_refused(text in "(rf_(client|worker|admin)_)?[ -~é]{0,100}", flip in 0_usize..64) {
        let mut tokens = Tokens::default();
        let (_, secret) = tokens.create(Role::Client, "alice", None, at(0)).unwrap();
        prop_assert_eq!(tokens.authenticate(&text, at(1)), Err(Denied::Unknown));
        let mut bytes = secret.reveal().as_bytes().to_vec();
        let place = bytes.len() - 1 - flip;
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        let flipped = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(tokens.authenticate(&flipped, at(1)), Err(Denied::Unknown));
    }
}

#[test]
fn secrets_have_256_random_bits() {
    let mut tokens = Tokens::default();
    let mut seen = std::collections::HashSet::new();
    for n in 0..50 {
        let (_, secret) = tokens.create(Role::Client, "alice", None, at(n)).unwrap();
        let random = secret.reveal().rsplit_once('_').unwrap().1.to_owned();
        assert_eq!(random.len(), 64);
        assert!(random.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(seen.insert(random));
    }
}

#[test]
fn only_a_hash_is_kept_in_a_file_of_its_owners() {
    let (_folder, file) = file();
    let (token, secret) = file.create(Role::Worker, "node7", None).unwrap();
    let written = fs::read_to_string(file.path()).unwrap();
    let random = secret.reveal().rsplit_once('_').unwrap().1;
    assert!(!written.contains(random));
    assert!(written.contains(token.id.as_str()));
    assert_eq!(mode(file.path()), 0o600);
    let principal = file
        .load()
        .unwrap()
        .authenticate(secret.reveal(), Timestamp::now());
    assert_eq!(principal.unwrap().name, "node7");
}

#[test]
fn revoked_tokens_are_refused() {
    let (_folder, file) = file();
    let (one, secret) = file.create(Role::Client, "alice", None).unwrap();
    let (_, other) = file.create(Role::Client, "alice", None).unwrap();
    let tokens = TokenSource::open(file.clone()).unwrap();
    let principal = tokens.authenticate(secret.reveal()).unwrap();
    let mut changes = tokens.changes();

    let revoked = file.revoke(one.id.as_str()).unwrap();
    assert_eq!(revoked.len(), 1);
    tokens.reload().unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    let denied = Err(Denied::Revoked(one.id.clone()));
    assert_eq!(tokens.authenticate(secret.reveal()), denied);
    // A stream that began before learns it too.
    assert_eq!(
        tokens.still_valid(&principal),
        Err(Denied::Revoked(one.id.clone()))
    );
    // Who has only the id of it learns nothing.
    let guess = format!("rf_client_{}_{}", one.id, "0".repeat(64));
    assert_eq!(tokens.authenticate(&guess), Err(Denied::Unknown));

    // The other token of the same holder goes on, until the holder is sent away.
    tokens.authenticate(other.reveal()).unwrap();
    assert_eq!(file.revoke("alice").unwrap().len(), 2);
    tokens.reload().unwrap();
    assert!(matches!(
        tokens.authenticate(other.reveal()),
        Err(Denied::Revoked(_))
    ));
}

#[test]
fn a_token_that_is_gone_ends_streams_too() {
    let (_folder, file) = file();
    let (_, secret) = file.create(Role::Client, "alice", None).unwrap();
    let tokens = TokenSource::open(file.clone()).unwrap();
    let principal = tokens.authenticate(secret.reveal()).unwrap();
    tokens.still_valid(&principal).unwrap();
    fs::remove_file(file.path()).unwrap();
    file.create(Role::Client, "bob", None).unwrap();
    tokens.reload().unwrap();
    assert_eq!(tokens.still_valid(&principal), Err(Denied::Unknown));
}

#[test]
fn tokens_expire_to_the_second() {
    let mut tokens = Tokens::default();
    let (token, secret) = tokens
        .create(Role::Client, "alice", Some(at(100)), at(0))
        .unwrap();
    let principal = tokens.authenticate(secret.reveal(), at(99)).unwrap();
    tokens.still_valid(&principal, at(99)).unwrap();
    let expired = Denied::Expired(token.id);
    assert_eq!(
        tokens.authenticate(secret.reveal(), at(100)),
        Err(expired.clone())
    );
    assert_eq!(tokens.still_valid(&principal, at(100)), Err(expired));
    let error = tokens
        .create(Role::Client, "alice", Some(at(5)), at(5))
        .unwrap_err();
    assert_eq!(error.code, Code::TokenName);
}

#[test]
fn a_name_has_one_role() {
    let (_folder, file) = file();
    file.create(Role::Client, "alice", None).unwrap();
    let before = fs::read(file.path()).unwrap();
    let error = file.create(Role::Admin, "alice", None).unwrap_err();
    assert_eq!(error.code, Code::TokenName);
    for name in ["", "a b", "a\nb", "über", &"x".repeat(65)] {
        let error = file.create(Role::Client, name, None).unwrap_err();
        assert_eq!(error.code, Code::TokenName, "{name:?}");
    }
    let error = file.revoke("bob").unwrap_err();
    assert_eq!(error.code, Code::NoSuchToken);
    assert_eq!(
        fs::read(file.path()).unwrap(),
        before,
        "nothing was written"
    );
}

#[test]
fn a_broken_file_leaves_the_last_tokens_in_force() {
    let (_folder, file) = file();
    let (_, secret) = file.create(Role::Client, "alice", None).unwrap();
    let tokens = TokenSource::open(file.clone()).unwrap();
    let good = fs::read_to_string(file.path()).unwrap();
    for (text, said) in [
        ("", "line 1"),
        ("{}", "is not a file of tokens"),
        (&good[..good.len() / 2], "is not a file of tokens"),
        (
            &good.replace("\"version\": 1", "\"version\": 2"),
            "version 2",
        ),
        (&good.replace("client", "king"), "is not a file of tokens"),
        (&good.replace("\"alice\"", "\"\""), "cannot be the name"),
        (
            &good.replace("\"name\"", "\"surname\""),
            "is not a file of tokens",
        ),
    ] {
        fs::write(file.path(), text).unwrap();
        let error = tokens.reload().unwrap_err();
        assert_eq!(error.code, Code::TokensFile, "{text}");
        assert!(error.message.contains(said), "{error}");
        assert!(error.message.contains("tokens.json"), "{error}");
        assert_eq!(tokens.warning(), Some(error));
        tokens.authenticate(secret.reveal()).unwrap();
        // A start on such a file is refused, and so is writing over it.
        TokenSource::open(file.clone()).unwrap_err();
        file.create(Role::Client, "bob", None).unwrap_err();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), *text);
    }
    fs::write(file.path(), good).unwrap();
    tokens.reload().unwrap();
    assert_eq!(tokens.warning(), None);
}

#[test]
fn a_file_that_others_may_read_or_change_is_refused() {
    let (_folder, file) = file();
    file.create(Role::Client, "alice", None).unwrap();
    for bad in [0o644, 0o602, 0o620, 0o666] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(bad)).unwrap();
        let error = file.load().unwrap_err();
        assert_eq!(error.code, Code::NotPrivate, "{bad:o}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o400)).unwrap();
    file.load().unwrap();
    assert_eq!(
        TokenFile::new("/nowhere/tokens.json")
            .load()
            .unwrap_err()
            .code,
        Code::NoSuchFile
    );
    assert_eq!(
        TokenFile::new("/nowhere/tokens.json")
            .create(Role::Client, "a", None)
            .unwrap_err()
            .code,
        Code::Unwritable
    );
}

#[test]
fn writers_at_once_lose_no_token() {
    let (_folder, file) = file();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let file = &file;
            scope.spawn(move || {
                for n in 0..5 {
                    file.create(Role::Client, &format!("w{writer}-{n}"), None)
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(file.load().unwrap().list().len(), 20);
}

#[test]
fn secrets_are_in_no_debug_text_and_no_message() {
    let (_folder, file) = file();
    let (token, secret) = file.create(Role::Client, "alice", None).unwrap();
    let tokens = file.load().unwrap();
    let random = secret.reveal().rsplit_once('_').unwrap().1;
    let hash = fs::read_to_string(file.path()).unwrap();
    let hash = hash
        .split("\"hash\": \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(hash.len(), 64);
    let mut set = tokens.clone();
    let source = TokenSource::fixed(tokens.clone());
    for text in [
        format!("{secret:?}"),
        format!("{token:?}"),
        format!("{tokens:?}"),
        format!("{source:?}"),
        format!("{:?}", source.authenticate(secret.reveal())),
        format!("{}", set.revoke(secret.reveal(), at(1)).unwrap_err()),
        format!("{}", file.revoke(secret.reveal()).unwrap_err()),
        format!(
            "{:?}",
            source.authenticate(&format!("{}0", secret.reveal()))
        ),
        format!(
            "{:?}",
            bearer(Some(format!("Basic {}", secret.reveal()).as_bytes()))
        ),
    ] {
        assert!(!text.contains(random) && !text.contains(hash), "{text}");
    }
}

/// Version 1 of the file, as the first release wrote it: every later one reads it.
#[test]
fn a_file_of_version_1_is_read_and_written_back_as_it_was() {
    let (_folder, file) = file();
    let frozen = include_str!("fixtures/tokens-v1.json");
    fs::write(file.path(), frozen).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let tokens = file.load().unwrap();
    let token = format!("rf_client_00a1b2c3d4e5_{}", "0123456789abcdef".repeat(4));
    let alice = tokens.authenticate(&token, at(0)).unwrap();
    assert_eq!(alice.name, "alice@example");
    let roles: Vec<_> = tokens.list().iter().map(|token| token.role).collect();
    assert_eq!(roles, [Role::Client, Role::Worker, Role::Admin]);
    let expires = tokens.list()[1].expires.unwrap();
    assert_eq!(expires.to_string(), "2027-01-03T00:00:00Z");
    // What is revoked stays so, and all else as it is.
    assert_eq!(file.revoke("root").unwrap()[0].id.as_str(), "aabbccddeeff");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), frozen);
}

#[test]
fn tokens_in_memory_serve_one_sweep() {
    let mut tokens = Tokens::default();
    let given = Secret::random().unwrap();
    let worker = tokens.take(Role::Worker, "workers", &given, at(0)).unwrap();
    let (_, client) = tokens.create(Role::Client, "client", None, at(0)).unwrap();
    let source = TokenSource::fixed(tokens.clone());
    assert_eq!(source.authenticate(given.reveal()), Ok(worker.clone()));
    source.still_valid(&worker).unwrap();
    assert_eq!(
        source.authenticate(client.reveal()).unwrap().role,
        Role::Client
    );
    source.reload().unwrap();
    source.authenticate(given.reveal()).unwrap();
    let weak = tokens
        .take(Role::Worker, "more", &Secret::new("hunter2"), at(0))
        .unwrap_err();
    assert_eq!(weak.code, Code::CredentialMalformed);
    assert!(!weak.to_string().contains("hunter2"));
}

#[test]
fn only_a_bearer_is_a_token() {
    assert_eq!(bearer(Some(b"Bearer secret")), Ok("secret"));
    assert_eq!(bearer(Some(b"bearer secret")), Ok("secret"));
    for header in [
        "",
        "Bearer",
        "Bearer ",
        "secret",
        "Basic secret",
        "Bearer\tsecret",
    ] {
        assert_eq!(
            bearer(Some(header.as_bytes())),
            Err(Denied::Missing),
            "{header:?}"
        );
    }
    assert_eq!(bearer(Some(b"Bearer \xff")), Err(Denied::Missing));
    let source = TokenSource::fixed(Tokens::default());
    assert_eq!(source.authenticate_header(None), Err(Denied::Missing));
    assert_eq!(
        source.authenticate_header(Some(b"Bearer x")),
        Err(Denied::Unknown)
    );
}
