//! `.npz`: arrays by name as `numpy.savez` and `numpy.savez_compressed` save them, a zip file with a
//! `.npy` for each.

use rangefinder_errors::Code;
use std::io::Cursor;

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::inflate::inflate;
use super::npy;
use crate::dataset::{Found, Missing};
use crate::error::Defect;
use crate::memory::AlignedBytes;
use crate::names::Names;

/// What `numpy.savez` appends to the name of an array.
const SUFFIX: &str = ".npy";

/// Reads the arrays of these names. An array that is named twice is read once.
///
/// # Errors
/// When the bytes are not a zip file.
pub(crate) fn read(bytes: &[u8], keys: &[&str]) -> Result<Vec<Found>, Defect> {
    if !bytes.starts_with(b"PK") {
        return Err(Defect::new(
            Code::NotThatFormat,
            "is not a .npz file: it does not begin with PK",
            "save the arrays with numpy.savez(path, inputs=x, targets=y)",
        ));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        Defect::damaged(format!(
            "has a damaged table of contents within its {} bytes: {error}",
            bytes.len()
        ))
    })?;
    let mut found: Vec<Found> = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let before = keys[..index].iter().position(|earlier| earlier == key);
        let again = before.and_then(|before| found[before].as_ref().ok().cloned());
        found.push(match again {
            Some(array) => Ok(array),
            None => member(&mut archive, bytes.len() as u64, key),
        });
    }
    Ok(found)
}

fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, length: u64, key: &str) -> Found {
    let Some(index) = archive.index_for_name(&format!("{key}{SUFFIX}")) else {
        let names = archive
            .file_names()
            .filter_map(|name| Some(name.ok()?.strip_suffix(SUFFIX)?.to_owned()));
        return Err(Missing::Absent(Names::sorted(names)));
    };
    let member = archive
        .by_index(index)
        .map_err(|error| Missing::Unfit(unreadable(&error)))?;
    unpack(member, length)
        .and_then(|bytes| npy::read(key, &bytes.into()))
        .map_err(Missing::Unfit)
}

/// Unpacks a member of an archive of `length` bytes.
fn unpack(member: ZipFile<Cursor<&[u8]>>, length: u64) -> Result<AlignedBytes, Defect> {
    let (claimed, compressed) = (member.size(), member.compressed_size());
    if compressed > length {
        return Err(Defect::damaged(format!(
            "claims {compressed} bytes of a file of {length}"
        )));
    }
    inflate(
        member,
        claimed,
        compressed,
        "save it uncompressed with numpy.savez",
    )
}

fn unreadable(error: &ZipError) -> Defect {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            Defect::new(
                Code::NotThatFormat,
                format!("cannot be unpacked: {error}"),
                "save it with numpy.savez or numpy.savez_compressed",
            )
        }
        _ => Defect::damaged(format!("cannot be unpacked: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A zip file of one member.
    fn archive(name: &str, content: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().into_inner()
    }

    /// Writes `value` over each claim of the size of the member's content.
    fn claim_size(archive: &mut [u8], value: u32) {
        for (signature, offset) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
            let at = archive.windows(4).position(|w| w == signature).unwrap() + offset;
            archive[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
    }

    fn defect(bytes: &[u8]) -> Defect {
        match read(bytes, &["inputs"]).unwrap().remove(0).unwrap_err() {
            Missing::Unfit(defect) => defect,
            Missing::Absent(names) => panic!("{names} alone"),
        }
    }

    /// A file of two arrays whose names have this many characters, as `numpy.savez` writes it: with the
    /// sizes of large members.
    fn two_arrays(length: usize) -> Vec<u8> {
        let npy = npy_of_one_byte();
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(true);
        for first in ["x", "y"] {
            let name = first.repeat(length);
            writer
                .start_file(format!("{name}{SUFFIX}"), options)
                .unwrap();
            writer.write_all(&npy).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// The same with the table of contents of a file of more than 4 GiB.
    fn as_if_large(mut archive: Vec<u8>) -> Vec<u8> {
        let end = archive.len() - 22;
        let number = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap());
        let (size, offset) = (u64::from(number(end + 12)), u64::from(number(end + 16)));
        let members = 2_u64.to_le_bytes();
        // The record of the table, and the place of that record.
        let mut large = b"PK\x06\x06".to_vec();
        large.extend(44_u64.to_le_bytes());
        large.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        large.extend([members, members, size.to_le_bytes(), offset.to_le_bytes()].concat());
        large.extend(b"PK\x06\x07\0\0\0\0");
        large.extend((end as u64).to_le_bytes());
        large.extend(1_u32.to_le_bytes());
        archive[end + 16..end + 20].fill(0xff);
        archive.splice(end..end, large);
        archive
    }

    fn npy_of_one_byte() -> Vec<u8> {
        let mut header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }".to_owned();
        while !(10 + header.len() + 1).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [
            b"\x93NUMPY\x01\x00",
            length.as_slice(),
            header.as_bytes(),
            &[7],
        ]
        .concat()
    }

    #[test]
    fn names_may_have_any_length() {
        for length in 1..100 {
            let (first, second) = ("x".repeat(length), "y".repeat(length));
            for archive in [two_arrays(length), as_if_large(two_arrays(length))] {
                let found = read(&archive, &[&first, &second]).unwrap();
                assert_eq!(found.len(), 2);
                for array in found {
                    assert_eq!(array.expect(&first).bytes().as_ref(), [7]);
                }
            }
        }
    }

    #[test]
    fn an_array_that_inflates_beyond_reason_is_refused_before_it_is_inflated() {
        let mut bytes = archive("inputs.npy", &[0; 4096], zip::CompressionMethod::Deflated);
        claim_size(&mut bytes, 3 << 30);
        let defect = defect(&bytes);
        assert!(defect.message.contains("claims to hold 3221225472 bytes"));
        assert!(defect.remedy.contains("numpy.savez"));
    }

    #[test]
    fn a_false_claim_of_size_is_found_where_the_data_end() {
        let mut bytes = archive("inputs.npy", &[7; 4096], zip::CompressionMethod::Deflated);
        claim_size(&mut bytes, 1 << 30);
        let message = defect(&bytes).message;
        assert!(
            message.contains("ends after 4096 bytes where 1073741824"),
            "{message}"
        );
    }

    #[test]
    fn a_changed_byte_of_an_array_is_found_by_its_check_sum() {
        for method in [
            zip::CompressionMethod::Stored,
            zip::CompressionMethod::Deflated,
        ] {
            let content: Vec<u8> = (0..=255).collect();
            let mut bytes = archive("inputs.npy", &content, method);
            bytes[30 + "inputs.npy".len() + 100] ^= 1;
            let message = defect(&bytes).message;
            assert!(
                message.contains("cannot be unpacked past byte"),
                "{message}"
            );
        }
    }
}
