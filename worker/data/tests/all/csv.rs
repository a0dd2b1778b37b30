//! Tables.

use crate::common::{elements, fixture, source};
use rangefinder_data::{DataError, Dataset, Dtype, Source, load, load_like};

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
        ("1,5", "4 columns in line 2"),
    ] {
        let error = table(&format!("a,b,y\n1,{cell},0\n"), "y", "").unwrap_err();
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
    let error = table("a,y,y\n1,2,3\n", "y", "").unwrap_err();
    assert_eq!(error.field, "target_column");
    assert!(error.message.contains("several columns `y`"), "{error}");
    let error = table("y\n1\n", "y", "").unwrap_err();
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
    assert!(error.message.contains("other columns"), "{error}");
}
