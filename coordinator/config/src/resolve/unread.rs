//! What to do about data that are not read: how to make of them what is.

use std::path::Path;

/// What writes tokens.
const TOKENS: &str = "numpy.array(tokens, dtype=numpy.uint16).tofile(\"tokens.bin\")";
/// What writes arrays.
const ARRAYS: &str = "numpy.savez(\"data.npz\", inputs=x, targets=y)";

/// How to turn a file whose format is not read into one that is.
pub(super) fn remedy(source: &str) -> String {
    let ending = Path::new(source).extension().unwrap_or_default();
    let ending = ending.to_string_lossy().to_lowercase();
    let table = |reader: &str| {
        format!(
            "a table of numbers becomes a .csv with {reader}.to_csv(\"data.csv\", index=False), and \
             --target-column names its target"
        )
    };
    match ending.as_str() {
        "txt" | "md" | "text" => format!("{}; save arrays with {ARRAYS}", text()),
        "pt" | "pth" | "pkl" | "pickle" => format!(
            "load it in Python and save its tensors as arrays, x = x.numpy(): {ARRAYS}; if it is a \
             model, name it with --model"
        ),
        "parquet" => table("pandas.read_parquet(file)"),
        "feather" | "arrow" => table("pandas.read_feather(file)"),
        "tsv" => table("pandas.read_csv(file, sep=\"\\t\")"),
        "xlsx" | "xls" => table("pandas.read_excel(file)"),
        "jsonl" | "ndjson" => format!(
            "{}; {}",
            table("pandas.read_json(file, lines=True)"),
            text()
        ),
        "json" => format!("{}; {}", table("pandas.read_json(file)"), text()),
        "png" | "jpg" | "jpeg" | "gif" | "bmp" | "tif" | "tiff" | "webp" => images(),
        _ => format!("save arrays with {ARRAYS}, or tokens for `gpt` with {TOKENS}"),
    }
}

/// What to do where a folder is named.
pub(super) fn folder() -> String {
    format!(
        "name one file, or several by a pattern such as \"train-*.npz\"; {}",
        images()
    )
}

fn text() -> String {
    format!(
        "a text becomes tokens for `gpt`: {TOKENS}, or one token a byte with examples/gpt/tokens.py"
    )
}

fn images() -> String {
    format!(
        "images become one float32 array x of shape (samples, channels, height, width): {ARRAYS}; or train \
         them in a loop of your own with --worker-command"
    )
}
