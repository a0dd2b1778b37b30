//! Losses in a CSV file: columns `lr` (or `learning_rate`) and `loss`, in any order, among others.
//!
//! A column `replica` tells replicas apart. In our own `losses.csv` (`task` and `step` beside it)
//! the steps that two tasks ran are taken from the earlier task, which owns them.

use super::input::{Wrong, increasing};
use rangefinder_errors::Code;
use std::collections::BTreeMap;

/// Learning rates of the longest replica, and the losses of each.
type Columns = (Vec<f64>, Vec<Vec<f64>>);

/// One row, by the line of the file.
struct Row {
    line: u64,
    lr: f64,
    loss: f64,
}

/// Reads the text of a file.
pub(super) fn read(text: &str) -> Result<Columns, Wrong> {
    let mut reader = ::csv::ReaderBuilder::new()
        .trim(::csv::Trim::All)
        .comment(Some(b'#'))
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(unreadable)?.clone();
    let column = |names: &[&str]| {
        header
            .iter()
            .position(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
    };
    let needed = |names: &[&str]| {
        column(names).ok_or_else(|| {
            let there: Vec<_> = header.iter().map(|name| format!("`{name}`")).collect();
            let there = match there.as_slice() {
                [] => "the file is empty".to_owned(),
                names => format!("the columns are {}", names.join(", ")),
            };
            let text = format!(
                "there is no column `{}`; {there}\n  \
                 name the columns `lr` (or `learning_rate`) and `loss` in the first line",
                names[0],
            );
            Wrong(Code::CurveColumns, text)
        })
    };
    let lr = needed(&["lr", "learning_rate", "learning rate"])?;
    let loss = needed(&["loss"])?;
    let replica = column(&["replica"]);
    let order = replica.and(column(&["step"]).zip(column(&["task"])));

    let mut replicas: BTreeMap<u64, BTreeMap<(u64, u64), Row>> = BTreeMap::new();
    for (number, record) in (0..).zip(reader.records()) {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, ::csv::Position::line);
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let index = |column: usize| {
            cell(column).parse::<u64>().map_err(|_| {
                let text = format!(
                    "line {line}: `{}` in column `{}` is not a whole number\n  correct that row",
                    cell(column),
                    &header[column]
                );
                Wrong(Code::CurveRow, text)
            })
        };
        let row = Row {
            line,
            lr: number_in(cell(lr), &header[lr], line)?,
            loss: number_in(cell(loss), &header[loss], line)?,
        };
        let replica = replica.map_or(Ok(0), index)?;
        let key = match order {
            Some((step, task)) => (index(step)?, index(task)?),
            None => (number, 0),
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

/// What separates the cells of the first line: a comma, or where it has none a semicolon or a tab,
/// as spreadsheets write them.
fn delimiter(text: &str) -> u8 {
    let header = text
        .lines()
        .find(|line| !line.starts_with('#') && !line.trim().is_empty())
        .unwrap_or_default();
    b",;\t"
        .iter()
        .copied()
        .find(|delimiter| header.as_bytes().contains(delimiter))
        .unwrap_or(b',')
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
fn number_in(cell: &str, column: &str, line: u64) -> Result<f64, Wrong> {
    if cell.is_empty() {
        return Ok(f64::NAN);
    }
    cell.parse().map_err(|_| {
        let text = format!(
            "line {line}: `{cell}` in column `{column}` is not a number\n  \
             write numbers with a point, or nan, inf"
        );
        Wrong(Code::CurveRow, text)
    })
}

fn unreadable(error: ::csv::Error) -> Wrong {
    if let ::csv::ErrorKind::UnequalLengths {
        pos,
        expected_len,
        len,
    } = error.kind()
    {
        let line = pos.as_ref().map_or(0, ::csv::Position::line);
        return Wrong(
            Code::CurveRow,
            format!(
                "line {line}: it has {len} cells, and the first line {expected_len}\n  \
                 correct that row; a quotation mark that is not closed swallows what follows"
            ),
        );
    }
    Wrong(
        Code::CurveRow,
        format!("is not a CSV file: {error}\n  separate the columns by commas"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_found_in_any_order_among_others() {
        let (rates, replicas) =
            read("Loss , epoch, LR\n2.5,0,1e-3\n,0, 1e-2\n-inf,x,0.1\n").unwrap();
        assert_eq!(rates, [1e-3, 1e-2, 0.1]);
        assert_eq!(replicas.len(), 1);
        assert_eq!(replicas[0][0], 2.5);
        assert!(replicas[0][1].is_nan());
        assert_eq!(replicas[0][2], f64::NEG_INFINITY);
        for text in [
            "learning_rate,loss\n1,2\n",
            "# x\nlr;loss\n1;2\n",
            "lr\tloss\n1\t2\n",
        ] {
            let (rates, replicas) = read(text).unwrap();
            assert_eq!((rates, replicas), (vec![1.0], vec![vec![2.0]]), "{text}");
        }
    }

    #[test]
    fn steps_of_a_warm_up_belong_to_the_task_before() {
        let (rates, replicas) = read(
            "replica,task,attempt,step,lr,loss\n\
             1,1,1,0,1,10\n0,1,1,1,2,99\n0,1,1,2,3,7\n0,0,1,0,1,5\n0,0,1,1,2,6\n",
        )
        .unwrap();
        assert_eq!(rates, [1.0, 2.0, 3.0]);
        assert_eq!(replicas, [vec![5.0, 6.0, 7.0], vec![10.0]]);
    }

    #[test]
    fn mistakes_name_line_and_remedy() {
        let texts = [
            "step,loss\n1,2\n",
            "lr,acc\n1,2\n",
            "lr,loss\n1,2\nx,3\n",
            "lr,loss\n1,2\n0.5,3\n",
            "lr,loss\n0,2\n",
            "lr,loss\n1,2,3\n",
            "lr;loss\n0,1;2,5\n",
            "lr,loss\n",
            "",
            "replica,lr,loss\n0,1,1\n1,2,1\n",
        ];
        let told = |Wrong(code, text)| format!("[{code}] {text}");
        let errors: Vec<_> = texts
            .iter()
            .map(|text| told(read(text).unwrap_err()))
            .collect();
        insta::assert_snapshot!(errors.join("\n"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(lr,loss\n)?([0-9.,e\n\"# -]|nan|inf){0,40}") {
            let _ = read(&text);
        }
    }
}
