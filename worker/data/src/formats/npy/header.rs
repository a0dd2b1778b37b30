//! The header of a `.npy` file: magic, version, length, and a Python dictionary with the keys
//! `descr`, `fortran_order` and `shape`.

use crate::array::Dtype;
use crate::error::Defect;

use super::MAGIC;
use rangefinder_errors::Code;

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub dtype: Dtype,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads the header and says at which byte the elements start.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), Defect> {
        if !bytes.starts_with(MAGIC) {
            return Err(Defect::new(
                Code::NotThatFormat,
                "is not a .npy file: it does not begin with \\x93NUMPY",
                "save the array with numpy.save",
            ));
        }
        let cut = || Defect::damaged(format!("ends within its header, at byte {}", bytes.len()));
        let after_magic = &bytes[MAGIC.len()..];
        let (&[major, minor], rest) = after_magic.split_first_chunk().ok_or_else(cut)?;
        let (length, start) = match major {
            1 => {
                let length = rest.first_chunk().ok_or_else(cut)?;
                (u32::from(u16::from_le_bytes(*length)), MAGIC.len() + 4)
            }
            2 | 3 => {
                let length = rest.first_chunk().ok_or_else(cut)?;
                (u32::from_le_bytes(*length), MAGIC.len() + 6)
            }
            _ => {
                return Err(Defect::new(
                    Code::NotThatFormat,
                    format!("has version {major}.{minor} of the format; versions 1 to 3 are known"),
                    "save it again with numpy.save",
                ));
            }
        };
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| start.checked_add(length))
            .filter(|&end| end <= bytes.len())
            .ok_or_else(cut)?;
        let header = Parser {
            text: &bytes[start..end],
            at: 0,
            offset: start,
        }
        .header()?;
        Ok((header, end))
    }
}

/// Reads the dictionary.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    /// Byte of the file at which the text starts.
    offset: usize,
}

impl Parser<'_> {
    fn header(mut self) -> Result<Header, Defect> {
        let (mut dtype, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{', "a dictionary")?;
        while !self.take(b'}') {
            let key = self.string("a key of the header or `}`")?;
            self.expect(b':', "`:`")?;
            match key.as_str() {
                "descr" => dtype = Some(self.dtype()?),
                "fortran_order" => fortran_order = Some(self.boolean()?),
                "shape" => shape = Some(self.shape()?),
                _ => return Err(self.unexpected("descr, fortran_order or shape before here")),
            }
            if !self.take(b',') {
                self.expect(b'}', "`,` or `}`")?;
                break;
            }
        }
        if self.peek().is_some() {
            return Err(self.unexpected("the end of the header"));
        }
        let lacking = |key| Defect::damaged(format!("has a header without {key}"));
        Ok(Header {
            dtype: dtype.ok_or_else(|| lacking("descr"))?,
            fortran_order: fortran_order.ok_or_else(|| lacking("fortran_order"))?,
            shape: shape.ok_or_else(|| lacking("shape"))?,
        })
    }

    /// A type such as `'<f4'`.
    fn dtype(&mut self) -> Result<Dtype, Defect> {
        if self.peek() == Some(b'[') {
            return Err(Defect::new(
                Code::ElementType,
                "has a structured type with named fields",
                "save the fields as arrays of their own, such as numpy.savez(path, inputs=a[\"x\"], targets=a[\"y\"])",
            ));
        }
        dtype(&self.string("a type")?)
    }

    fn boolean(&mut self) -> Result<bool, Defect> {
        self.skip_blanks();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    /// A tuple of lengths: `()`, `(3,)`, `(3, 4)`, or with Python 2's `3L`.
    fn shape(&mut self) -> Result<Vec<usize>, Defect> {
        let mut shape = Vec::new();
        self.expect(b'(', "a shape")?;
        while !self.take(b')') {
            shape.push(self.length()?);
            if !self.take(b',') {
                self.expect(b')', "`,` or `)`")?;
                break;
            }
        }
        Ok(shape)
    }

    fn length(&mut self) -> Result<usize, Defect> {
        self.skip_blanks();
        let digits = self.text[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let number = str::from_utf8(&self.text[self.at..self.at + digits])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| self.unexpected("a length"))?;
        self.at += digits;
        self.take(b'L');
        Ok(number)
    }

    /// A string in single or double quotes, without escapes.
    fn string(&mut self, expected: &str) -> Result<String, Defect> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return Err(self.unexpected(expected));
        };
        let inside = &self.text[self.at + 1..];
        let length = inside
            .iter()
            .position(|&byte| byte == quote)
            .ok_or_else(|| self.unexpected("a string that ends"))?;
        let string = String::from_utf8_lossy(&inside[..length]).into_owned();
        self.at += length + 2;
        Ok(string)
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Defect> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.unexpected(what))
    }

    /// Takes a byte, and the blanks before it, if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        let blanks = self.text[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.at += blanks;
    }

    fn unexpected(&self, expected: &str) -> Defect {
        Defect::damaged(format!(
            "has a damaged header: expected {expected} at byte {}",
            self.offset + self.at
        ))
    }
}

