//! The built-in `gpt`: a decoder as nanoGPT writes it, with its names.
//!
//! Sum of token and position embeddings; blocks of layer norm, causal self-attention, layer norm and
//! a perceptron of four times the width with the exact GELU, each added to its input; a final layer
//! norm; and a head that is tied to the token embedding. Biases everywhere but in the head, no
//! dropout. The context is as long as the data's sequences.

use rangefinder_errors::Code;
use rangefinder_session::trainer::Failure;
use tch::{Device, TchError, Tensor};

use super::init::{Drawer, Made, fan};
use crate::failure;
use crate::loss::{Criterion, Loss};
use crate::samples::Samples;

/// Deviation of all weights, but of those that end in a residual sum.
const DEVIATION: f64 = 0.02;

/// Added to the variance by PyTorch's `LayerNorm`.
const NORM_EPS: f64 = 1e-5;

/// Most tokens that are taken from the data without being asked for.
const MAX_TOKENS: i64 = 1 << 22;

/// The sizes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sizes {
    pub layers: i64,
    pub heads: i64,
    pub width: i64,
    /// `None` for as many tokens as the data use.
    pub vocabulary: Option<i64>,
}

/// All sizes.
pub(crate) struct Plan {
    sizes: Sizes,
    vocabulary: i64,
    context: i64,
}

/// The built model.
pub(crate) struct Gpt {
    tokens: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: Norm,
    width: i64,
    heads: i64,
}

struct Norm(Tensor, Tensor);

struct Linear(Tensor, Tensor);

struct Block {
    norm_1: Norm,
    attention: Linear,
    attention_out: Linear,
    norm_2: Norm,
    hidden: Linear,
    hidden_out: Linear,
}

impl Plan {
    pub(super) fn new(sizes: &Sizes, loss: Loss, samples: &Samples) -> Result<Self, Failure> {
        if loss.criterion != Criterion::CrossEntropy {
            return Err(failure::user(
                Code::LossAndModel,
                "loss",
                "`gpt` predicts tokens, which needs the loss cross_entropy",
                "use cross_entropy, or a TorchScript model",
            ));
        }
        let targets = samples.targets();
        let [input] = samples.inputs() else {
            return Err(failure::user(
                Code::BuiltinModel,
                "input_keys",
                format!(
                    "`gpt` takes one input, but {} are named",
                    samples.inputs().len()
                ),
                "name the array of tokens alone",
            ));
        };
        let integers = input.dtype().is_integer() && targets.dtype().is_integer();
        let context = match (input.shape(), targets.shape()) {
            ([_, context], [_, same]) if context == same && integers => *context,
            (inputs, targets_shape) => {
                return Err(failure::user(
                    Code::BuiltinModel,
                    "data",
                    format!(
                        "`gpt` needs integer tokens of shape (samples, context), but `{}` is {} of \
                         shape {inputs:?} and `{}` is {} of shape {targets_shape:?}",
                        input.name(),
                        input.dtype(),
                        targets.name(),
                        targets.dtype(),
                    ),
                    "save inputs and the tokens that follow them, both of that shape, or use a \
                     token stream with `context`",
                ));
            }
        };
        let largest = samples.check_tokens(sizes.vocabulary, loss.ignore_index)?;
        let vocabulary = match sizes.vocabulary {
            Some(vocabulary) => vocabulary,
            None => largest + 1,
        };
        if vocabulary > MAX_TOKENS && sizes.vocabulary.is_none() {
            return Err(failure::user(
                Code::LabelOutOfRange,
                "vocabulary",
                format!("the data use the token {}", vocabulary - 1),
                format!("number the tokens from 0 without gaps, or set vocabulary to {vocabulary}"),
            ));
        }
        Ok(Self {
            sizes: sizes.clone(),
            vocabulary,
            context: context.cast_signed() as i64,
        })
    }

    pub(super) fn build(&self, seed: u64, device: Device) -> Result<(Gpt, Made), TchError> {
        let mut drawer = Drawer::new(seed, device);
        let width = self.sizes.width;
        let name = |rest: &str| format!("transformer.{rest}");
        let tokens = drawer.normal(name("wte.weight"), &[self.vocabulary, width], DEVIATION)?;
        let positions = drawer.normal(name("wpe.weight"), &[self.context, width], DEVIATION)?;
        let blocks = (0..self.sizes.layers)
            .map(|index| Block::new(&mut drawer, &name(&format!("h.{index}")), &self.sizes))
            .collect::<Result<_, _>>()?;
        let norm = Norm::new(&mut drawer, &name("ln_f"), width)?;
        drawer.alias("lm_head.weight".to_owned(), &tokens);
        let gpt = Gpt {
            tokens,
            positions,
            blocks,
            norm,
            width,
            heads: self.sizes.heads,
        };
        Ok((gpt, drawer.made))
    }
}

