use super::*;
use proptest::prelude::*;
use rangefinder_errors::Code;
use std::fs;

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(name: &str, text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    File {
        _folder: folder,
        path,
    }
}

/// The file after `lr` was written.
fn written(name: &str, text: &str, asked: Option<&str>, lr: f64) -> String {
    let file = file(name, text);
    Target::check(&file.path, asked).unwrap().write(lr).unwrap();
    fs::read_to_string(&file.path).unwrap()
}

fn refused(name: &str, text: &str, asked: Option<&str>) -> String {
    let file = file(name, text);
    let error = Target::check(&file.path, asked).unwrap_err();
    assert_eq!(fs::read_to_string(&file.path).unwrap(), text);
    format!("{}\n  {}", error.message, error.remedy)
}

#[test]
fn only_the_bytes_of_the_value_change_in_yaml() {
    let text = "# run 7\r\nlr: 1e-3   # by hand\r\n\r\nmodel: {lr: 0.10, name: 'a: b'}\r\nlist:\r\n- &x 1_0\r\n-   *x\r\n";
    assert_eq!(
        written("h.yaml", text, None, 0.0125),
        text.replacen("1e-3", "0.0125", 1)
    );
    assert_eq!(
        written("h.yml", text, Some("model.lr"), 2e-7),
        text.replacen("0.10", "2.0e-7", 1)
    );
}

#[test]
fn only_the_bytes_of_the_value_change_in_toml() {
    let text = "# run 7\nname = 'x'\nlearning_rate = 1e-3 # by hand\n[model.optim]\nlr = 0.10\nbetas = [0.90, 0.999]\n";
    assert_eq!(
        written("h.toml", text, None, 0.5),
        text.replacen("1e-3", "0.5", 1)
    );
    assert_eq!(
        written("h.toml", text, Some("model.optim.lr"), 1.0),
        text.replacen("0.10", "1.0", 1)
    );
    assert_eq!(
        written("h.toml", text, Some("model.optim.betas.0"), 1e-5),
        text.replacen("0.90", "1.0e-5", 1)
    );
}

#[test]
fn only_the_bytes_of_the_value_change_in_json() {
    let text = "{ \"lr\":1E-3,\n\t\"groups\": [ {\"lr\" : null}, {\"lr\": 0.10} ]}";
    assert_eq!(
        written("h.json", text, None, 0.25),
        text.replacen("1E-3", "0.25", 1)
    );
    assert_eq!(
        written("h.json", text, Some("groups.1.lr"), 0.3),
        text.replacen("0.10", "0.3", 1)
    );
    assert_eq!(
        written("h.json", text, Some("groups.0.lr"), 0.3),
        text.replacen("null", "0.3", 1)
    );
}

#[test]
fn lr_comes_before_learning_rate() {
    assert_eq!(
        written("h.yaml", "learning_rate: 1\nlr: 2\n", None, 0.5),
        "learning_rate: 1\nlr: 0.5\n"
    );
}

#[test]
fn an_empty_value_is_filled_in() {
    assert_eq!(
        written("h.yaml", "lr:   # to be found\nx: 1\n", None, 0.5),
        "lr: 0.5   # to be found\nx: 1\n"
    );
    assert_eq!(
        written("h.yaml", "x: 1\n'lr' :", None, 0.5),
        "x: 1\n'lr' : 0.5"
    );
    assert_eq!(written("h.yaml", "lr: ~\n", None, 0.5), "lr: 0.5\n");
    assert_eq!(
        written("h.yaml", "{lr: , x: 1}\n", None, 0.5),
        "{lr: 0.5 , x: 1}\n"
    );
}

#[test]
fn keys_with_dots_are_found() {
    assert_eq!(
        written(
            "h.json",
            r#"{"model.optim": {"lr": 1}}"#,
            Some("model.optim.lr"),
            0.5
        ),
        r#"{"model.optim": {"lr": 0.5}}"#
    );
}

#[test]
fn what_an_anchor_shares_is_refused_and_what_is_its_own_is_not() {
    let text = "base: &b\n  lr: 0.1\n  x: &l 0.2\nrun: *b\nother:\n  <<: *b\n  lr: 3\nlr: *l\n";
    let error = refused("h.yaml", text, Some("run.lr"));
    assert!(error.contains("without changing `base.lr`"), "{error}");
    let error = refused("h.yaml", text, Some("base.lr"));
    assert!(error.contains("without changing `run.lr`"), "{error}");
    assert_eq!(
        written("h.yaml", text, Some("other.lr"), 0.5),
        text.replacen("lr: 3", "lr: 0.5", 1)
    );
    assert_eq!(
        written("h.yaml", text, None, 0.5),
        text.replacen("lr: *l", "lr: 0.5", 1)
    );
}

#[test]
fn a_missing_field_names_the_candidates_before_anything_runs() {
    let text = "model:\n  optim: {lr: 0.1, name: lr}\n  base_learning_rate: 1\nepochs: 3\n";
    insta::assert_snapshot!(
        [
            refused("h.yaml", text, None),
            refused("h.yaml", text, Some("model.lr")),
            refused("h.yaml", "epochs: 3\n", Some("epoch")),
            refused("h.yaml", "name: x\n", None),
            refused("h.yaml", "lr: '0.1'\n", None),
            refused("h.yaml", "lr: [1]\n", None),
            refused("h.yaml", "a: 1\n---\nlr: 1\n", None),
            refused("h.json", "{\"lr\": 1} // why", None),
            refused("h.toml", "lr = \n", None),
            refused("h.ini", "lr = 1\n", None),
            refused("h.yaml", "? lr\n", None),
        ]
        .join("\n")
    );
}

