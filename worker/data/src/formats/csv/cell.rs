//! What a cell says, and where it is.

use crate::error::Defect;
use crate::names::Quoted;
use rangefinder_errors::Code;

/// Where a cell is.
pub(super) struct Place<'a> {
    /// Name of its column.
    pub column: &'a [u8],
    /// Its row, from 1 after the header.
    pub row: u64,
    /// The line on which that row begins, from 1.
    pub line: usize,
}

impl Place<'_> {
    pub(super) fn defect(&self, what: &str, remedy: &str) -> Defect {
        Defect::new(
            Code::TableRow,
            format!(
                "has {what} in column {}, row {} (line {})",
                Quoted(&lossy(self.column)),
                self.row,
                self.line
            ),
            remedy,
        )
    }
}

/// A finite number, or one that is written as `nan` or `inf`.
pub(super) fn number<'a>(cell: &[u8], place: impl Fn() -> Place<'a>) -> Result<f32, Defect> {
    let cell = cell.trim_ascii();
    let number = str::from_utf8(cell).ok().and_then(|cell| cell.parse().ok());
    match number {
        Some(number) if f32::is_infinite(number) && cell.iter().any(u8::is_ascii_digit) => {
            Err(place().defect(
                &format!("{}, which is too large for float32,", Quoted(&lossy(cell))),
                "scale the column",
            ))
        }
        Some(number) => Ok(number),
        None if cell.is_empty() => Err(place().defect(
            "an empty cell",
            "fill it in, or leave out the row or the column",
        )),
        None => Err(place().defect(
            &format!("{}, which is no number,", Quoted(&lossy(cell))),
            "turn categories into numbers (pandas.get_dummies), or leave the column out",
        )),
    }
}

/// A class, without blanks around it.
pub(super) fn class<'a>(cell: &'a [u8], place: impl Fn() -> Place<'a>) -> Result<&'a str, Defect> {
    let missing = |what| {
        let remedy = "give every row a class, or leave the row out";
        Err(place().defect(what, remedy))
    };
    match str::from_utf8(cell.trim_ascii()) {
        Ok("") => missing("an empty cell"),
        // As NumPy and pandas write what is missing.
        Ok("nan" | "NaN") => missing("a missing class (NaN)"),
        Ok(class) => Ok(class),
        Err(_) => Err(place().defect("a class that is not UTF-8", "save the file as UTF-8")),
    }
}

/// Text that is cut when very long: a hostile file may hold megabytes of it.
pub(super) fn lossy(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 1024;
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]).into_owned()
}
