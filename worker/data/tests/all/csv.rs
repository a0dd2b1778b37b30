//! Tables.

use crate::common::{elements, fixture, source};
use rangefinder_data::{DataError, Dataset, Dtype, Source, load, load_like};
use rangefinder_errors::Code;

fn of(path: &std::path::Path, column: &str, kind: &str) -> Source {
    Source {
        target_column: column.to_owned(),
        target_type: kind.to_owned(),
        ..source(path)
    }
}

fn table(content: &str, column: &str, kind: &str) -> Result<Dataset, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, content).unwrap();
    load(&of(&path, column, kind))
}

fn labels(dataset: &Dataset) -> Vec<i64> {
    assert_eq!(dataset.targets().dtype(), Dtype::I64);
    assert_eq!(dataset.targets().shape().len(), 1);
    elements(dataset.targets(), i64::from_le_bytes)
}

#[test]
fn all_columns_but_the_target_are_inputs_and_text_is_numbered_in_sorted_order() {
    let dataset = load(&of(&fixture("flowers.csv"), "species", "")).unwrap();
    let [inputs] = dataset.inputs() else {
        panic!("{dataset:?}")
    };
    assert_eq!((inputs.dtype(), inputs.shape()), (Dtype::F32, &[4, 2][..]));
    assert_eq!(
        elements(inputs, f32::from_le_bytes),
        [1.5, 2.0, -1e-3, 3.0, 0.0, 4.0, 0.5, 100.0]
    );
    assert_eq!(labels(&dataset), [2, 0, 1, 0]);
}

#[test]
fn integers_are_numbered_by_their_value_whatever_byte_order_mark_comes_first() {
    let dataset = load(&of(&fixture("grades.csv"), "grade", "categorical")).unwrap();
    assert_eq!(labels(&dataset), [2, 1, 0, 1]);
    let dataset = table("x,y\n1,07\n1,7\n1,10\n", "y", "").unwrap();
    assert_eq!(labels(&dataset), [0, 0, 1]);
    let dataset = table("x,y\n1,9\n1,10\n1,ten\n", "y", "").unwrap();
    assert_eq!(labels(&dataset), [1, 0, 2]);
}

#[test]
fn a_numeric_target_is_one_output() {
    let dataset = load(&of(&fixture("flowers.csv"), "length, cm", "numeric"));
    let error = dataset.unwrap_err();
    assert!(
        error
            .message
            .contains("`versicolor`, which is no number, in column `species`"),
        "{error}"
    );

    let dataset = load(&of(&fixture("grades.csv"), "grade", "numeric")).unwrap();
    assert_eq!(dataset.targets().dtype(), Dtype::F32);
    assert_eq!(dataset.targets().shape(), [4, 1]);
    assert_eq!(
        elements(dataset.targets(), f32::from_le_bytes),
        [10.0, 9.0, -2.0, 9.0]
    );
}

#[test]
fn a_cell_that_is_no_number_is_named_by_column_row_and_line() {
    // A quoted cell over two lines: row and line differ.
    let content = "a,\"b\nc\",y\n1,2,0\n1,oops,1\n";
    let error = table(content, "y", "").unwrap_err();
    assert_eq!(error.field, "data");
    assert!(
        error
            .message
            .contains("`oops`, which is no number, in column `b\\nc`, row 2 (line 4)"),
        "{error}"
    );
    for (cell, what) in [
        ("", "an empty cell"),
        (" ", "an empty cell"),
        ("1,5", "4 cells in row 1 (line 2), where the header has 3"),
    ] {
        let error = table(&format!("a,b,y\n1,{cell},0\n"), "y", "").unwrap_err();
        assert_eq!(error.code, Code::TableRow);
        assert!(error.message.contains(what), "{error}");
    }
    let error = table("a,y\n1,\n", "y", "").unwrap_err();
    assert!(
        error
            .message
            .contains("an empty cell in column `y`, row 1 (line 2)"),
        "{error}"
    );
    let dataset = table("a,y\nNaN,1\n-inf,0\n 3 , 1 \n", "y", "").unwrap();
    let inputs = elements(&dataset.inputs()[0], f32::from_le_bytes);
    assert!(inputs[0].is_nan());
    assert_eq!(inputs[1..], [f32::NEG_INFINITY, 3.0]);
    assert_eq!(labels(&dataset), [1, 0, 1]);
}

