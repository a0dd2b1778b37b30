//! Seeded changes to inputs: a poor fuzzer, but the same one on every machine.

use fastrand::Rng;

/// Longest input that is made.
const MOST_BYTES: usize = 16 << 10;
/// Longest piece that is cut out, repeated or taken from another input.
const MOST_PIECE: usize = 64;
/// Bytes that mean something to readers of text.
const SIGNS: &[u8] = b"0123456789-+.eE,:;{}[]()<>\"'&*!|#%@ \t\n\r=";
/// Numbers at which sizes and counts go wrong.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];
/// Words at which readers of text go wrong.
const WORDS: [&str; 16] = [
    "1e999",
    "-0",
    "nan",
    "NaN",
    "Infinity",
    "null",
    "true",
    "1e-400",
    "[[",
    "{\"a\":",
    "99999999999999999999",
    "\u{feff}",
    "\\u0000",
    "\r\n",
    "\"\"",
    "<<: *",
];

/// One of the inputs, changed; `inputs` must not be empty.
#[must_use]
pub fn mutated(inputs: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut input = inputs[random.usize(..inputs.len())].clone();
    for _ in 0..random.usize(1..=4) {
        change(&mut input, inputs, random);
    }
    input.truncate(MOST_BYTES);
    input
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(..=input.len());
    match random.u8(..9) {
        0 => set(input, at, &[random.u8(..)]),
        1 => set(input, at, &[SIGNS[random.usize(..SIGNS.len())]]),
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.u8(..8);
            }
        }
        3 => {
            let number = NUMBERS[random.usize(..NUMBERS.len())];
            let number = if random.bool() {
                number.to_le_bytes()
            } else {
                number.to_be_bytes()
            };
            let bytes = &number[..1 << random.u8(..4)];
            set(input, at, bytes);
        }
        4 => insert(input, at, WORDS[random.usize(..WORDS.len())].as_bytes()),
        5 => {
            let piece = piece(input, random);
            input.drain(piece);
        }
        6 => {
            let piece = input[piece(input, random)].to_vec();
            insert(input, at, &piece);
        }
        7 => {
            let other = &inputs[random.usize(..inputs.len())];
            insert(input, at, &other[piece(other, random)]);
        }
        _ => {
            let other = &inputs[random.usize(..inputs.len())];
            let from = random.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

/// A piece of an input.
fn piece(input: &[u8], random: &mut Rng) -> std::ops::Range<usize> {
    let start = random.usize(..=input.len());
    let length = random.usize(..=MOST_PIECE);
    start..start.saturating_add(length).min(input.len())
}

fn set(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in input[at..].iter_mut().zip(bytes) {
        *to = *from;
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs_each_time_and_another_seed_others() {
        let inputs = vec![b"lr,loss\n1,2\n".to_vec(), vec![0; 40]];
        let some = |seed| {
            let mut random = Rng::with_seed(seed);
            (0..100)
                .map(|_| mutated(&inputs, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
        assert!(some(1).iter().filter(|made| !inputs.contains(made)).count() > 80);
    }

    #[test]
    fn inputs_stay_short_and_may_be_empty() {
        let inputs = vec![Vec::new(), vec![7; 2 * MOST_BYTES]];
        let mut random = Rng::with_seed(0);
        let made: Vec<_> = (0..1000).map(|_| mutated(&inputs, &mut random)).collect();
        assert!(made.iter().all(|input| input.len() <= MOST_BYTES));
        assert!(made.iter().any(Vec::is_empty));
    }
}
