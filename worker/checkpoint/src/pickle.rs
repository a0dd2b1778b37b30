//! The part of pickle that `torch.save` writes for dictionaries of tensors, protocols 2 to 4.
//!
//! Objects live in an arena and refer to each other by index, so that an object which is named a
//! thousand times is there once, and cycles harm nobody: nothing here recurses.

use rangefinder_errors::Code;
use std::collections::HashMap;

use crate::error::{CheckpointError, Quoted};
use crate::tensor::of_storage;
use rangefinder_data::Dtype;

#[cfg(test)]
mod tests;

/// Most dimensions a tensor may have, as in PyTorch.
const MAX_DIMENSIONS: usize = 64;

/// Longest text, in bytes: all are names. Few bytes of a pickle may name a text again and again, and
/// each tensor has copies of its own.
const MOST_TEXT: usize = 1024;

/// Place of an object in the arena.
pub(crate) type Id = usize;

/// What a pickle holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function by its dotted name; it is never called.
    Global(String),
    /// Bytes beside the pickle, by their key.
    Storage {
        dtype: Dtype,
        key: String,
        elements: usize,
    },
    Tensor(TensorRef),
}

/// A view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TensorRef {
    pub dtype: Dtype,
    pub key: String,
    /// Elements that the storage claims.
    pub elements: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// An unpickled file.
#[derive(Debug)]
pub(crate) struct Pickle {
    objects: Vec<Object>,
    root: Id,
}

impl Pickle {
    pub(crate) fn root(&self) -> &Object {
        self.get(self.root)
    }

    pub(crate) fn get(&self, id: Id) -> &Object {
        self.objects.get(id).unwrap_or(&Object::None)
    }

