//! Files of `.npy` made by hand. Also a part of the tests of memory.

/// A file of version 1 of this header, without elements.
pub fn npy(header: &str) -> Vec<u8> {
    let mut content = b"\x93NUMPY\x01\x00".to_vec();
    content.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
    content.extend_from_slice(header.as_bytes());
    content
}