impl Gpt {
    /// Logits (batch, context, vocabulary) of tokens (batch, context).
    pub(super) fn forward(&self, tokens: &Tensor) -> Result<Tensor, TchError> {
        let embedded = Tensor::f_embedding(&self.tokens, tokens, -1, false, false)?;
        let mut x = embedded.f_add(&self.positions)?;
        for block in &self.blocks {
            x = block.forward(&x, self.width, self.heads)?;
        }
        self.norm
            .forward(&x, self.width)?
            .f_linear(&self.tokens, None::<&Tensor>)
    }
}

impl Norm {
    fn new(drawer: &mut Drawer, name: &str, width: i64) -> Result<Self, TchError> {
        Ok(Self(
            drawer.constant(format!("{name}.weight"), width, 1.0)?,
            drawer.constant(format!("{name}.bias"), width, 0.0)?,
        ))
    }

    fn forward(&self, x: &Tensor, width: i64) -> Result<Tensor, TchError> {
        x.f_layer_norm(width, Some(&self.0), Some(&self.1), NORM_EPS, true)
    }
}

impl Linear {
    fn new(
        drawer: &mut Drawer,
        name: &str,
        (input, output): (i64, i64),
        deviation: f64,
    ) -> Result<Self, TchError> {
        Ok(Self(
            drawer.normal(format!("{name}.weight"), &[output, input], deviation)?,
            drawer.constant(format!("{name}.bias"), output, 0.0)?,
        ))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_linear(&self.0, Some(&self.1))
    }
}

impl Block {
    fn new(drawer: &mut Drawer, name: &str, sizes: &Sizes) -> Result<Self, TchError> {
        let width = sizes.width;
        // GPT-2: two sums a block; their variance should not grow with the depth.
        let residual = DEVIATION / fan(2 * sizes.layers).sqrt();
        let linear = |drawer: &mut Drawer, rest: &str, shape: (i64, i64), deviation: f64| {
            Linear::new(drawer, &format!("{name}.{rest}"), shape, deviation)
        };
        Ok(Self {
            norm_1: Norm::new(drawer, &format!("{name}.ln_1"), width)?,
            attention: linear(drawer, "attn.c_attn", (width, 3 * width), DEVIATION)?,
            attention_out: linear(drawer, "attn.c_proj", (width, width), residual)?,
            norm_2: Norm::new(drawer, &format!("{name}.ln_2"), width)?,
            hidden: linear(drawer, "mlp.c_fc", (width, 4 * width), DEVIATION)?,
            hidden_out: linear(drawer, "mlp.c_proj", (4 * width, width), residual)?,
        })
    }

    fn forward(&self, x: &Tensor, width: i64, heads: i64) -> Result<Tensor, TchError> {
        let attended = self.attend(&self.norm_1.forward(x, width)?, width, heads)?;
        let x = x.f_add(&attended)?;
        let hidden = self.hidden.forward(&self.norm_2.forward(&x, width)?)?;
        x.f_add(&self.hidden_out.forward(&hidden.f_gelu("none")?)?)
    }

    fn attend(&self, x: &Tensor, width: i64, heads: i64) -> Result<Tensor, TchError> {
        let size = x.size();
        let (batch, context) = (size[0], size[1]);
        let parts = self
            .attention
            .forward(x)?
            .f_split(width, 2)?
            .iter()
            .map(|part| {
                part.f_view([batch, context, heads, width / heads])?
                    .f_transpose(1, 2)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let [query, key, value] = parts.as_slice() else {
            return Err(TchError::Shape("attention has three parts".to_owned()));
        };
        let attended = Tensor::f_scaled_dot_product_attention(
            query,
            key,
            value,
            None::<&Tensor>,
            0.0,
            true,
            None,
            false,
        )?;
        let joined = attended
            .f_transpose(1, 2)?
            .f_contiguous()?
            .f_view([batch, context, width])?;
        self.attention_out.forward(&joined)
    }
}
