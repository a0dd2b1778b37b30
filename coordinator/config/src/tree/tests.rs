use super::*;
use proptest::prelude::*;

fn shown(format: Format, text: &str) -> Vec<(String, String, Value)> {
    fn walk(text: &str, path: &str, node: &Node, out: &mut Vec<(String, String, Value)>) {
        let join = |key: &str| match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        match &node.value {
            Value::Map(entries) => entries
                .iter()
                .for_each(|entry| walk(text, &join(&entry.key), &entry.node, out)),
            Value::List(list) => (0..).zip(list).for_each(|(index, node): (usize, _)| {
                walk(text, &join(&index.to_string()), node, out)
            }),
            value => out.push((
                path.to_owned(),
                text[node.span.clone()].to_owned(),
                value.clone(),
            )),
        }
    }
    let mut out = Vec::new();
    walk(text, "", &parse(format, text).unwrap(), &mut out);
    out
}

fn spans(format: Format, text: &str) -> Vec<(String, String)> {
    shown(format, text)
        .into_iter()
        .map(|(path, text, _)| (path, text))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(one, other)| ((*one).to_owned(), (*other).to_owned()))
        .collect()
}

#[test]
fn every_value_of_toml_knows_its_place() {
    let text = "\u{feff}# é\nlr = 1e-3 # why\r\n[a.b]\nc = [1, \"x\"]\nd = { e = 0x10 }\n[[t]]\nf = 1979-05-27\n";
    assert_eq!(
        spans(Format::Toml, text),
        pairs(&[
            ("lr", "1e-3"),
            ("a.b.c.0", "1"),
            ("a.b.c.1", "\"x\""),
            ("a.b.d.e", "0x10"),
            ("t.0.f", "1979-05-27"),
        ])
    );
}

#[test]
fn every_value_of_yaml_knows_its_place() {
    let text = "\u{feff}# é\n'lr': &x 1e-3 # why\r\na: {b: [1, \"x\"], c: *x}\nd:\n- e: é\n  f: !!float 2\ng:\n";
    assert_eq!(
        spans(Format::Yaml, text),
        pairs(&[
            ("lr", "1e-3"),
            ("a.b.0", "1"),
            ("a.b.1", "\"x\""),
            ("a.c", "*x"),
            ("d.0.e", "é"),
            ("d.0.f", "2"),
            ("g", ""),
        ])
    );
}

#[test]
fn every_value_of_json_knows_its_place() {
    let text = "\u{feff}{\"é\": \"\\u00e9\", \"lr\" : 1E-3,\r\n\"a\": [1, null, {\"b\": -0.50}]}";
    assert_eq!(
        spans(Format::Json, text),
        pairs(&[
            ("é", "\"\\u00e9\""),
            ("lr", "1E-3"),
            ("a.0", "1"),
            ("a.1", "null"),
            ("a.2.b", "-0.50"),
        ])
    );
}

#[test]
fn unquoted_words_of_yaml_are_what_yaml_1_2_says() {
    let value = |text: &str| shown(Format::Yaml, &format!("x: {text}\n"))[0].2.clone();
    assert_eq!(value("yes"), Value::Text("yes".into()));
    assert_eq!(value("1e-3"), Value::Float(1e-3));
    assert_eq!(value("-1.5"), Value::Float(-1.5));
    assert_eq!(value("+12"), Value::Integer(12));
    assert_eq!(value("0o17"), Value::Integer(15));
    assert_eq!(value("0xff"), Value::Integer(255));
    assert_eq!(value("-.inf"), Value::Float(f64::NEG_INFINITY));
    assert_eq!(value("inf"), Value::Text("inf".into()));
    assert_eq!(value("nan"), Value::Text("nan".into()));
    assert_eq!(value("'1'"), Value::Text("1".into()));
    assert_eq!(value("~"), Value::Null);
    assert_eq!(value("!mine 1"), Value::Other("1".into()));
    assert_eq!(value("12:30:45"), Value::Text("12:30:45".into()));
}

#[test]
fn merged_keys_are_there_and_own_ones_win() {
    let text = "base: &b {lr: 1, x: 2}\nrun:\n  <<: *b\n  lr: 3\n";
    assert_eq!(
        spans(Format::Yaml, text),
        pairs(&[
            ("base.lr", "1"),
            ("base.x", "2"),
            ("run.lr", "3"),
            ("run.x", "2")
        ])
    );
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    let error = |format, text| parse(format, text).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            error(Format::Toml, "a = 1\na = 2\n"),
            error(Format::Toml, "a = \n"),
            error(Format::Yaml, "a: 1\na: 2\n"),
            error(Format::Yaml, "a: [1\nb: 2\n"),
            error(Format::Yaml, "a: 1\n---\nb: 2\n"),
            error(Format::Yaml, "[a]: 1\n"),
            error(Format::Yaml, "a: *b\n"),
            error(Format::Json, "{\"a\": 1,\n \"a\": 2}"),
            error(Format::Json, "{\"a\": 1,}"),
            error(Format::Json, "{} // why"),
            error(Format::Json, ""),
        ]
        .join("\n")
    );
}

#[test]
fn aliases_of_aliases_are_refused_before_they_fill_the_memory() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = format!("*a{}", level - 1);
        text += &format!(
            "a{level}: &a{level} [{}]\n",
            [inner.as_str(); 10].join(", ")
        );
    }
    let error = parse(Format::Yaml, &text).unwrap_err();
    assert!(error.message.contains("too many values"), "{error}");
}

#[test]
fn aliases_of_aliases_nest_no_deeper_than_what_is_written() {
    let deep = |levels: usize| {
        let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        format!("a: &a {}\nb: {}\n", nested("1"), nested("*a"))
    };
    assert!(parse(Format::Yaml, &deep(127)).is_ok());
    let error = parse(Format::Yaml, &deep(128)).unwrap_err();
    assert!(error.message.contains("nested too deeply"), "{error}");
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    for (format, text) in [
        (
            Format::Toml,
            format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        ),
        (Format::Yaml, "[".repeat(100_000)),
        (Format::Yaml, "- ".repeat(100_000)),
        (Format::Json, "[".repeat(100_000)),
    ] {
        assert!(parse(format, &text).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_text_makes_a_parser_panic(text in "([a-c\"'#:&*!{}\\[\\], \\-=.|>%@0-9eé\r\n\t~<]|\u{feff}){0,60}") {
        for format in [Format::Toml, Format::Yaml, Format::Json] {
            let _ = parse(format, &text);
        }
    }

    #[test]
    fn places_are_within_the_text(text in "([a-b]: [0-9\\[\\]{},a'\" é]{0,6}\n){0,5}") {
        for format in [Format::Toml, Format::Yaml, Format::Json] {
            if parse(format, &text).is_ok() {
                shown(format, &text);
            }
        }
    }
}
