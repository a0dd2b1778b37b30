//! What the reader of pickles takes and refuses.

use super::*;
use proptest::prelude::*;

#[test]
fn an_object_that_is_named_again_is_the_same_one() {
    // {"a": x, "b": x} with x = [1], filled in after it was remembered.
    let pickle = Pickle::read(b"\x80\x02}(X\x01\0\0\0a]q\x01K\x01aX\x01\0\0\0bh\x01u.").unwrap();
    let Object::Dict(entries) = pickle.root() else {
        panic!("{pickle:?}")
    };
    assert_eq!(entries[0].1, entries[1].1);
    assert_eq!(
        pickle.get(entries[1].1),
        &Object::List(vec![entries[0].1 + 1])
    );
}

/// A tensor of as many dimensions.
fn tensor(dimensions: usize) -> Vec<u8> {
    let ones = [b"(".as_slice(), &b"K\x01".repeat(dimensions), b"t"].concat();
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n".as_slice(),
        b"X\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0",
        &ones,
        &ones,
        b"tR.",
    ]
    .concat()
}

#[test]
fn a_tensor_has_no_more_dimensions_than_pytorch_allows() {
    let pickle = Pickle::read(&tensor(64)).unwrap();
    assert!(matches!(pickle.root(), Object::Tensor(view) if view.shape == [1; 64]));
    assert!(Pickle::read(&tensor(65)).is_err());
}

#[test]
fn texts_are_no_longer_than_names() {
    let text = |length: u32| {
        let name = vec![b'k'; length as usize];
        [b"X", length.to_le_bytes().as_slice(), &name, b"."].concat()
    };
    assert!(Pickle::read(&text(1024)).is_ok());
    let error = Pickle::read(&text(1025)).unwrap_err();
    assert!(error.message.contains("a text of 1025 bytes"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(&b"()]}tsuaeqhcQRb.KXN\x85\x94\x8a"[..])], 0..200,
    )) {
        let _ = Pickle::read(&bytes);
    }
}
