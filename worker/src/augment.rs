//! Varies the images of a batch: what happens to each was drawn by the data crate, and happens to all
//! at once, on the device that the batch is on.

use rangefinder_data::{Augmentation, Variation};
use rangefinder_errors::Code;
use rangefinder_session::trainer::Failure;
use tch::{TchError, Tensor};

use crate::failure;
use crate::foreign;
use crate::samples::{Batch, Samples};

/// Whether there are images to vary, and large enough ones.
///
/// # Errors
/// A user's failure that names `augment`.
pub(crate) fn check(augmentation: Augmentation, samples: &Samples) -> Result<(), Failure> {
    if augmentation.is_none() {
        return Ok(());
    }
    let mut images = samples
        .inputs()
        .iter()
        .filter(|input| input.shape().len() == 4)
        .peekable();
    if images.peek().is_none() {
        let shapes: Vec<String> = samples
            .inputs()
            .iter()
            .map(|input| format!("`{}` {:?}", input.name(), input.shape()))
            .collect();
        return Err(failure::user(
            Code::Augmentation,
            "augment",
            format!(
                "there are no images to vary, arrays of shape (samples, channels, height, width): the \
                 inputs are {}",
                shapes.join(", ")
            ),
            "remove `augment`, or save the images with four dimensions",
        ));
    }
    let Some(crop) = augmentation.crop else {
        return Ok(());
    };
    match images.find(|image| image.shape()[2..].iter().any(|&n| n <= crop as usize)) {
        None => Ok(()),
        Some(image) => Err(failure::user(
            Code::Augmentation,
            "augment",
            format!(
                "crop={crop} can leave nothing of the images of `{}`, whose shape is {:?}",
                image.name(),
                image.shape()
            ),
            "put fewer zeros around, such as an eighth of the height",
        )),
    }
}

/// Varies the images of a batch by its place in the order: all inputs of four dimensions, an image and its
/// mask alike. Targets stay as they are.
pub(crate) fn apply(
    augmentation: Augmentation,
    batch: &mut Batch,
    seed: u64,
    replica: u32,
    index: u64,
) -> Result<(), TchError> {
    if augmentation.is_none() {
        return Ok(());
    }
    let zeros = i64::from(augmentation.crop.unwrap_or(0));
    for input in &mut batch.inputs {
        let &[images, _, height, width] = input.size().as_slice() else {
            continue;
        };
        let variations: Vec<Variation> = (0..images.cast_unsigned())
            .map(|position| augmentation.draw(seed, replica, index, position))
            .collect();
        *input = vary(input, zeros, height, width, &variations)?;
    }
    Ok(())
}

