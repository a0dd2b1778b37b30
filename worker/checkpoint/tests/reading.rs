//! Files as PyTorch writes them, and files that lie.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rangefinder_checkpoint::{OptimizerState, Remembered, StoredTensor, Weights};
use rangefinder_data::Dtype;
use rangefinder_errors::Code;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn floats(tensor: &StoredTensor) -> Vec<f32> {
    assert_eq!(tensor.dtype, Dtype::F32);
    let chunks = tensor.bytes.chunks_exact(4);
    chunks
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

fn named(file: &str) -> Vec<(String, StoredTensor)> {
    let mut weights = Weights::open(&fixture(file)).unwrap();
    let names: Vec<String> = weights
        .shapes()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let tensors = names.into_iter().enumerate();
    tensors
        .map(|(place, name)| (name, weights.tensor(place).unwrap().unwrap()))
        .collect()
}

#[test]
fn a_state_dict_and_its_safetensors_hold_the_same_tensors() {
    let (mut torch, mut safe) = (named("state.pt"), named("state.safetensors"));
    torch.sort_by(|a, b| a.0.cmp(&b.0));
    safe.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(torch, safe);
    assert_eq!(torch.len(), 6);
}

#[test]
fn transposed_tensors_and_views_come_in_their_own_order() {
    let tensors = named("state.pt");
    let find = |name: &str| &tensors.iter().find(|(found, _)| found == name).unwrap().1;
    assert_eq!(find("transposed").shape, [6, 4]);
    assert_eq!(floats(find("transposed"))[..5], [0.0, 6.0, 12.0, 18.0, 1.0]);
    assert_eq!(floats(find("view")), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
    assert_eq!(find("count").number(), Some(7.0));
    assert_eq!(find("empty").shape, [0, 3]);
}

#[test]
fn the_length_of_a_files_name_does_not_matter() {
    let name = "twenty_one_characters.pt";
    assert_eq!(name.len(), 21 + ".pt".len());
    let tensors = named(name);
    assert_eq!(tensors.len(), 1);
    assert_eq!(tensors[0].1.number(), Some(3.0));
}

#[test]
fn what_an_optimizer_remembers_is_read_in_the_order_of_its_parameters() {
    let state = OptimizerState::open(&fixture("adamw.pt")).unwrap();
    let [group] = state.groups.as_slice() else {
        panic!("{state:?}")
    };
    assert_eq!(group.len(), 5);
    let entries = |place: usize| {
        let names = group[place].entries.iter().map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>()
    };
    assert_eq!(entries(0), ["step", "exp_avg", "exp_avg_sq"]);
    assert!(entries(3).is_empty(), "a parameter without a gradient");
    let (_, Remembered::Tensor(step)) = &group[0].entries[0] else {
        panic!("{group:?}")
    };
    assert_eq!(step.number(), Some(2.0));
    let (_, Remembered::Tensor(average)) = &group[0].entries[1] else {
        panic!("{group:?}")
    };
    assert_eq!(average.shape, [3, 2]);

    let sgd = OptimizerState::open(&fixture("sgd.pt")).unwrap();
    assert_eq!(sgd.groups[0][1].entries[0].0, "momentum_buffer");
}

#[test]
fn groups_and_names_of_parameters_are_kept() {
    let state = OptimizerState::open(&fixture("named.pt")).unwrap();
    let names: Vec<Vec<_>> = state
        .groups
        .iter()
        .map(|group| group.iter().filter_map(|p| p.name.as_deref()).collect())
        .collect();
    assert_eq!(names, [vec!["a.weight", "a.bias"], vec!["b.weight"]]);
}

#[test]
fn a_file_that_calls_for_code_is_refused_by_the_name_of_what_it_calls() {
    let error = Weights::open(&fixture("evil.pt")).unwrap_err();
    assert!(error.message.contains("system"), "{error}");
    assert!(error.message.contains("never run"), "{error}");
}

#[test]
fn other_files_are_told_from_state_dicts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (path, code, part) in [
        (
            folder.path().join("none.pt"),
            Code::NoSuchFile,
            "cannot be read",
        ),
        (
            folder.path().to_path_buf(),
            Code::NotAFile,
            "not a regular file",
        ),
        (
            write("empty.pt", b""),
            Code::CheckpointKind,
            "does not begin with PK",
        ),
        (
            write("a.safetensors", b"12345678{}"),
            Code::Damaged,
            "safetensors",
        ),
        (
            write("old.pt", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P"),
            Code::CheckpointKind,
            "before PyTorch 1.6",
        ),
        (
            fixture("adamw.pt"),
            Code::CheckpointKind,
            "entries that are not tensors: `state`, `param_groups`",
        ),
        (
            fixture("../../../tests/fixtures/mlp.pt"),
            Code::CheckpointKind,
            "TorchScript",
        ),
    ] {
        let error = Weights::open(&path).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
        assert!(!error.remedy.is_empty());
    }
    let error = OptimizerState::open(&fixture("state.pt")).unwrap_err();
    assert!(error.message.contains("optimizer's state"), "{error}");
}

/// All that can be read of a file.
fn read_all(path: &Path) {
    if let Ok(mut weights) = Weights::open(path) {
        for place in 0..weights.shapes().len() {
            let _ = weights.tensor(place);
        }
    }
    let _ = OptimizerState::open(path);
}

proptest! {
    #[test]
    fn a_damaged_file_ends_in_an_error_or_in_tensors_but_never_in_a_panic(
        file in prop::sample::select(vec!["state.pt", "adamw.pt", "state.safetensors"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(fixture(file)).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::write(&path, bytes).unwrap();
        read_all(&path);
    }
}
