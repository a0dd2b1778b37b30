//! Losses in a CSV file.

use super::columns::{self, Columns, Kind};
use super::input::Wrong;
use rangefinder_errors::Code;

/// Reads the text of a file.
pub(super) fn read(text: &str) -> Result<Columns, Wrong> {
    let mut reader = ::csv::ReaderBuilder::new()
        .trim(::csv::Trim::All)
        .comment(Some(b'#'))
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(unreadable)?.clone();
    let kind = Kind {
        column: "column",
        place: "in the first line",
    };
    let records = reader.records().map(|record| record.map_err(unreadable));
    columns::read(&kind, &header, records)
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
        insta::assert_snapshot!(columns::mistakes(&texts, read));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(lr,loss\n)?([0-9.,e\n\"# -]|nan|inf){0,40}") {
            let _ = read(&text);
        }
    }
}
