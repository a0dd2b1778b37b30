use super::samples;
use crate::plot::{png, svg};

/// Set it to a folder to look at the pictures.
const GALLERY: &str = "RANGEFINDER_GALLERY";

#[test]
fn every_document_has_a_picture_of_1600_by_1000_pixels() {
    for (name, sample) in samples::all() {
        let svg = svg(&sample.document());
        let png = png(&svg).unwrap();
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n", "{name}");
        assert_eq!(
            (png[16..20].to_vec(), png[20..24].to_vec()),
            (
                1600u32.to_be_bytes().to_vec(),
                1000u32.to_be_bytes().to_vec()
            )
        );
        if let Some(folder) = std::env::var_os(GALLERY) {
            std::fs::write(
                std::path::Path::new(&folder).join(format!("{name}.png")),
                &png,
            )
            .unwrap();
            std::fs::write(
                std::path::Path::new(&folder).join(format!("{name}.svg")),
                &svg,
            )
            .unwrap();
        }
    }
}