#[test]
fn the_target_must_be_one_column_beside_others() {
    let error = table("width,length,species\n1,2,a\n", "spezies", "").unwrap_err();
    assert_eq!(error.field, "target_column");
    assert!(
        error.message.contains("`length`, `species`, `width`"),
        "{error}"
    );
    assert!(error.remedy.contains("did you mean `species`?"), "{error}");
    assert_eq!(error.code, Code::NoSuchArray);
    let error = table("y\n1\n", "y", "").unwrap_err();
    assert_eq!(error.code, Code::TableHeader);
    assert!(error.message.contains("no column but `y`"), "{error}");
    let error = table("a,y\n", "y", "").unwrap_err();
    assert!(error.message.contains("a header and no rows"), "{error}");
    let error = table("a,y\n1,2\n", "", "").unwrap_err();
    assert_eq!(error.field, "target_column");
    let error = table("a,y\n1,2\n", "y", "real").unwrap_err();
    assert_eq!(error.field, "target_type");
}

#[test]
fn data_to_evaluate_on_has_the_classes_of_the_data_to_train_on() {
    let folder = tempfile::tempdir().unwrap();
    let load_as = |content: &str| {
        let path = folder.path().join("eval.csv");
        std::fs::write(&path, content).unwrap();
        let training = table("a,y\n1,ant\n2,cat\n3,bee\n", "y", "").unwrap();
        load_like(&of(&path, "y", ""), &training)
    };
    assert_eq!(labels(&load_as("a,y\n1,cat\n").unwrap()), [2]);
    let error = load_as("a,y\n1,dog\n").unwrap_err();
    assert!(error.message.contains("the class `dog`"), "{error}");
    assert!(error.message.contains("row 1 (line 2)"), "{error}");
    let error = load_as("b,y\n1,cat\n").unwrap_err();
    assert!(
        error
            .message
            .contains("has the column `b` where the data to train on has `a`"),
        "{error}"
    );
    let error = load_as("a,b,y\n1,2,cat\n").unwrap_err();
    assert!(
        error
            .message
            .contains("has 3 columns, where the data to train on has 2"),
        "{error}"
    );
}

#[test]
fn an_integer_to_evaluate_on_is_the_class_of_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eval.csv");
    std::fs::write(&path, "a,y\n1,010\n1,9\n").unwrap();
    let training = table("a,y\n1,9\n1,10\n", "y", "").unwrap();
    assert_eq!(
        labels(&load_like(&of(&path, "y", ""), &training).unwrap()),
        [1, 0]
    );
}

#[test]
fn cells_and_ends_of_lines_are_read_as_rfc_4180_has_them() {
    for end in ["\n", "\r\n", "\r"] {
        for last in ["", end] {
            let content =
                ["\u{feff}\"a\",y", "\"1\",\"x \"\"y\"\", z\"", "2,plain"].join(end) + last;
            let dataset = table(&content, "y", "").unwrap();
            assert_eq!(
                elements(&dataset.inputs()[0], f32::from_le_bytes),
                [1.0, 2.0]
            );
            assert_eq!(labels(&dataset), [1, 0], "{content:?}");
        }
    }
}

#[test]
fn the_line_of_a_row_is_right_after_empty_lines_and_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["", "a,y", "1,0", "", "", "\"2", "\",0", "oops,1"];
        let error = table(&lines.join(end), "y", "").unwrap_err();
        assert!(error.message.contains("row 3 (line 8)"), "{end:?}: {error}");
        let error = table(&["a,y", "1,0", "", "1"].join(end), "y", "").unwrap_err();
        assert!(
            error.message.contains("1 cells in row 2 (line 4)"),
            "{end:?}: {error}"
        );
    }
}

