//! The error that was measured for such splits (`docs/method.md`, the default rule under a split).

/// Numbers of segments of the columns.
const SEGMENTS: [f64; 3] = [2.0, 4.0, 8.0];
/// Overlaps of the rows, in decades.
const OVERLAPS: [f64; 4] = [0.0, 0.5, 1.0, 2.0];
/// Mean |log10| error of the default rule. Measured: the row of 1 decade, and of 0.5 with 4 and 8
/// segments; the others are the row of 1 decade times the ratio that other rules showed there.
const ERROR: [[f64; 3]; 4] = [
    [0.177, 0.260, 0.332],
    [0.082, 0.121, 0.146],
    [0.077, 0.113, 0.135],
    [0.054, 0.079, 0.095],
];
/// Upward bias at one decade. Measured as ranges over configurations, .01 to .04 for SGD and .05
/// to .18 for Adam, which are laid over the numbers of segments.
const BIAS_SGD: [f64; 3] = [0.010, 0.025, 0.040];
const BIAS_ADAPTIVE: [f64; 3] = [0.050, 0.115, 0.180];

/// Mean error of the suggestion against the unsplit sweep, in decades; 0 if unsplit.
pub(super) fn expected_error(segments: u32, overlap_decades: f64) -> f64 {
    if segments < 2 {
        return 0.0;
    }
    let rows = ERROR.map(|row| by_segments(row, segments));
    interpolate(&OVERLAPS, &rows, overlap_decades)
}

/// Upward bias of the suggestion, in decades; 0 if unsplit.
pub(super) fn expected_bias(segments: u32, overlap_decades: f64, adaptive: bool) -> f64 {
    if segments < 2 {
        return 0.0;
    }
    let at_one_decade = by_segments(if adaptive { BIAS_ADAPTIVE } else { BIAS_SGD }, segments);
    // Bias and error shrink together with the overlap: the same weights are missing.
    at_one_decade * expected_error(segments, overlap_decades) / expected_error(segments, 1.0)
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
    fn measured_cells_are_given_as_measured() {
        assert_eq!(expected_error(4, 1.0), 0.113);
        assert_eq!(expected_error(8, 0.5), 0.146);
        assert_eq!(expected_error(1, 1.0), 0.0);
        assert_eq!(expected_bias(8, 1.0, true), 0.180);
        assert_eq!(expected_bias(2, 1.0, false), 0.010);
    }

    #[test]
    fn error_and_bias_grow_with_segments_and_shrink_with_overlap() {
        for segments in 2..20 {
            for overlap in [0.0, 0.1, 0.5, 0.7, 1.0, 1.5, 2.0] {
                assert!(expected_error(segments + 1, overlap) >= expected_error(segments, overlap));
                assert!(
                    expected_error(segments, overlap + 0.1) <= expected_error(segments, overlap)
                );
                for adaptive in [false, true] {
                    let bias = |overlap| expected_bias(segments, overlap, adaptive);
                    assert!(bias(overlap + 0.1) <= bias(overlap));
                }
            }
        }
    }
}
