use super::*;
use rangefinder_errors::{Code, Coded as _};
use std::io::Write as _;

fn read(vars: &[(&str, &str)]) -> Result<Options, OptionsError> {
    Options::from_vars(|name| {
        vars.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

const BASE: [(&str, &str); 2] = [(COORDINATOR, "http://127.0.0.1:4242"), (TOKEN, "s3cret")];

fn message(extra: &[(&str, &str)]) -> String {
    let vars: Vec<_> = extra.iter().chain(&BASE).copied().collect();
    let error = read(&vars).expect_err("accepted");
    format!("[{}] {error}", error.code())
}

#[test]
fn the_smallest_contract_is_an_address_and_a_token() {
    let options = read(&BASE).expect("valid");
    assert_eq!(options.coordinator.port_u16(), Some(4242));
    assert_eq!(
        options
            .credential
            .header()
            .expect("a header")
            .to_str()
            .expect("text"),
        "Bearer s3cret"
    );
    assert_eq!(options.device, "auto");
    assert!(!options.watch_stdin);
    assert!(
        options
            .worker_id
            .ends_with(&format!("-{}", std::process::id()))
    );
}

#[test]
fn every_process_draws_its_own_incarnation() {
    let draw = || read(&BASE).expect("valid").incarnation;
    assert_ne!(draw(), draw());
}

#[test]
fn the_credential_may_come_from_a_file_with_a_final_newline() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    writeln!(file, "from-a-file").expect("written");
    let path = file.path().to_str().expect("text");
    let options = read(&[BASE[0], (TOKEN_FILE, path)]).expect("valid");
    assert_eq!(
        options
            .credential
            .header()
            .expect("a header")
            .to_str()
            .expect("text"),
        "Bearer from-a-file"
    );
}

#[test]
fn the_credential_never_shows_in_debug_output() {
    let text = format!("{:?}", read(&BASE).expect("valid"));
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn errors_name_the_variable_the_value_and_the_remedy() {
    for (vars, expected) in [
        (
            &[(DEVICE, "gpu0")][..],
            ["RANGEFINDER_DEVICE", "gpu0", "cuda:0"],
        ),
        (
            &[(COORDINATOR, "127.0.0.1:4242")],
            [
                "RANGEFINDER_COORDINATOR",
                "127.0.0.1:4242",
                "http://HOST:PORT",
            ],
        ),
        (
            &[(WATCH_STDIN, "maybe")],
            ["RANGEFINDER_WATCH_STDIN", "maybe", "1 or 0"],
        ),
        (
            &[(DRAIN_SECONDS, "-3")],
            ["RANGEFINDER_DRAIN_SECONDS", "-3", "0 or more"],
        ),
        (
            &[(RECONNECT_SECONDS, "1e19")],
            ["RANGEFINDER_RECONNECT_SECONDS", "1e19", "up to a year"],
        ),
        (
            &[(TOKEN_FILE, "/x")],
            ["RANGEFINDER_TOKEN", "RANGEFINDER_TOKEN_FILE", "unset one"],
        ),
    ] {
        let text = message(vars);
        let code = match vars {
            [(TOKEN_FILE, _)] => "[RF603] ",
            _ => "[RF602] ",
        };
        assert!(text.starts_with(code), "{text}");
        for part in expected {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }
}

#[test]
fn missing_variables_say_what_to_set() {
    let error = read(&[]).expect_err("accepted");
    assert_eq!(error.code(), Code::VariableMissing);
    let text = error.to_string();
    assert!(
        text.contains("RANGEFINDER_COORDINATOR is not set"),
        "{text}"
    );
    let text = read(&BASE[..1]).expect_err("accepted").to_string();
    assert!(text.contains("RANGEFINDER_TOKEN_FILE is not set"), "{text}");
    let error = read(&[BASE[0], (TOKEN_FILE, "/no/such/file")]).expect_err("accepted");
    assert_eq!(error.code(), Code::TokenFile);
    let text = error.to_string();
    assert!(text.contains("/no/such/file"), "{text}");
}

#[test]
fn a_bad_credential_is_refused_without_showing_it() {
    let text = read(&[BASE[0], (TOKEN, "two words")])
        .expect_err("accepted")
        .to_string();
    assert!(text.contains("RANGEFINDER_TOKEN"), "{text}");
    assert!(!text.contains("two words"), "{text}");
}

#[test]
fn a_worker_of_a_service_looks_for_ever_and_one_that_is_watched_does_not() {
    let read = |extra: &[(&str, &str)]| {
        let vars: Vec<_> = extra.iter().chain(&BASE).copied().collect();
        read(&vars).expect("valid").timing
    };
    assert_eq!(read(&[]).reconnect, Timing::FOREVER);
    assert_eq!(read(&[]).drain, Duration::from_secs(60));
    let watched = read(&[(WATCH_STDIN, "1")]);
    assert_eq!(watched.reconnect, Duration::from_secs(60));
    let told = read(&[(WATCH_STDIN, "1"), (RECONNECT_SECONDS, "forever")]);
    assert_eq!(told.reconnect, Timing::FOREVER);
    let told = read(&[(RECONNECT_SECONDS, "2.5"), (DRAIN_SECONDS, "7")]);
    assert_eq!(told.reconnect, Duration::from_millis(2500));
    assert_eq!(told.drain, Duration::from_secs(7));
}

#[test]
fn the_token_file_is_read_anew_each_time() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    writeln!(file, "first").expect("written");
    let path = file.path().to_str().expect("text").to_owned();
    let options = read(&[BASE[0], (TOKEN_FILE, &path)]).expect("valid");
    std::fs::write(&path, "second\n").expect("written");
    let header = options.credential.header().expect("a header");
    assert_eq!(header.to_str().expect("text"), "Bearer second");
    drop(file);
    let error = options.credential.header().expect_err("it is gone");
    assert_eq!(error.code(), Code::TokenFile);
}

#[test]
fn certificates_that_do_not_fit_are_found_at_the_start() {
    let https = (COORDINATOR, "https://sweeps.example:4242");
    let code = |vars: &[(&str, &str)]| {
        let vars: Vec<_> = vars.iter().chain(&[BASE[1]]).copied().collect();
        let error = read(&vars).expect_err("accepted");
        (error.code(), error.to_string())
    };
    let (missing, text) = code(&[https, (CA_FILE, "/no/such/ca.pem")]);
    assert_eq!(missing, Code::NoSuchFile);
    assert!(text.contains("/no/such/ca.pem"), "{text}");
    let (half, text) = code(&[https, (CERT_FILE, "/c.pem")]);
    assert_eq!(half, Code::VariableMissing);
    assert!(text.contains(KEY_FILE), "{text}");
    let (half, _) = code(&[https, (KEY_FILE, "/k.pem")]);
    assert_eq!(half, Code::VariableMissing);
    // The token would go in the clear where TLS was meant.
    let (clear, _) = code(&[BASE[0], (SERVER_NAME, "sweeps.example")]);
    assert_eq!(clear, Code::NotTls);
}

#[test]
fn folders_that_are_named_confine_unless_that_is_contradicted() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().to_str().expect("text");
    let files = |vars: &[(&str, &str)]| {
        let vars: Vec<_> = vars.iter().chain(&BASE).copied().collect();
        read(&vars).map(|options| options.files)
    };
    assert_eq!(files(&[]).expect("valid").roots, None);
    let none = files(&[(CONFINED, "1")]).expect("valid").roots;
    assert_eq!(none, Some(rangefinder_access::Roots::default()));
    let two = format!("a={path}:b={path}");
    let roots = files(&[(DATA_ROOT, &two)]).expect("valid").roots;
    let expected = [format!("a={path}"), format!("b={path}")];
    let expected = rangefinder_access::Roots::new(&[], &expected).expect("folders");
    assert_eq!(roots, Some(expected));
    let error = files(&[(MODEL_ROOT, path), (CONFINED, "0")]).expect_err("accepted");
    assert_eq!(error.code(), Code::VariableInvalid);
    let error = files(&[(MODEL_ROOT, "a=/no/such/folder")]).expect_err("accepted");
    assert_eq!(error.code(), Code::RootFolder);
}

#[test]
fn the_cache_has_a_place_of_its_own_where_the_environment_names_one() {
    let files = |vars: &[(&str, &str)]| {
        let vars: Vec<_> = vars.iter().chain(&BASE).copied().collect();
        read(&vars).expect("valid").files
    };
    let home = ("HOME", "/home/user");
    for (vars, expected) in [
        (&[][..], None),
        (&[home], Some("/home/user/.cache/rangefinder")),
        (
            &[home, ("XDG_CACHE_HOME", "/cache")],
            Some("/cache/rangefinder"),
        ),
        (
            &[home, ("CACHE_DIRECTORY", "/var/cache/a:/var/cache/b")],
            Some("/var/cache/a"),
        ),
        (
            &[("CACHE_DIRECTORY", "/var/cache/a"), (CACHE_DIR, "/scratch")],
            Some("/scratch"),
        ),
    ] {
        assert_eq!(files(vars).cache, expected.map(Into::into));
    }
    assert_eq!(files(&[]).cache_bytes, 20 << 30);
    assert_eq!(files(&[(CACHE_BYTES, "3G")]).cache_bytes, 3 << 30);
    assert_eq!(files(&[(MAX_MODEL_BYTES, "1000")]).max_model_bytes, 1000);
    for wrong in ["0", "-1", "1.5G", "many", "99999999999T"] {
        let text = message(&[(CACHE_BYTES, wrong)]);
        assert!(
            text.starts_with("[RF602]") && text.contains(wrong),
            "{text}"
        );
    }
}