/// Puts zeros around the images and takes from each the rows and columns of its variation.
fn vary(
    images: &Tensor,
    zeros: i64,
    height: i64,
    width: i64,
    variations: &[Variation],
) -> Result<Tensor, TchError> {
    let count = i64::try_from(variations.len()).unwrap_or(i64::MAX);
    let mut rows = Vec::new();
    let mut columns = Vec::new();
    for variation in variations {
        let top = variation.top.cast_signed();
        rows.extend(top..top + height);
        let left = variation.left.cast_signed();
        if variation.flip {
            columns.extend((left..left + width).rev());
        } else {
            columns.extend(left..left + width);
        }
    }
    let device = images.device();
    let index = |places: &[i64], shape: [i64; 4]| {
        foreign::upload(&Tensor::f_from_slice(places)?.f_reshape(shape)?, device)
    };
    let mut varied = images.shallow_clone();
    if zeros > 0 {
        varied = varied.f_constant_pad_nd([zeros, zeros, zeros, zeros])?;
        let rows = index(&rows, [count, 1, height, 1])?;
        let size = [count, varied.size()[1], height, varied.size()[3]];
        varied = varied.f_gather(2, &rows.f_expand(size, false)?, false)?;
    }
    let columns = index(&columns, [count, 1, 1, width])?;
    let size = [count, varied.size()[1], height, width];
    varied.f_gather(3, &columns.f_expand(size, false)?, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// Images whose elements are all different, none of them 0.
    fn images(shape: [i64; 4], kind: Kind) -> Tensor {
        let elements = shape.iter().product::<i64>();
        (Tensor::arange(elements, (Kind::Int64, Device::Cpu)) + 1)
            .reshape(shape)
            .to_kind(kind)
    }

    fn batch(image: Tensor) -> Batch {
        Batch {
            targets: Tensor::arange(image.size()[0], (Kind::Int64, Device::Cpu)),
            inputs: vec![image],
        }
    }

    fn both() -> Augmentation {
        Augmentation {
            crop: Some(2),
            flip: true,
        }
    }

    /// The element of a varied image, by its definition.
    fn expected(images: &Tensor, zeros: i64, of: &Variation, at: [i64; 4]) -> f64 {
        let [n, c, i, j] = at;
        let (height, width) = (images.size()[2], images.size()[3]);
        let j = if of.flip { width - 1 - j } else { j };
        let row = i + of.top.cast_signed() - zeros;
        let column = j + of.left.cast_signed() - zeros;
        if (0..height).contains(&row) && (0..width).contains(&column) {
            images.double_value(&[n, c, row, column])
        } else {
            0.0
        }
    }

    #[test]
    fn every_pixel_is_where_crop_and_flip_put_it() {
        let shape = [9, 2, 5, 4];
        let flip = Augmentation {
            crop: None,
            flip: true,
        };
        let crop = Augmentation {
            crop: Some(3),
            flip: false,
        };
        for kind in [Kind::Float, Kind::Half, Kind::Int64, Kind::Bool] {
            for augmentation in [flip, crop, both()] {
                let image = images(shape, kind);
                let mut varied = batch(image.shallow_clone());
                apply(augmentation, &mut varied, 3, 1, 17).unwrap();
                assert_eq!(varied.inputs[0].size(), shape);
                assert_eq!(varied.inputs[0].kind(), kind);
                let zeros = i64::from(augmentation.crop.unwrap_or(0));
                for n in 0..shape[0] {
                    let drawn = augmentation.draw(3, 1, 17, n.cast_unsigned());
                    for (c, i, j) in (0..shape[1]).flat_map(|c| {
                        (0..shape[2]).flat_map(move |i| (0..shape[3]).map(move |j| (c, i, j)))
                    }) {
                        let at = [n, c, i, j];
                        assert_eq!(
                            varied.inputs[0].double_value(&at),
                            expected(&image, zeros, &drawn, at),
                            "{augmentation:?} {kind:?} {at:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_step_is_varied_the_same_way_whenever_and_other_steps_and_replicas_otherwise() {
        let varied = |seed, replica, step| {
            let mut batch = batch(images([16, 1, 6, 6], Kind::Float));
            apply(both(), &mut batch, seed, replica, step).unwrap();
            batch.inputs.remove(0)
        };
        let first = varied(1, 0, 50);
        let _ = varied(1, 0, 49);
        assert_eq!(first, varied(1, 0, 50));
        for other in [varied(1, 0, 51), varied(1, 1, 50), varied(2, 0, 50)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn all_images_of_a_sample_are_varied_alike_and_other_inputs_stay() {
        let image = images([8, 3, 6, 6], Kind::Float);
        let mask = image.narrow(1, 1, 1);
        let other = images([8, 1, 1, 5], Kind::Float).reshape([8, 5]);
        let mut batch = Batch {
            targets: other.copy(),
            inputs: vec![image, mask, other.copy()],
        };
        apply(both(), &mut batch, 5, 0, 0).unwrap();
        assert_eq!(batch.inputs[0].narrow(1, 1, 1), batch.inputs[1]);
        assert_eq!(batch.inputs[2], other);
        assert_eq!(batch.targets, other);
    }

    #[test]
    fn nothing_asked_leaves_the_batch_alone() {
        let image = images([2, 1, 3, 3], Kind::Float);
        let mut batch = batch(image.shallow_clone());
        apply(Augmentation::default(), &mut batch, 0, 0, 0).unwrap();
        assert_eq!(batch.inputs[0].data_ptr(), image.data_ptr());
    }
}
