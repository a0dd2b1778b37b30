//! sweep.json, curves from elsewhere, the log of a sweep and what a restart makes of it.

use super::{File, worker_messages};
use rangefinder_coordinator::cli;
use rangefinder_report::document::parse;
use rangefinder_report::{SweepDocument, plot, terminal};
use rangefinder_sweep::event::SweepEvent;
use rangefinder_sweep::ids::LeaseToken;
use rangefinder_sweep::state::{Event, Logged, Options, State, Time};

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
    for shape in 0..worker_messages::SHAPES {
        rebuilt(&events, shape);
    }
    true
}

/// A coordinator that starts on such a log, of a sweep of some shape, goes on from it or says what
/// is wrong; and it makes the same of it twice. Whether it goes on.
pub(super) fn rebuilt(events: &[SweepEvent], shape: u8) -> bool {
    let Some(first) = events.first() else {
        return false;
    };
    let sweep = &first.sweep;
    let rebuild = || {
        let logged = Logged {
            sweep: sweep.clone(),
            request: worker_messages::request(shape),
            events: events.to_vec(),
        };
        State::rebuild(Options::default(), Time(0), LeaseToken(0), [logged])
    };
    let (Ok(mut one), Ok(other)) = (rebuild(), rebuild()) else {
        return false;
    };
    let durable = |state: &State| format!("{:?}", state.durable(sweep));
    assert_eq!(durable(&one), durable(&other));
    one.apply(one.now().after(1), Event::Tick);
    assert!(one.result(sweep).is_some());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_a_whole_sweep_is_gone_on_with() {
        let mut whole = 0;
        for log in worker_messages::logs() {
            let lines = log.split(|byte| *byte == b'\n');
            let events: Vec<SweepEvent> = lines
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
            whole += u8::from((0..worker_messages::SHAPES).any(|shape| rebuilt(&events, shape)));
        }
        assert_eq!(whole, worker_messages::SHAPES);
    }
}
