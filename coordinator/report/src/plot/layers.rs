//! What is drawn into the plot's area, from the bottom up.

use super::canvas::{Anchor, Canvas, Style, colour, text_width};
use super::frame::Frame;
use crate::document::SweepDocument;
use crate::numbers::learning_rate;
use crate::words::{self, thinned};

/// More points than this are thinned: the picture has fewer pixels.
const MOST_POINTS: usize = 4000;

/// All layers.
pub(super) fn draw(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    canvas.raw(&format!(
        "<clipPath id=\"area\"><rect x=\"{}\" y=\"{:.1}\" width=\"{}\" height=\"{:.1}\"/></clipPath>",
        frame.left,
        frame.top,
        frame.right - frame.left,
        frame.bottom - frame.top
    ));
    not_reached(canvas, document, frame);
    frame.draw_grid(canvas);
    segments(canvas, document, frame);
    canvas.raw("<g clip-path=\"url(#area)\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\">");
    replicas(canvas, document, frame);
    raw_losses(canvas, document, frame);
    let curve = &document.curve;
    let smoothed = format!("stroke=\"{}\" stroke-width=\"2.8\"", colour::CURVE);
    broken_line(canvas, frame, &curve.lr, &curve.smoothed, &smoothed);
    canvas.raw("</g>");
    clipped(canvas, document, frame);
    frame.draw_outline(canvas);
    stop(canvas, document, frame);
    if curve.loss.is_empty() {
        let middle = (
            (frame.left + frame.right) / 2.0,
            (frame.top + frame.bottom) / 2.0,
        );
        let style = Style::new(16.0, colour::MUTED).anchored(Anchor::Middle);
        canvas.text(middle, "no losses were recorded", style);
    }
    suggestion(canvas, document, frame);
}

/// The part of the range that the curve does not reach.
fn not_reached(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    if let Some(x) = end_of_curve(document, frame) {
        let size = [x, frame.top, frame.right - x, frame.bottom - frame.top];
        canvas.rect(size, &format!("fill=\"{}\"", colour::NOT_REACHED));
    }
}

/// Where the curve ends, if before the range does.
fn end_of_curve(document: &SweepDocument, frame: &Frame) -> Option<f64> {
    words::stop(document)?;
    document.curve.lr.last().and_then(|lr| frame.x(*lr))
}

/// Boundaries that the curve reaches, and the warm-up before each.
fn segments(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    let x = |step: u32| {
        let lr = usize::try_from(step)
            .ok()
            .and_then(|step| document.learning_rates.get(step))?;
        frame.x(*lr)
    };
    let height = frame.bottom - frame.top;
    for task in words::segments(document) {
        if let (Some(from), Some(to)) = (x(task.warm_up_start), x(task.start)) {
            canvas.rect(
                [from, frame.top, to - from, height],
                &format!("fill=\"{}\" fill-opacity=\"0.09\"", colour::OVERLAP),
            );
        }
    }
    for boundary in words::segments(document).filter_map(|task| x(task.start)) {
        let dashes = format!(
            "stroke=\"{}\" stroke-dasharray=\"3 4\" stroke-opacity=\"0.8\"",
            colour::MUTED
        );
        canvas.line([boundary, frame.top, boundary, frame.bottom], &dashes);
    }
}

/// Each replica's smoothed curve, and the band between the lowest and the highest of them.
fn replicas(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    if document.replicas.len() < 2 {
        return;
    }
    let curves: Vec<&[f64]> = document
        .replicas
        .iter()
        .map(|replica| replica.curve.smoothed.as_slice())
        .collect();
    let common = curves.iter().map(|curve| curve.len()).min().unwrap_or(0);
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    for index in thinned(common.min(document.learning_rates.len()), MOST_POINTS) {
        let values = curves
            .iter()
            .map(|curve| curve[index])
            .filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let x = frame.x(document.learning_rates[index]);
        if let (Some(x), Some(high), Some(low), true) =
            (x, frame.y(high), frame.y(low), low <= high)
        {
            upper.push((x, high));
            lower.push((x, low));
        }
    }
    upper.extend(lower.into_iter().rev());
    canvas.path(
        &upper,
        true,
        &format!(
            "fill=\"{}\" fill-opacity=\"0.12\" stroke=\"none\"",
            colour::CURVE
        ),
    );
    let thin = format!(
        "stroke=\"{}\" stroke-width=\"1\" stroke-opacity=\"0.4\"",
        colour::CURVE
    );
    for curve in curves {
        broken_line(canvas, frame, &document.learning_rates, curve, &thin);
    }
}

