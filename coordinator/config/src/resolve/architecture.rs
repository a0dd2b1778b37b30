//! The built-in models and their sizes.

use super::mistakes::Mistakes;
use rangefinder_errors::Code;
use rangefinder_proto::v1;

const DEFAULT_MLP: [u32; 2] = [256, 256];
const DEFAULT_CNN: [u32; 2] = [32, 64];
const DEFAULT_GPT: (u32, u32, u32) = (6, 6, 384);
const DEFAULT_RESNET: u32 = 64;
const MAX_WIDTH: u32 = 1 << 20;
const MAX_LAYERS: u32 = 1 << 10;

/// A built-in model with its own sizes; those of other models are mistakes.
pub(super) fn builtin(
    spec: &mut v1::SweepSpec,
    mistakes: &mut Mistakes,
    name: &str,
) -> v1::Builtin {
    let gpt = name == "gpt";
    let wide = gpt || name == "resnet18";
    others(spec, mistakes, &format!("`{name}`"), !wide, gpt, wide);
    match name {
        "mlp" if spec.hidden_sizes.is_empty() => spec.hidden_sizes = DEFAULT_MLP.to_vec(),
        "cnn" if spec.hidden_sizes.is_empty() => spec.hidden_sizes = DEFAULT_CNN.to_vec(),
        "gpt" => {
            spec.layers.get_or_insert(DEFAULT_GPT.0);
            spec.heads.get_or_insert(DEFAULT_GPT.1);
            spec.width.get_or_insert(DEFAULT_GPT.2);
        }
        "resnet18" => {
            spec.width.get_or_insert(DEFAULT_RESNET);
        }
        _ => {}
    }
    if let Some(width) = spec
        .hidden_sizes
        .iter()
        .find(|width| !wide && !(1..=MAX_WIDTH).contains(*width))
    {
        mistakes.add(
            Code::OutOfRange,
            "hidden_sizes",
            format!("{width} is not a width; expected 1 to {MAX_WIDTH}"),
            "give the widths of the hidden layers, such as 256,256",
        );
    }
    let mut size = |field: &str, value: Option<u32>, most: u32, example: u32| {
        let fits = value.is_none_or(|value| (1..=most).contains(&value));
        if let Some(value) = value.filter(|_| !fits) {
            mistakes.add(
                Code::OutOfRange,
                field,
                format!("{value} is out of range; expected 1 to {most}"),
                format!("use a value such as {example}"),
            );
        }
        fits
    };
    if gpt {
        size("layers", spec.layers, MAX_LAYERS, DEFAULT_GPT.0);
        size("vocabulary", spec.vocabulary, u32::MAX, 256);
    }
    if wide {
        let width = size("width", spec.width, MAX_WIDTH, DEFAULT_RESNET);
        let heads = !gpt || size("heads", spec.heads, MAX_WIDTH, DEFAULT_GPT.1);
        if let (true, Some(width), Some(heads)) = (width && heads && gpt, spec.width, spec.heads)
            && !width.is_multiple_of(heads)
        {
            mistakes.add(
                Code::ModelSizes,
                "heads",
                format!("{heads} heads cannot share a width of {width} evenly"),
                format!("use a width such as {}", width.next_multiple_of(heads)),
            );
        }
    }
    v1::Builtin {
        name: name.to_owned(),
        hidden_sizes: spec.hidden_sizes.clone(),
        layers: spec.layers.unwrap_or_default(),
        heads: spec.heads.unwrap_or_default(),
        width: spec.width.unwrap_or_default(),
        vocabulary: spec.vocabulary.unwrap_or_default(),
    }
}

/// A TorchScript file has its own layers.
pub(super) fn script(spec: &v1::SweepSpec, mistakes: &mut Mistakes) {
    let here = "a TorchScript file, which has its own layers";
    others(spec, mistakes, here, false, false, false);
}

/// Notes the sizes that the model `here` does not have.
fn others(
    spec: &v1::SweepSpec,
    mistakes: &mut Mistakes,
    here: &str,
    hidden: bool,
    gpt: bool,
    wide: bool,
) {
    mistakes.does_not_apply(
        "hidden_sizes",
        !hidden && !spec.hidden_sizes.is_empty(),
        here,
        "`mlp` or `cnn`",
    );
    for (field, set) in [
        ("layers", spec.layers.is_some()),
        ("heads", spec.heads.is_some()),
        ("vocabulary", spec.vocabulary.is_some()),
    ] {
        mistakes.does_not_apply(field, !gpt && set, here, "`gpt`");
    }
    let width = !wide && spec.width.is_some();
    mistakes.does_not_apply("width", width, here, "`gpt` or `resnet18`");
}
