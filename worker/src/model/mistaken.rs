//! What a file is that was taken for TorchScript: the files that people give by mistake.

/// Remedy for weights without code.
const SCRIPT_IT: &str = "in Python, load the model and save it with \
                         torch.jit.script(model).save(path): a state_dict or a pickled module has \
                         weights without the code that uses them";
const COPY_IT: &str = "write or copy the file again";

/// What the file seems to be and what to do; `None` where it could be TorchScript.
pub(super) fn seems(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let holds = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    if bytes.is_empty() {
        Some(("it is empty", COPY_IT))
    } else if bytes.starts_with(b"PK") {
        if !holds(b"PK\x05\x06") {
            // Every archive ends in its table of contents.
            Some(("it is damaged or incomplete: its end is missing", COPY_IT))
        } else if holds(b"data.pkl") && !holds(b"constants.pkl") {
            Some((
                "it holds what torch.save writes: a state_dict, a checkpoint or a pickled module",
                SCRIPT_IT,
            ))
        } else {
            None
        }
    } else if bytes.starts_with(&[0x80]) {
        Some((
            "it is a pickle: a state_dict, a checkpoint or a pickled module",
            SCRIPT_IT,
        ))
    } else if bytes.starts_with(&[0x08]) {
        // The first field of a protobuf message, which ONNX models are.
        Some((
            "it looks like an ONNX model, which cannot be trained",
            "in Python, save the PyTorch model that it was made from with \
             torch.jit.script(model).save(path)",
        ))
    } else {
        Some((
            "it is no archive, as every TorchScript file is",
            "save the model with torch.jit.script(model).save(path)",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_people_take_for_torchscript_are_known() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "empty"),
            (b"PK\x03\x04 m/data.pkl m/constants.pkl", "incomplete"),
            (b"PK\x03\x04 m/data.pkl m/data/0 PK\x05\x06", "torch.save"),
            (b"\x80\x02\x8a\nl", "pickle"),
            (b"\x08\x08\x12\x07pytorch", "ONNX"),
            (b"hello", "no archive"),
        ];
        for (bytes, word) in cases {
            let (what, _) = seems(bytes).unwrap();
            assert!(what.contains(word), "{what}");
        }
        assert_eq!(
            seems(b"PK\x03\x04 m/data.pkl m/constants.pkl PK\x05\x06"),
            None
        );
    }
}