#[test]
fn a_quote_that_is_never_closed_is_named_with_its_line() {
    for (content, line) in [
        ("a,y\n1,\"2\n3,4\n", 2),
        ("a,y\n1,2\n\n\"3,4", 4),
        ("a,y\n1,\"2\"\"", 2),
        ("\"a,y\n1,2\n", 1),
    ] {
        let error = table(content, "y", "").unwrap_err();
        let what = format!("a quote that is never closed in the row that begins on line {line}");
        assert!(error.message.contains(&what), "{content:?}: {error}");
    }
    let dataset = table("a,y\n1,5\" or \"\"6\"", "y", "").unwrap();
    assert_eq!(dataset.samples(), 1);
}

#[test]
fn a_column_without_a_name_of_its_own_is_refused() {
    let error = table(",a,y\n0,1,2\n", "y", "").unwrap_err();
    assert!(
        error
            .message
            .contains("no name for its column 1 in the header (line 1)"),
        "{error}"
    );
    assert!(error.remedy.contains("index=False"), "{error}");
    let error = table("y,b,y,a\n0,1,2,3\n", "y", "").unwrap_err();
    assert!(
        error
            .message
            .contains("has the name `y` for column 1 and column 3"),
        "{error}"
    );
    for content in ["\n", "\u{feff}", "\r\n\r\n"] {
        let error = table(content, "y", "").unwrap_err();
        assert!(error.message.contains("has no header"), "{error}");
    }
}

#[test]
fn a_class_that_is_missing_or_no_text_and_a_number_beyond_float32_are_named() {
    for (cell, what) in [
        ("nan", "a missing class (NaN) in column `y`, row 2 (line 3)"),
        ("NaN", "a missing class (NaN)"),
        ("", "an empty cell"),
    ] {
        let error = table(&format!("a,y\n1,0\n1,{cell}\n"), "y", "").unwrap_err();
        assert!(error.message.contains(what), "{error}");
    }
    let error = table("a,y\n-1e39,0\n", "y", "").unwrap_err();
    assert!(
        error
            .message
            .contains("`-1e39`, which is too large for float32, in column `a`"),
        "{error}"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin1.csv");
    std::fs::write(&path, b"a,y\n1,\xe9\n").unwrap();
    let error = load(&of(&path, "y", "")).unwrap_err();
    assert!(
        error
            .message
            .contains("not UTF-8 in column `y`, row 1 (line 2)"),
        "{error}"
    );
}

#[test]
fn numeric_targets_may_be_nan_like_other_numbers() {
    let dataset = table("a,y\n1,nan\n1,-2.5\n", "y", "numeric").unwrap();
    let targets = elements(dataset.targets(), f32::from_le_bytes);
    assert!(targets[0].is_nan());
    assert_eq!(targets[1], -2.5);
}

#[test]
fn numbers_with_fractions_are_no_classes_and_text_is_no_number() {
    let error = table("a,y\n1,0.5\n2,7\n3,2.25\n", "y", "").unwrap_err();
    assert!(
        error
            .message
            .contains("fractions in the target column, such as `0.5`"),
        "{error}"
    );
    assert_eq!(error.code, Code::LossAndTargets);
    assert!(error.remedy.contains("mse"), "{error}");
    // Whole numbers, as pandas writes them where some are missing, and versions are classes.
    for column in ["1.0,2.0,10.0", "1.0,1.1,1.2b"] {
        let rows: String = column.split(',').map(|y| format!("1,{y}\n")).collect();
        assert_eq!(
            labels(&table(&format!("a,y\n{rows}"), "y", "").unwrap()).len(),
            3
        );
    }
    let error = table("a,y\n1,blue\n", "y", "numeric").unwrap_err();
    assert!(
        error.message.contains("`blue`, which is no number,"),
        "{error}"
    );
    assert!(error.remedy.contains("cross_entropy"), "{error}");
}
