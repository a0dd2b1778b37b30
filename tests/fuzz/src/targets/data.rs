//! Files of samples: each gives a sound dataset or an error.

use super::File;
use rangefinder_data::{Dataset, Source, load, load_like};
use std::path::Path;

pub(super) fn npz(input: &[u8]) -> bool {
    check(&File::new("f.npz", input), |_| {})
}

pub(super) fn safetensors(input: &[u8]) -> bool {
    check(&File::new("f.safetensors", input), |_| {})
}

/// Inputs and targets are the same file.
pub(super) fn npy(input: &[u8]) -> bool {
    let file = File::new("f.npy", input);
    check(&file, |source| source.targets = text(file.path()))
}

/// The same; with gzip where the file says so itself.
pub(super) fn idx(input: &[u8]) -> bool {
    let file = File::new("f.idx", input);
    check(&file, |source| source.targets = text(file.path()))
}

/// The first byte chooses the type and the length of a sample.
pub(super) fn tokens(input: &[u8]) -> bool {
    let Some((choice, input)) = input.split_first() else {
        return false;
    };
    check(&File::new("f.bin", input), |source| {
        source.context = u32::from(choice >> 1) + 1;
        source.token_dtype = ["u16", "u32"][usize::from(choice & 1)].to_owned();
    })
}

/// The column `y` is the target, of classes and of numbers.
pub(super) fn csv(input: &[u8]) -> bool {
    let file = File::new("f.csv", input);
    let read = ["categorical", "numeric"].map(|target| {
        check(&file, |source| {
            source.target_column = "y".to_owned();
            source.target_type = target.to_owned();
        })
    });
    read.contains(&true)
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn check(file: &File, options: impl Fn(&mut Source)) -> bool {
    let mut source = Source {
        source: text(file.path()),
        ..Source::default()
    };
    options(&mut source);
    let Ok(dataset) = load(&source) else {
        return false;
    };
    sound(&dataset);
    let again = load_like(&source, &dataset).expect("the same data");
    assert_eq!(again.samples(), dataset.samples());
    let targets = |dataset: &Dataset| dataset.targets().parts()[0].bytes().clone();
    assert_eq!(targets(&again), targets(&dataset));
    true
}

/// Every column has as many samples, and as many aligned bytes as its shape needs.
fn sound(dataset: &Dataset) {
    assert!(dataset.samples() > 0 && !dataset.inputs().is_empty());
    for column in dataset.inputs().iter().chain([dataset.targets()]) {
        assert_eq!(column.shape()[0] as u64, dataset.samples());
        for array in column.parts() {
            let elements: usize = array.shape().iter().product();
            assert_eq!(array.bytes().len(), elements * array.dtype().size());
            let address = array.bytes().as_ptr().addr();
            assert!(address.is_multiple_of(array.dtype().size()));
        }
        let last = column.shape()[0] - 1;
        assert!(column.locate(last).is_some() && column.locate(last + 1).is_none());
        if let Some(labels) = column.labels(-100) {
            assert!(labels.smallest <= labels.largest);
            let valid = labels.smallest..labels.largest.saturating_add(1);
            let outside = column.first_outside(&valid, -100);
            assert!(outside.is_none() || labels.largest == i64::MAX);
        }
    }
}
