//! The error that was measured for such splits: `scripts/bench/fidelity.py` with each overlap,
//! 30 sweeps for each kind of optimizer.

/// Numbers of segments of the columns.
const SEGMENTS: [f64; 3] = [2.0, 4.0, 8.0];
/// Overlaps of the rows, in decades.
const OVERLAPS: [f64; 4] = [0.0, 0.5, 1.0, 2.0];

/// A cell for each overlap and number of segments, in decades.
type Table = [[f64; 3]; 4];

/// What was measured against the unsplit sweep.
struct Measured {
    /// Mean distance of the suggestions.
    error: Table,
    /// Mean of the signed distance, above 0 where the split suggests the higher learning rate.
    bias: Table,
}

/// SGD with momentum.
const SGD: Measured = Measured {
    error: [
        [0.042, 0.108, 0.121],
        [0.037, 0.092, 0.103],
        [0.040, 0.062, 0.074],
        [0.038, 0.056, 0.055],
    ],
    bias: [
        [0.017, -0.057, 0.057],
        [0.016, 0.040, 0.053],
        [0.015, 0.040, 0.028],
        [0.013, -0.001, 0.000],
    ],
};
/// AdamW, which stands for all that divide by the size of the gradient.
const ADAPTIVE: Measured = Measured {
    error: [
        [0.030, 0.099, 0.111],
        [0.029, 0.044, 0.080],
        [0.032, 0.029, 0.039],
        [0.033, 0.032, 0.032],
    ],
    bias: [
        [-0.009, 0.029, 0.088],
        [-0.005, 0.014, 0.040],
        [-0.009, -0.005, -0.006],
        [-0.009, 0.000, -0.006],
    ],
};

/// How far the suggestion of a split lies from that of the unsplit sweep, in decades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    /// Mean distance.
    pub(super) error: f64,
    /// Mean signed distance, above 0 where the split suggests the higher learning rate.
    pub(super) bias: f64,
}

/// What is to be expected of a split; all 0 if unsplit.
pub(super) fn expected(segments: u32, overlap_decades: f64, adaptive: bool) -> Expected {
    if segments < 2 {
        return Expected {
            error: 0.0,
            bias: 0.0,
        };
    }
    let measured = if adaptive { &ADAPTIVE } else { &SGD };
    let cell = |table: &Table| {
        let rows = table.map(|row| by_segments(row, segments));
        interpolate(&OVERLAPS, &rows, overlap_decades)
    };
    Expected {
        error: cell(&measured.error),
        bias: cell(&measured.bias),
    }
}

/// Between the columns in log2 of the number of segments.
fn by_segments(row: [f64; 3], segments: u32) -> f64 {
    interpolate(&SEGMENTS.map(f64::log2), &row, f64::from(segments).log2())
}

/// Linear between the known places, constant outside of them.
fn interpolate(places: &[f64], values: &[f64], at: f64) -> f64 {
    let above = places.partition_point(|place| *place <= at);
    match (above.checked_sub(1), places.get(above)) {
        (None, _) => values[0],
        (Some(below), None) => values[below],
        (Some(below), Some(upper)) => {
            let share = (at - places[below]) / (upper - places[below]);
            values[below] + share * (values[above] - values[below])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_cells_are_given_as_measured_and_others_lie_between() {
        let sgd = expected(4, 1.0, false);
        assert_eq!((sgd.error, sgd.bias), (0.062, 0.040));
        let adaptive = expected(8, 0.5, true);
        assert_eq!((adaptive.error, adaptive.bias), (0.080, 0.040));
        let between = expected(6, 0.75, true).error;
        assert!((0.029..0.080).contains(&between), "{between}");
        // Beyond the table its last cells hold.
        assert_eq!(expected(32, 5.0, false), expected(8, 2.0, false));
    }

    #[test]
    fn an_unsplit_sweep_has_no_error() {
        let none = expected(1, 1.0, true);
        assert_eq!((none.error, none.bias), (0.0, 0.0));
    }
}