fn raw_losses(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    let curve = &document.curve;
    let dots: Vec<(f64, f64)> = thinned(curve.loss.len().min(curve.lr.len()), MOST_POINTS)
        .into_iter()
        .filter_map(|index| Some((frame.x(curve.lr[index])?, frame.y(curve.loss[index])?)))
        .filter(|(_, y)| frame.shows(*y))
        .collect();
    let (diameter, opacity) = if dots.len() > 400 {
        (2.6, 0.55)
    } else {
        (3.6, 0.75)
    };
    canvas.dots(
        &dots,
        diameter,
        &format!("stroke=\"{}\" stroke-opacity=\"{opacity}\"", colour::RAW),
    );
}

/// A line through the finite losses, broken where there are none.
fn broken_line(canvas: &mut Canvas, frame: &Frame, lrs: &[f64], losses: &[f64], attributes: &str) {
    let mut points = Vec::new();
    for index in thinned(losses.len().min(lrs.len()), MOST_POINTS) {
        match (frame.x(lrs[index]), frame.y(losses[index])) {
            (Some(x), Some(y)) if losses[index].is_finite() => points.push((x, y)),
            _ => canvas.path(&std::mem::take(&mut points), false, attributes),
        }
    }
    canvas.path(&points, false, attributes);
}

/// Arrows at the edge for raw losses beyond it, and crosses for those that are not finite.
fn clipped(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    let curve = &document.curve;
    let fill = format!("fill=\"{}\"", colour::MUTED);
    let mut last = [f64::NEG_INFINITY; 2];
    for (lr, loss) in curve.lr.iter().zip(&curve.loss) {
        let Some(x) = frame.x(*lr) else { continue };
        let (edge, inward, side) = match frame.y(*loss).filter(|_| loss.is_finite()) {
            None => {
                let (y, cross) = (
                    frame.top + 9.0,
                    format!("stroke=\"{}\" stroke-width=\"2\"", colour::INK),
                );
                canvas.line([x - 4.0, y - 4.0, x + 4.0, y + 4.0], &cross);
                canvas.line([x - 4.0, y + 4.0, x + 4.0, y - 4.0], &cross);
                continue;
            }
            Some(y) if y < frame.top => (frame.top + 2.0, 7.0, 0),
            Some(y) if y > frame.bottom => (frame.bottom - 2.0, -7.0, 1),
            Some(_) => continue,
        };
        // Arrows side by side would be a bar.
        if x - last[side] < 9.0 {
            continue;
        }
        last[side] = x;
        let arrow = [
            (x, edge),
            (x - 4.0, edge + inward),
            (x + 4.0, edge + inward),
        ];
        canvas.path(&arrow, true, &fill);
    }
}

/// The end of the curve with its reason, written upwards along the line: there is always room.
fn stop(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    let (Some(x), Some(reason)) = (end_of_curve(document, frame), words::stop(document)) else {
        return;
    };
    canvas.line(
        [x, frame.top, x, frame.bottom],
        &format!("stroke=\"{}\" stroke-width=\"1.5\"", colour::INK),
    );
    let outside = x + 20.0 < frame.right;
    let style = Style::new(12.0, colour::INK);
    let style = if outside { style } else { style.halo() };
    let beside = if outside { x + 15.0 } else { x - 7.0 };
    canvas.upward_text((beside, frame.bottom - 10.0), &reason, style);
}

