//! Classes of a target column, and the index of each.

use std::collections::HashMap;

/// Classes while they come.
#[derive(Default)]
pub(super) struct Classes {
    /// How many came before each.
    places: HashMap<String, usize>,
}

impl Classes {
    /// How many other classes came before this one did for the first time.
    pub(super) fn place(&mut self, class: &str) -> usize {
        if let Some(&place) = self.places.get(class) {
            return place;
        }
        let place = self.places.len();
        self.places.insert(class.to_owned(), place);
        place
    }

    /// The first in order of classes that are all numbers, not all whole: most likely no classes.
    pub(super) fn fraction(&self) -> Option<&str> {
        let classes = self.places.keys().map(String::as_str);
        let numbers: Option<Vec<(&str, f64)>> = classes
            .map(|class| Some((class, class.parse().ok()?)))
            .collect();
        let fractions = numbers?
            .into_iter()
            .filter(|(_, n)| n.is_finite() && n.fract() != 0.0);
        fractions.map(|(class, _)| class).min()
    }

    /// The index of each class by its place, and what is to be known of them for other data.
    ///
    /// Integers are numbered in the order of numbers, those of one value being one class; if any
    /// class is no integer, all in the order of their UTF-8 bytes.
    pub(super) fn number(self) -> (Vec<usize>, Known) {
        let integers: Option<Vec<(i64, usize)>> = self
            .places
            .iter()
            .map(|(class, &place)| Some((class.parse().ok()?, place)))
            .collect();
        let (indices, integers) = match integers {
            Some(integers) => {
                let indices = in_order(integers.clone());
                let known = integers.into_iter().map(|(n, place)| (n, indices[place]));
                let known = known.collect();
                (indices, known)
            }
            None => {
                let texts = self.places.iter().map(|(class, &place)| (class, place));
                (in_order(texts.collect()), HashMap::new())
            }
        };
        let texts = self.places.into_iter();
        let texts = texts
            .map(|(class, place)| (class, indices[place]))
            .collect();
        (indices, Known { texts, integers })
    }
}

/// The rank of each key by its place; equal keys have one rank.
fn in_order<K: Ord>(mut keys: Vec<(K, usize)>) -> Vec<usize> {
    keys.sort_unstable();
    let mut indices = vec![0; keys.len()];
    let mut index = 0;
    for at in 0..keys.len() {
        if at > 0 && keys[at].0 != keys[at - 1].0 {
            index += 1;
        }
        indices[keys[at].1] = index;
    }
    indices
}

/// The classes of a table that was read.
#[derive(Debug)]
pub(super) struct Known {
    texts: HashMap<String, usize>,
    /// By value, where all classes are integers.
    integers: HashMap<i64, usize>,
}

impl Known {
    /// The index of a class, if the table has it.
    pub(super) fn index(&self, class: &str) -> Option<usize> {
        let by_value = || self.integers.get(&class.parse().ok()?);
        self.texts.get(class).or_else(by_value).copied()
    }
}
