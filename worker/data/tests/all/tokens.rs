//! Streams of tokens.

use crate::common::{elements, fixture, source};
use rangefinder_data::{DataError, Dataset, Dtype, Source, load};
use rangefinder_errors::Code;

fn stream(name: &str, dtype: &str, context: u32) -> Result<Dataset, DataError> {
    load(&Source {
        token_dtype: dtype.to_owned(),
        context,
        ..source(&fixture(name))
    })
}

#[test]
fn targets_are_the_tokens_that_follow_and_each_is_predicted_once() {
    let dataset = stream("tokens_u16.bin", "u16", 3).unwrap();
    assert_eq!(dataset.samples(), 3);
    let [inputs] = dataset.inputs() else {
        panic!("{dataset:?}")
    };
    assert_eq!((inputs.shape(), inputs.dtype()), (&[3, 3][..], Dtype::U16));
    let tokens = |range: std::ops::Range<u16>| range.map(|n| n * 7_000).collect::<Vec<_>>();
    assert_eq!(elements(inputs, u16::from_le_bytes), tokens(0..9));
    let targets = dataset.targets();
    assert_eq!(
        (targets.shape(), targets.dtype()),
        (&[3, 3][..], Dtype::U16)
    );
    assert_eq!(elements(targets, u16::from_le_bytes), tokens(1..10));
}

#[test]
fn what_is_too_short_for_a_sample_is_left_out() {
    let dataset = stream("tokens_u32.bin", "u32", 4).unwrap();
    assert_eq!(dataset.inputs()[0].shape(), [2, 4]);
    let targets = elements(dataset.targets(), u32::from_le_bytes);
    assert_eq!(
        targets,
        (1..9).map(|n| n * 400_000_000).collect::<Vec<u32>>()
    );
    assert_eq!(stream("tokens_u32.bin", "u32", 9).unwrap().samples(), 1);
}

#[test]
fn u16_and_256_tokens_are_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.bin");
    std::fs::write(&path, vec![7; 2 * 513]).unwrap();
    let dataset = load(&source(&path)).unwrap();
    assert_eq!(dataset.inputs()[0].shape(), [2, 256]);
    assert_eq!(dataset.inputs()[0].dtype(), Dtype::U16);
}

#[test]
fn inputs_and_targets_share_the_memory_of_the_file() {
    let dataset = stream("tokens_u16.bin", "u16", 3).unwrap();
    let inputs = dataset.inputs()[0].parts()[0].bytes().as_ptr().addr();
    let targets = dataset.targets().parts()[0].bytes().as_ptr().addr();
    assert_eq!(targets, inputs + 2);
}

#[test]
fn a_stream_that_does_not_fit_is_named_with_the_remedy() {
    let error = stream("tokens_u16.bin", "u16", 10).unwrap_err();
    assert!(
        error
            .message
            .contains("has 10 tokens, but a sample of `context` 10"),
        "{error}"
    );
    assert_eq!(error.code, Code::Tokens);
    assert!(error.remedy.contains("smaller `context`"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.bin");
    std::fs::write(&path, [1; 11]).unwrap();
    let error = load(&source(&path)).unwrap_err();
    assert!(
        error.message.contains("ends within a token: its 11 bytes"),
        "{error}"
    );
    assert!(error.remedy.contains("`token_dtype`"), "{error}");

    let error = stream("tokens_u16.bin", "i64", 3).unwrap_err();
    assert_eq!(error.field, "token_dtype");
}

#[test]
fn labels_are_found_where_they_lie() {
    let dataset = stream("tokens_u16.bin", "u16", 3).unwrap();
    let labels = dataset.targets().labels(-100).unwrap();
    assert_eq!((labels.smallest, labels.largest), (7_000, 63_000));
    assert_eq!(dataset.targets().labels(7_000).unwrap().smallest, 14_000);
    let outside = dataset.targets().first_outside(&(0..40_000), -100).unwrap();
    assert_eq!((outside.sample, outside.label), (1, 42_000));
    assert_eq!(dataset.targets().first_outside(&(0..63_001), -100), None);
    assert_eq!(dataset.targets().first_outside(&(0..63_000), 63_000), None);
}