/// The red point with its interval, or the grey ring of a value that is no suggestion.
fn suggestion(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    let Some(suggestion) = words::usable(document) else {
        return rule_value(canvas, document, frame);
    };
    let Some((x, y)) = place(document, frame, suggestion.lr) else {
        return;
    };
    let red = format!("stroke=\"{}\" stroke-width=\"2\"", colour::SUGGESTION);
    if let Some(interval) = &suggestion.interval
        && let (Some(low), Some(high)) = (frame.x(interval.low), frame.x(interval.high))
    {
        let band = [low, frame.top, high - low, frame.bottom - frame.top];
        canvas.rect(
            band,
            &format!("fill=\"{}\" fill-opacity=\"0.07\"", colour::SUGGESTION),
        );
        canvas.line([low, y, high, y], &red);
        // An end beneath the point would look out from behind it.
        for end in [low, high].into_iter().filter(|end| (end - x).abs() > 10.0) {
            canvas.line([end, y - 6.0, end, y + 6.0], &red);
        }
    }
    replica_values(canvas, document, frame);
    canvas.circle(
        (x, y),
        7.0,
        &format!(
            "fill=\"{}\" stroke=\"#ffffff\" stroke-width=\"2\"",
            colour::SUGGESTION
        ),
    );
    let text = learning_rate(suggestion.lr, 3);
    label(
        canvas,
        document,
        frame,
        (x, y),
        &text,
        Style::new(15.0, colour::SUGGESTION).bold().halo(),
    );
}

/// What each replica suggests, as ticks at the foot.
fn replica_values(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    if document.replicas.len() < 2 {
        return;
    }
    let red = format!(
        "stroke=\"{}\" stroke-width=\"2\" stroke-opacity=\"0.7\"",
        colour::SUGGESTION
    );
    for value in document
        .replicas
        .iter()
        .filter_map(|replica| replica.suggestion.as_ref())
    {
        if let Some(x) = frame.x(value.lr) {
            canvas.line([x, frame.bottom - 10.0, x, frame.bottom], &red);
        }
    }
}

fn rule_value(canvas: &mut Canvas, document: &SweepDocument, frame: &Frame) {
    let Some(value) = &document.rule_value else {
        return;
    };
    let Some((x, y)) = place(document, frame, value.lr) else {
        return;
    };
    canvas.circle(
        (x, y),
        7.0,
        &format!(
            "fill=\"#ffffff\" stroke=\"{}\" stroke-width=\"2\"",
            colour::MUTED
        ),
    );
    label(
        canvas,
        document,
        frame,
        (x, y),
        &learning_rate(value.lr, 3),
        Style::new(13.0, colour::MUTED).halo(),
    );
}

/// Where a learning rate lies on the smoothed curve; at the foot where there is none.
fn place(document: &SweepDocument, frame: &Frame, lr: f64) -> Option<(f64, f64)> {
    let x = frame.x(lr)?;
    let y = words::smoothed_at(document, lr).and_then(|loss| frame.y(loss));
    Some((x, y.unwrap_or(frame.bottom).clamp(frame.top, frame.bottom)))
}

/// Beside a point, where the fewest points of the smoothed curve are in the way: above and to the
/// right of it by default, where a falling curve leaves room.
fn label(
    canvas: &mut Canvas,
    document: &SweepDocument,
    frame: &Frame,
    (x, y): (f64, f64),
    text: &str,
    style: Style,
) {
    let width = text_width(text, style);
    let curve: Vec<(f64, f64)> = document
        .curve
        .lr
        .iter()
        .zip(&document.curve.smoothed)
        .filter_map(|(lr, loss)| Some((frame.x(*lr)?, frame.y(*loss)?)))
        .collect();
    let places = [
        (x + 10.0, y - 14.0),
        (x - 10.0 - width, y + 26.0),
        (x + 10.0, y - 40.0),
        (x - 10.0 - width, y + 48.0),
        (x - 10.0 - width, y - 14.0),
        (x + 10.0, y + 26.0),
    ];
    let in_the_way = |(left, base): &(f64, f64)| {
        let (right, top) = (left + width, base - style.size);
        let outside = *left < frame.left + 4.0
            || right > frame.right - 4.0
            || top < frame.top + 4.0
            || *base > frame.bottom - 14.0;
        let hit = |point: &&(f64, f64)| {
            (left - 4.0..=right + 4.0).contains(&point.0)
                && (top - 4.0..=base + 4.0).contains(&point.1)
        };
        (outside, curve.iter().filter(hit).count())
    };
    if let Some(place) = places.into_iter().min_by_key(in_the_way) {
        canvas.text(place, text, style);
    }
}
