//! Losses by columns: `lr` (or `learning_rate`) and `loss`, in any order, among others.
//!
//! A column `replica` tells replicas apart. In our own `losses.csv` (`task` and `step` beside it)
//! the steps that two tasks ran are taken from the earlier task, which owns them.

use super::input::{Wrong, increasing};
use ::csv::{Position, StringRecord};
use rangefinder_errors::Code;
use std::collections::BTreeMap;

/// Names of the learning rate.
pub(super) const RATE: &[&str] = &["lr", "learning_rate", "learning rate"];
/// Names of the loss.
pub(super) const LOSS: &[&str] = &["loss"];

/// Learning rates of the longest replica, and the losses of each.
pub(super) type Columns = (Vec<f64>, Vec<Vec<f64>>);

/// One row, by the line of the file.
struct Row {
    line: u64,
    lr: f64,
    loss: f64,
}

/// How a kind of file has its columns.
pub(super) struct Kind {
    /// What it calls one.
    pub(super) column: &'static str,
    /// Where their names stand.
    pub(super) place: &'static str,
}

/// Which column has one of these names.
pub(super) fn find(header: &StringRecord, names: &[&str]) -> Option<usize> {
    header
        .iter()
        .position(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// Reads the rows below a header.
pub(super) fn read(
    kind: &Kind,
    header: &StringRecord,
    records: impl Iterator<Item = Result<StringRecord, Wrong>>,
) -> Result<Columns, Wrong> {
    let Kind { column, place } = kind;
    let needed = |names: &[&str]| {
        find(header, names).ok_or_else(|| {
            let there: Vec<_> = header.iter().map(|name| format!("`{name}`")).collect();
            let there = match there.as_slice() {
                [] => "the file is empty".to_owned(),
                names => format!("the {column}s are {}", names.join(", ")),
            };
            let text = format!(
                "there is no {column} `{}`; {there}\n  \
                 name the {column}s `lr` (or `learning_rate`) and `loss` {place}",
                names[0],
            );
            Wrong(Code::CurveColumns, text)
        })
    };
    let lr = needed(RATE)?;
    let loss = needed(LOSS)?;
    let replica = find(header, &["replica"]);
    let order = replica.and(find(header, &["step"]).zip(find(header, &["task"])));

    let mut replicas: BTreeMap<u64, BTreeMap<(u64, u64), Row>> = BTreeMap::new();
    for (order_in_file, record) in (0..).zip(records) {
        let record = record?;
        let line = record.position().map_or(0, Position::line);
        let cell = |index: usize| record.get(index).unwrap_or_default();
        let whole = |index: usize| {
            cell(index).parse::<u64>().map_err(|_| {
                let text = format!(
                    "line {line}: `{}` in {column} `{}` is not a whole number\n  correct that row",
                    cell(index),
                    &header[index]
                );
                Wrong(Code::CurveRow, text)
            })
        };
        let number = |index: usize| {
            number_in(cell(index)).ok_or_else(|| {
                let text = format!(
                    "line {line}: `{}` in {column} `{}` is not a number\n  \
                     write numbers with a point, or nan, inf",
                    cell(index),
                    &header[index]
                );
                Wrong(Code::CurveRow, text)
            })
        };
        let row = Row {
            line,
            lr: number(lr)?,
            loss: number(loss)?,
        };
        let replica = replica.map_or(Ok(0), whole)?;
        let key = match order {
            Some((step, task)) => (whole(step)?, whole(task)?),
            None => (order_in_file, 0),
        };
        replicas.entry(replica).or_default().insert(key, row);
    }
    let owned = replicas.into_values().map(|rows| {
        let mut rows: Vec<_> = rows.into_iter().collect();
        if order.is_some() {
            rows.dedup_by_key(|((step, _), _)| *step);
        }
        rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>()
    });
    together(owned.collect())
}

/// Replicas share their learning rates: the shorter ones those of the longest.
fn together(replicas: Vec<Vec<Row>>) -> Result<Columns, Wrong> {
    for rows in &replicas {
        let rates: Vec<_> = rows.iter().map(|row| row.lr).collect();
        increasing(&rates, |step| format!("line {}", rows[step].line))?;
    }
    let Some(longest) = replicas.iter().max_by_key(|rows| rows.len()) else {
        return Err(Wrong(
            Code::CurveEmpty,
            "it has no rows\n  give a curve with at least 8 steps".to_owned(),
        ));
    };
    for rows in &replicas {
        let other = rows
            .iter()
            .zip(longest)
            .find(|(row, same)| row.lr != same.lr);
        if let Some((row, same)) = other {
            let text = format!(
                "line {}: the learning rate {:?} differs from that of the same step of another \
                 replica, {:?}\n  give replicas of one sweep, or one file each",
                row.line, row.lr, same.lr
            );
            return Err(Wrong(Code::CurveRates, text));
        }
    }
    let rates = longest.iter().map(|row| row.lr).collect();
    let losses = |rows: &Vec<Row>| rows.iter().map(|row| row.loss).collect();
    Ok((rates, replicas.iter().map(losses).collect()))
}

/// A number, `NaN`, `inf`, or nothing, which is what pandas writes for NaN.
fn number_in(cell: &str) -> Option<f64> {
    match cell {
        "" => Some(f64::NAN),
        cell => cell.parse().ok(),
    }
}

/// What is told of each of some texts that cannot be read, a line each.
#[cfg(test)]
pub(super) fn mistakes(texts: &[&str], read: impl Fn(&str) -> Result<Columns, Wrong>) -> String {
    let told = |text: &&str| {
        read(text)
            .err()
            .map(|Wrong(code, said)| format!("[{code}] {said}"))
    };
    let errors: Vec<_> = texts
        .iter()
        .map(|text| told(text).unwrap_or_default())
        .collect();
    errors.join("\n")
}