#[test]
fn a_file_that_changed_meanwhile_is_edited_as_it_is_now() {
    let file = file("h.yaml", "lr: 1\n");
    let target = Target::check(&file.path, None).unwrap();
    fs::write(&file.path, "# new\nepochs: 3\nlr: 7\n").unwrap();
    let all = target.write(0.5).unwrap();
    assert_eq!(
        fs::read_to_string(&file.path).unwrap(),
        "# new\nepochs: 3\nlr: 0.5\n"
    );
    let shown: Vec<_> = all
        .iter()
        .map(|one| {
            (
                one.field.as_str(),
                one.value.as_str(),
                one.before.as_deref(),
            )
        })
        .collect();
    assert_eq!(shown, [("epochs", "3", None), ("lr", "0.5", Some("7"))]);

    fs::write(&file.path, "epochs: 3\n").unwrap();
    assert!(target.write(0.5).is_err());
    assert_eq!(fs::read_to_string(&file.path).unwrap(), "epochs: 3\n");
}

#[test]
fn what_is_no_learning_rate_is_never_written() {
    let file = file("h.yaml", "lr: 1\n");
    let target = Target::check(&file.path, None).unwrap();
    for lr in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        assert!(target.write(lr).is_err());
    }
    assert_eq!(fs::read_to_string(&file.path).unwrap(), "lr: 1\n");
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let file = file("h.yaml", "lr: 1\n");
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = file.path.with_file_name("link.yaml");
    symlink("h.yaml", &link).unwrap();
    Target::check(&link, None).unwrap().write(0.5).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file.path).unwrap(), "lr: 0.5\n");
    assert_eq!(
        fs::metadata(&file.path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    let left: Vec<_> = fs::read_dir(file.path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 2, "a temporary file is left: {left:?}");
}

#[test]
fn a_read_only_file_is_refused_before_anything_runs() {
    let file = file("h.yaml", "lr: 1\n");
    let mut permissions = fs::metadata(&file.path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file.path, permissions).unwrap();
    let error = Target::check(&file.path, None).unwrap_err();
    assert_eq!(error.code, Code::HparamsReplace);
    assert!(error.message.contains("read-only"), "{error}");
}

/// YAML 1.1's pattern of a float, as PyYAML has it (without infinities and base 60).
fn is_float_in_yaml_1_1(text: &str) -> bool {
    let (mantissa, exponent) = text
        .split_once('e')
        .map_or((text, None), |(m, e)| (m, Some(e)));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let whole = mantissa
        .split_once('.')
        .is_some_and(|(a, b)| digits(a) && digits(b));
    let signed = exponent.is_none_or(|e| e.strip_prefix(['-', '+']).is_some_and(digits));
    whole && signed
}

/// Documents with exactly one field `target.lr` among others.
fn document() -> impl Strategy<Value = (String, String)> {
    let scalar = prop_oneof![
        "[0-9]{1,4}",
        "[0-9]\\.[0-9]{1,3}e-[0-9]",
        "\"[a-z #:,]{0,6}\"",
        Just("true".to_owned()),
    ];
    let others = prop::collection::vec(("[a-d]{3}", scalar), 0..6);
    (others, "[0-9]{1,2}\\.[0-9]{1,6}", any::<bool>()).prop_map(|(others, lr, crlf)| {
        let mut others = others;
        others.sort();
        others.dedup_by(|one, other| one.0 == other.0);
        let end = if crlf { "\r\n" } else { "\n" };
        let half = others.len() / 2;
        let line = |(key, value): &(String, String)| format!("{key}: {value} # c{end}");
        let first: String = others[..half].iter().map(line).collect();
        let inner: String = others[half..]
            .iter()
            .map(|other| format!("  {}", line(other)))
            .collect();
        (format!("{first}target:{end}{inner}  lr: {lr} # é{end}"), lr)
    })
}

proptest! {
    #[test]
    fn any_learning_rate_is_read_back_as_the_same_number(lr in 1e-300f64..1e300, exponent in -40i32..10) {
        for lr in [lr, lr.log10().abs().max(0.1) * 10f64.powi(exponent)] {
            let text = number(lr);
            prop_assert!(is_float_in_yaml_1_1(&text), "{}", text);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), lr.to_bits());
        }
    }

    #[test]
    fn an_edit_changes_one_value_and_nothing_else((text, lr) in document(), value in 1e-9f64..10.0) {
        let file = file("h.yaml", &text);
        let target = Target::check(&file.path, Some("target.lr")).unwrap();
        let all = target.write(value).unwrap();
        let after = fs::read_to_string(&file.path).unwrap();
        let expected = text.replace(&format!("  lr: {lr} #"), &format!("  lr: {} #", number(value)));
        prop_assert_eq!(&after, &expected);
        let changed: Vec<_> = all.iter().filter(|one| one.before.is_some()).collect();
        prop_assert_eq!(changed.len(), 1);
        prop_assert_eq!(changed[0].before.as_deref(), Some(lr.as_str()));
    }

    #[test]
    fn no_text_makes_it_panic(text in "((lr|a|<<)[:=] ?|&x|\\*x|[0-9.\\[\\]{},'\"# \n-]){0,30}", name in "(h\\.yaml|h\\.toml|h\\.json)") {
        let file = file(&name, &text);
        if let Ok(target) = Target::check(&file.path, Some("lr")) {
            target.write(0.5).unwrap();
        }
    }
}
