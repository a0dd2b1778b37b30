//! sweep.json, curves from elsewhere, the log of a sweep.

use super::File;
use rangefinder_coordinator::cli;
use rangefinder_report::document::parse;
use rangefinder_report::{SweepDocument, plot, terminal};
use rangefinder_sweep::event::SweepEvent;

/// Columns of the terminal.
const WIDTH: usize = 80;

/// A document is written as it is read, and can be shown.
pub(super) fn document(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(document) = parse(text, "it") else {
        return false;
    };
    let written = document.to_json().expect("a document as JSON");
    let again = parse(&written, "it").expect("the same document");
    assert_eq!(again.to_json().expect("a document as JSON"), written);
    shown(&document);
    true
}

fn shown(document: &SweepDocument) {
    assert!(!terminal::summary(document, None, WIDTH, false).is_empty());
    assert!(plot::svg(document).ends_with("</svg>\n"));
}

/// A curve that can be read can be judged and shown.
pub(super) fn curve(input: &[u8]) -> bool {
    let file = File::new("curve", input);
    let Some(document) = cli::analyze(file.path()) else {
        return false;
    };
    shown(&document);
    document.to_json().expect("a document as JSON");
    true
}

/// A log, an event a line, is written as it is read.
pub(super) fn events(input: &[u8]) -> bool {
    let lines = input.split(|byte| *byte == b'\n');
    let events: serde_json::Result<Vec<SweepEvent>> = lines.map(serde_json::from_slice).collect();
    let Ok(events) = events else {
        return false;
    };
    for event in &events {
        let written = serde_json::to_string(event).expect("an event as JSON");
        let read: SweepEvent = serde_json::from_str(&written).expect("the same event");
        let again = serde_json::to_string(&read).expect("an event as JSON");
        assert_eq!(again, written);
    }
    true
}