/// The element type that NumPy writes as `descr`, such as `<f4`.
fn dtype(descr: &str) -> Result<Dtype, Defect> {
    match descr {
        "<f8" => return Ok(Dtype::F64),
        "<f4" => return Ok(Dtype::F32),
        "<f2" => return Ok(Dtype::F16),
        "<i8" => return Ok(Dtype::I64),
        "<i4" => return Ok(Dtype::I32),
        "<i2" => return Ok(Dtype::I16),
        "|i1" | "<i1" => return Ok(Dtype::I8),
        "|u1" | "<u1" => return Ok(Dtype::U8),
        "|b1" | "<b1" => return Ok(Dtype::Bool),
        _ => {}
    }
    let quoted = crate::names::Quoted(descr);
    let (what, remedy) = match (
        descr.chars().next(),
        descr.trim_start_matches(['<', '>', '|', '=']),
    ) {
        (_, kind) if kind.starts_with('O') => (
            "Python objects",
            "give all samples one shape and a number type, such as numpy.stack(list).astype(numpy.float32)",
        ),
        (Some('>'), _) => (
            "big-endian numbers",
            "convert with a.astype(a.dtype.newbyteorder(\"<\"))",
        ),
        (_, kind) if kind.starts_with('u') => (
            "unsigned integers, which libtorch cannot compute with",
            "convert with a.astype(numpy.int64)",
        ),
        (_, kind) if kind.starts_with(['U', 'S', 'a']) => (
            "text",
            "convert to numbers, such as numpy.unique(a, return_inverse=True)[1] for labels",
        ),
        (_, kind) if kind.starts_with('c') => (
            "complex numbers",
            "save real and imaginary part as dimensions of their own, such as numpy.stack([a.real, a.imag], axis=1)",
        ),
        (_, kind) if kind.starts_with('f') => (
            "floating-point numbers of a size that libtorch does not have",
            "convert with a.astype(numpy.float32)",
        ),
        _ => (
            "elements that are not numbers of libtorch",
            "convert with a.astype(numpy.float32), or numpy.int64 for labels",
        ),
    };
    Err(Defect::new(
        Code::ElementType,
        format!("has the type {quoted}: {what}"),
        remedy,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Header, Defect> {
        Parser {
            text: text.as_bytes(),
            at: 0,
            offset: 10,
        }
        .header()
    }

    #[test]
    fn headers_of_all_writers_are_read() {
        let expected = Header {
            dtype: Dtype::F32,
            fortran_order: false,
            shape: vec![3, 4],
        };
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}\n",
            "{\"shape\":(3,4,),\"descr\":\"<f4\",\"fortran_order\":False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }",
        ] {
            assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(
            parse("{'descr': '|u1', 'fortran_order': True, 'shape': (), }").unwrap(),
            Header {
                dtype: Dtype::U8,
                fortran_order: true,
                shape: vec![],
            }
        );
    }

    #[test]
    fn a_damaged_header_is_named_with_its_position() {
        for (text, at, expected) in [
            ("", 10, "a dictionary"),
            ("{'descr' '<f4'}", 19, "`:`"),
            ("{'descr': 4}", 20, "a type"),
            ("{'descr: 4}", 11, "a string that ends"),
            ("{'fortran_order': Yes}", 28, "True or False"),
            ("{'shape': (3, x)}", 24, "a length"),
            ("{'shape': (-3,)}", 21, "a length"),
            ("{'shape': (99999999999999999999999,)}", 21, "a length"),
            ("{'shape': (3 4)}", 23, "`,` or `)`"),
            ("{'shape': (3,)} tail", 26, "the end of the header"),
        ] {
            let message = parse(text).unwrap_err().message;
            let position = format!("expected {expected} at byte {at}");
            assert!(message.ends_with(&position), "{text}: {message}");
        }
        let message = parse("{'descr': '<f4', 'shape': (3,)}")
            .unwrap_err()
            .message;
        assert_eq!(message, "has a header without fortran_order");
    }

    #[test]
    fn types_that_libtorch_lacks_are_refused_with_the_remedy() {
        for (descr, remedy) in [
            (">f4", "newbyteorder"),
            (">i8", "newbyteorder"),
            ("|O", "numpy.stack"),
            ("<u2", "int64"),
            ("<u8", "int64"),
            ("<U5", "numpy.unique"),
            ("|S3", "numpy.unique"),
            ("<c8", "a.imag"),
            ("<f16", "float32"),
            ("<M8[ns]", "float32"),
            ("|V8", "float32"),
            ("", "float32"),
        ] {
            let defect = dtype(descr).unwrap_err();
            assert!(defect.remedy.contains(remedy), "{descr}: {defect:?}");
            assert!(defect.message.contains(&format!("`{descr}`")), "{defect:?}");
        }
        let structured = "{'descr': [('x', '<f4'), ('y', '<i8')], 'fortran_order': False}";
        assert!(parse(structured).unwrap_err().remedy.contains("a[\"x\"]"));
    }
}
