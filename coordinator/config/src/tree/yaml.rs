//! YAML, by the events of `granit-parser`. Aliases and merge keys are resolved: what stands where
//! the alias is written has the places of the anchor's value.

use super::{Entry, Node, SyntaxError, Value, push, scalar};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::collections::HashMap;
use std::ops::Range;

/// Values that aliases may multiply to: far more than any file of settings has.
const MOST_NODES: usize = 100_000;
/// Levels that values may be nested, aliases resolved: what is done with a tree recurses. Without
/// aliases the parser's own limit is the same.
const MOST_LEVELS: usize = 255;

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut builder = Builder {
        text,
        anchors: HashMap::new(),
        nodes: 0,
        level: 0,
    };
    let mut events =
        Parser::new_from_str(text).filter(|event| !matches!(event, Ok((Event::Comment(..), _))));
    let mut document = None;
    while let Some(event) = events.next() {
        let (event, span) = event.map_err(syntax)?;
        match event {
            Event::DocumentStart(..) if document.is_some() => {
                return Err(at(&span, "a second document begins; expected one only"));
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd => {}
            event => document = Some(builder.node(event, &span, &mut events)?),
        }
    }
    // A file without any value has no keys.
    Ok(document.unwrap_or(Node {
        span: 0..0,
        value: Value::Map(Vec::new()),
    }))
}

struct Builder<'a> {
    text: &'a str,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    /// Lists and maps around the value that is read.
    level: usize,
}

impl Builder<'_> {
    fn node<'e>(
        &mut self,
        event: Event<'e>,
        span: &Span,
        events: &mut impl Iterator<Item = Result<(Event<'e>, Span), ScanError>>,
    ) -> Result<Node, SyntaxError> {
        let before = self.nodes;
        self.count(1, span)?;
        let (value, anchor, end) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                (tagged(&text, style, tag.as_deref()), anchor, None)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.level += 1;
                let (list, end) = self.list(events)?;
                self.level -= 1;
                (Value::List(list), anchor, Some(end))
            }
            Event::MappingStart(_, anchor, _) => {
                self.level += 1;
                let (entries, end) = self.map(events)?;
                self.level -= 1;
                (Value::Map(entries), anchor, Some(end))
            }
            _ => return Err(at(span, "it ends in the middle of a value")),
        };
        let start = range(span, self.text)?;
        let node = Node {
            span: start.start..end.unwrap_or(start.end),
            value,
        };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, SyntaxError> {
        let Some((node, nodes)) = self.anchors.get(&id).cloned() else {
            return Err(at(span, "an alias stands inside of its own anchor"));
        };
        self.count(nodes, span)?;
        if self.level + levels(&node) > MOST_LEVELS {
            return Err(at(
                span,
                "values are nested too deeply; expected at most 255 levels, aliases resolved",
            ));
        }
        Ok(Node {
            span: range(span, self.text)?,
            value: node.value,
        })
    }

    fn list<'e>(
        &mut self,
        events: &mut impl Iterator<Item = Result<(Event<'e>, Span), ScanError>>,
    ) -> Result<(Vec<Node>, usize), SyntaxError> {
        let mut list = Vec::new();
        loop {
            let (event, span) = next(events)?;
            if matches!(event, Event::SequenceEnd) {
                return Ok((list, range(&span, self.text)?.end));
            }
            list.push(self.node(event, &span, events)?);
        }
    }

    fn map<'e>(
        &mut self,
        events: &mut impl Iterator<Item = Result<(Event<'e>, Span), ScanError>>,
    ) -> Result<(Vec<Entry>, usize), SyntaxError> {
        let mut entries = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = next(events)?;
            let (key, plain) = match event {
                Event::MappingEnd => {
                    inherit(&mut entries, merged);
                    return Ok((entries, range(&span, self.text)?.end));
                }
                Event::Scalar(text, style, 0, None) => {
                    (text.into_owned(), style == ScalarStyle::Plain)
                }
                _ => return Err(at(&span, "a key is not plain text; expected a name")),
            };
            let key_span = range(&span, self.text)?;
            let (event, span) = next(events)?;
            let node = self.node(event, &span, events)?;
            if plain && key == "<<" {
                merged.push(node);
                continue;
            }
            let entry = Entry {
                key,
                key_span,
                node,
            };
            push(&mut entries, self.text, entry)?;
        }
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(at(
                span,
                "there are too many values; expected at most 100000, aliases resolved",
            ));
        }
        Ok(())
    }
}

/// Lists and maps within each other.
fn levels(node: &Node) -> usize {
    let deepest = match &node.value {
        Value::List(list) => list.iter().map(levels).max(),
        Value::Map(entries) => entries.iter().map(|entry| levels(&entry.node)).max(),
        _ => return 0,
    };
    deepest.unwrap_or(0) + 1
}

/// Adds what a map takes over by `<<`: keys of its own win, then earlier ones.
fn inherit(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    for node in merged {
        match node.value {
            Value::Map(inherited) => {
                for entry in inherited {
                    if entries.iter().all(|own| own.key != entry.key) {
                        entries.push(entry);
                    }
                }
            }
            Value::List(list) => inherit(entries, list),
            _ => {}
        }
    }
}

fn tagged(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.map(Tag::core_suffix) {
        None if style == ScalarStyle::Plain => scalar::plain(text),
        None | Some(Some("str")) => Value::Text(text.to_owned()),
        Some(Some(_)) => scalar::plain(text),
        Some(None) => Value::Other(text.to_owned()),
    }
}

fn next<'e>(
    events: &mut impl Iterator<Item = Result<(Event<'e>, Span), ScanError>>,
) -> Result<(Event<'e>, Span), SyntaxError> {
    match events.next() {
        Some(event) => event.map_err(syntax),
        None => Err(SyntaxError {
            line: None,
            message: "it ends in the middle of a value".to_owned(),
        }),
    }
}

fn range(span: &Span, text: &str) -> Result<Range<usize>, SyntaxError> {
    span.byte_range()
        .filter(|range| text.get(range.clone()).is_some())
        .ok_or_else(|| at(span, "its place in the text is not known"))
}

fn at(span: &Span, message: &str) -> SyntaxError {
    SyntaxError {
        line: Some(span.start.line()),
        message: message.to_owned(),
    }
}

fn syntax(error: ScanError) -> SyntaxError {
    SyntaxError {
        line: Some(error.marker().line()),
        message: error.info(),
    }
}