    /// Reads a pickle.
    ///
    /// # Errors
    /// When it is cut short, uses an instruction that `torch.save` does not, or calls for code.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run()?;
        Ok(Self {
            objects: machine.objects,
            root,
        })
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, CheckpointError> {
        loop {
            let at = self.at;
            let [code] = self.take()?;
            match code {
                b'.' => return self.pop(),
                0x80 => {
                    let [_protocol] = self.take()?;
                }
                // FRAME: only a hint for readers.
                0x95 => {
                    let _: [u8; 8] = self.take()?;
                }
                b'(' => self.marks.push(self.stack.len()),
                b'0' => {
                    self.pop()?;
                }
                b'N' => self.push(Object::None),
                0x88 => self.push(Object::Bool(true)),
                0x89 => self.push(Object::Bool(false)),
                b'K' => {
                    let [value] = self.take()?;
                    self.push(Object::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.take()?);
                    self.push(Object::Int(value.into()));
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.take()?);
                    self.push(Object::Int(value.into()));
                }
                0x8a => self.long()?,
                b'G' => {
                    let value = f64::from_be_bytes(self.take()?);
                    self.push(Object::Float(value));
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.take()?) as usize;
                    self.text(length)?;
                }
                0x8c => {
                    let [length] = self.take()?;
                    self.text(length.into())?;
                }
                b')' => self.push(Object::Tuple(Vec::new())),
                b']' => self.push(Object::List(Vec::new())),
                b'}' => self.push(Object::Dict(Vec::new())),
                b't' => {
                    let items = self.since_mark()?;
                    self.push(Object::Tuple(items));
                }
                0x85..=0x87 => {
                    let count = usize::from(code - 0x84);
                    let from = self.stack.len().checked_sub(count);
                    let items = self.stack.split_off(from.ok_or_else(|| self.broken())?);
                    self.push(Object::Tuple(items));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend_list(vec![item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.extend_list(items)?;
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.extend_dict(&[key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.extend_dict(&items)?;
                }
                b'q' => {
                    let [index] = self.take()?;
                    self.remember(index.into())?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.remember(index)?;
                }
                0x94 => {
                    let index = u32::try_from(self.memo.len()).map_err(|_| self.broken())?;
                    self.remember(index)?;
                }
                b'h' => {
                    let [index] = self.take()?;
                    self.recall(index.into())?;
                }
                b'j' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.recall(index)?;
                }
                b'c' => {
                    let module = self.line()?;
                    let name = self.line()?;
                    self.global(&module, &name)?;
                }
                0x93 => {
                    let name = self.pop()?;
                    let module = self.pop()?;
                    let (Object::Text(module), Object::Text(name)) =
                        (self.object(module).clone(), self.object(name).clone())
                    else {
                        return Err(self.broken());
                    };
                    self.global(&module, &name)?;
                }
                b'Q' => self.storage()?,
                b'R' => self.call()?,
                // BUILD: the attributes of a dictionary, such as `_metadata` of a state dict.
                b'b' => {
                    self.pop()?;
                }
                other => {
                    return Err(CheckpointError::new(
                        Code::CheckpointKind,
                        format!(
                            "has the instruction {other:#04x} at byte {at} of its data.pkl, which no dictionary of tensors needs"
                        ),
                        "save with torch.save the state_dict() of the model or of the optimizer alone",
                    ));
                }
            }
        }
    }

    fn broken(&self) -> CheckpointError {
        CheckpointError::damaged(format!(
            "has a data.pkl of {} bytes that breaks off or contradicts itself at byte {}",
            self.bytes.len(),
            self.at
        ))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk::<N>().copied();
        self.at += N;
        taken.ok_or_else(|| self.broken())
    }

    fn slice(&mut self, length: usize) -> Result<&[u8], CheckpointError> {
        let end = self.at.checked_add(length);
        match end.filter(|&end| end <= self.bytes.len()) {
            Some(end) => {
                let slice = &self.bytes[self.at..end];
                self.at = end;
                Ok(slice)
            }
            None => Err(self.broken()),
        }
    }

    fn line(&mut self) -> Result<String, CheckpointError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| self.broken())?;
        let text = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(text)
    }

    fn text(&mut self, length: usize) -> Result<(), CheckpointError> {
        if length > MOST_TEXT {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                format!(
                    "has a text of {length} bytes in its data.pkl, where names of at most \
                     {MOST_TEXT} are expected"
                ),
                "save with torch.save the state_dict() of the model or of the optimizer alone",
            ));
        }
        let text = std::str::from_utf8(self.slice(length)?).map(str::to_owned);
        let text = text.map_err(|_| self.broken())?;
        self.push(Object::Text(text));
        Ok(())
    }

    /// LONG1: a little-endian integer in two's complement.
    fn long(&mut self) -> Result<(), CheckpointError> {
        let [length] = self.take()?;
        let bytes = self.slice(length.into())?;
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let fits = bytes.len() <= wide.len();
        for (wide, byte) in wide.iter_mut().zip(bytes) {
            *wide = *byte;
        }
        if !fits {
            return Err(self.broken());
        }
        self.push(Object::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn object(&self, id: Id) -> &Object {
        self.objects.get(id).unwrap_or(&Object::None)
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn pop(&mut self) -> Result<Id, CheckpointError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.broken());
        }
        self.stack.pop().ok_or_else(|| self.broken())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, CheckpointError> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(self.broken()),
        }
    }

    fn extend_list(&mut self, items: Vec<Id>) -> Result<(), CheckpointError> {
        let top = self.stack.last().copied();
        match top.and_then(|id| self.objects.get_mut(id)) {
            Some(Object::List(list)) => {
                list.extend(items);
                Ok(())
            }
            _ => Err(self.broken()),
        }
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<(), CheckpointError> {
        let top = self.stack.last().copied();
        match top.and_then(|id| self.objects.get_mut(id)) {
            Some(Object::Dict(dict)) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => Err(self.broken()),
        }
    }

    fn remember(&mut self, index: u32) -> Result<(), CheckpointError> {
        let top = self.stack.last().copied().ok_or_else(|| self.broken())?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), CheckpointError> {
        let id = self
            .memo
            .get(&index)
            .copied()
            .ok_or_else(|| self.broken())?;
        self.stack.push(id);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), CheckpointError> {
        let known = match module {
            "collections" => name == "OrderedDict" || name == "defaultdict",
            "torch._utils" => name == "_rebuild_tensor_v2" || name == "_rebuild_parameter",
            "torch" => of_storage(name).is_some(),
            _ => false,
        };
        let full = format!("{module}.{name}");
        if !known {
            return Err(CheckpointError::new(
                Code::CheckpointKind,
                format!(
                    "holds {}, which is not part of a dictionary of tensors; such code is never run",
                    Quoted(&full)
                ),
                "save with torch.save the state_dict() of the model or of the optimizer alone",
            ));
        }
        self.push(Object::Global(full));
        Ok(())
    }

    /// BINPERSID: `("storage", torch.FloatStorage, key, location, elements)`.
    fn storage(&mut self) -> Result<(), CheckpointError> {
        let id = self.pop()?;
        let Object::Tuple(items) = self.object(id) else {
            return Err(self.broken());
        };
        let parts: Vec<&Object> = items.iter().map(|&id| self.object(id)).collect();
        let [
            Object::Text(_),
            Object::Global(class),
            Object::Text(key),
            Object::Text(_),
            Object::Int(elements),
        ] = parts.as_slice()
        else {
            return Err(self.broken());
        };
        let dtype = class.strip_prefix("torch.").and_then(of_storage);
        let (Some(dtype), Ok(elements)) = (dtype, usize::try_from(*elements)) else {
            return Err(self.broken());
        };
        let key = key.clone();
        self.push(Object::Storage {
            dtype,
            key,
            elements,
        });
        Ok(())
    }

    /// REDUCE: one of the functions that [`Self::global`] lets through.
    fn call(&mut self) -> Result<(), CheckpointError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Object::Tuple(arguments), Object::Global(function)) =
            (self.object(arguments), self.object(function))
        else {
            return Err(self.broken());
        };
        let result = match (function.as_str(), arguments.as_slice()) {
            ("collections.OrderedDict", []) | ("collections.defaultdict", [_]) => {
                Some(Object::Dict(Vec::new()))
            }
            ("torch._utils._rebuild_tensor_v2", arguments) => {
                self.view(arguments).map(Object::Tensor)
            }
            ("torch._utils._rebuild_parameter", [tensor, ..]) => match self.object(*tensor) {
                tensor @ Object::Tensor(_) => Some(tensor.clone()),
                _ => None,
            },
            _ => None,
        };
        let result = result.ok_or_else(|| self.broken())?;
        self.push(result);
        Ok(())
    }

    /// Arguments (storage, offset, shape, strides, ...).
    fn view(&self, arguments: &[Id]) -> Option<TensorRef> {
        let [storage, offset, shape, strides, ..] = arguments else {
            return None;
        };
        let Object::Storage {
            dtype,
            key,
            elements,
        } = self.object(*storage)
        else {
            return None;
        };
        let number = |id: &Id| match self.object(*id) {
            Object::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        };
        let numbers = |id: &Id| match self.object(*id) {
            Object::Tuple(items) if items.len() <= MAX_DIMENSIONS => {
                items.iter().map(number).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let (shape, strides) = (numbers(shape)?, numbers(strides)?);
        (shape.len() == strides.len()).then_some(TensorRef {
            dtype: *dtype,
            key: key.clone(),
            elements: *elements,
            offset: number(offset)?,
            shape,
            strides,
        })
    }
}
