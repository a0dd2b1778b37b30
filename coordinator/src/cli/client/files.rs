//! Files that a specification names: checked here, uploaded, and named by their content.

use super::screen::Screen;
use crate::cli::output::Trouble;
use crate::client::{Client, OnPosition, Upload, digest};
use crate::exit;
use rangefinder_config::{names, resolve};
use rangefinder_errors::Code;
use rangefinder_proto::v1::SweepSpec;
use rangefinder_sweep::event::FieldError;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// How an uploaded file is named in a specification.
const ARTIFACT: &str = "artifact:";
/// Most workers that a plan may count on.
const MOST_WORKERS: u32 = 1024;
/// Enough cores for any number of workers: those of this machine do not matter.
const CORES: u32 = MOST_WORKERS;

/// A field that may name a file.
struct Place {
    field: &'static str,
    of: fn(&mut SweepSpec) -> &mut Option<String>,
    /// Names that are no files.
    builtin: &'static [&'static str],
    /// Whether it may be a pattern of several files.
    pattern: bool,
}

const PLACES: [Place; 7] = [
    Place {
        field: "model",
        of: |spec| &mut spec.model,
        builtin: &names::MODELS,
        pattern: false,
    },
    Place {
        field: "weights",
        of: |spec| &mut spec.weights,
        builtin: &[],
        pattern: false,
    },
    Place {
        field: "data",
        of: |spec| &mut spec.data,
        builtin: &names::DATA,
        pattern: true,
    },
    Place {
        field: "targets",
        of: |spec| &mut spec.targets,
        builtin: &[],
        pattern: true,
    },
    Place {
        field: "optimizer_state",
        of: |spec| &mut spec.optimizer_state,
        builtin: &[],
        pattern: false,
    },
    Place {
        field: "eval_data",
        of: |spec| &mut spec.eval_data,
        builtin: &[],
        pattern: true,
    },
    Place {
        field: "eval_targets",
        of: |spec| &mut spec.eval_targets,
        builtin: &[],
        pattern: true,
    },
];

impl Place {
    /// The file of this machine that it names.
    fn file(&self, spec: &mut SweepSpec) -> Option<String> {
        let name = (self.of)(spec).clone()?;
        let is_file = !self.builtin.contains(&name.as_str()) && !name.starts_with(ARTIFACT);
        is_file.then_some(name)
    }
}

/// Finds at once what is wrong with a specification as far as it can be told here; the service
/// checks it again. With `on_server`, files lie there.
pub(super) fn check(spec: &SweepSpec, workers: u32, on_server: bool) -> Result<(), Trouble> {
    let mut mistakes = match resolve(spec.clone(), workers.clamp(1, MOST_WORKERS), CORES) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes,
    };
    if workers > MOST_WORKERS {
        mistakes.push(FieldError {
            code: Code::OutOfRange,
            field: "workers".to_owned(),
            message: format!("{workers} are too many for a plan; expected 1 to {MOST_WORKERS}"),
            remedy: "leave it out for as many as are connected to the service".to_owned(),
        });
    }
    let mut named = spec.clone();
    for place in &PLACES {
        let local = place.file(&mut named).filter(|_| !on_server);
        let Some(file) = local else {
            // Whether a file is there the service knows.
            mistakes.retain(|it| {
                it.field != place.field || ![Code::NoSuchFile, Code::NotAFile].contains(&it.code)
            });
            continue;
        };
        let last = Path::new(&file).file_name().and_then(|name| name.to_str());
        if place.pattern && last.is_some_and(|name| name.contains(['*', '?', '[', '{'])) {
            mistakes.push(FieldError {
                code: Code::UploadPattern,
                field: place.field.to_owned(),
                message: format!("`{file}` names several files, and single ones are uploaded"),
                remedy: "put the data into one file, or put the files where the service reads \
                         them and add --on-server"
                    .to_owned(),
            });
        }
    }
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(Trouble::fields(&mistakes))
    }
}

/// Brings the files that a specification names to the service, and names them by their content.
pub(super) async fn upload(
    spec: &mut SweepSpec,
    client: &Client,
    screen: &Screen,
) -> Result<(), Trouble> {
    let mut done: HashMap<String, Upload> = HashMap::new();
    for place in &PLACES {
        let Some(file) = place.file(spec) else {
            continue;
        };
        let upload = match done.get(&file) {
            Some(upload) => upload.clone(),
            None => {
                let upload = one(&file, client, screen).await?;
                done.insert(file.clone(), upload.clone());
                upload
            }
        };
        // The ending of the name tells the format.
        let name = Path::new(&file).file_name().unwrap_or_default();
        *(place.of)(spec) = Some(format!(
            "{ARTIFACT}{}/{}",
            upload.digest.0,
            name.to_string_lossy()
        ));
    }
    Ok(())
}

async fn one(file: &str, client: &Client, screen: &Screen) -> Result<Upload, Trouble> {
    let unreadable = |error: std::io::Error| {
        let text =
            format!("{file}: cannot be read: {error}\n  check the path, the rights and the disk");
        Trouble::new(exit::WRONG_INPUT, Code::of_reading(&error), text)
    };
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    screen.bytes(&format!("reading {file}"), size);
    let reading = tokio::task::spawn_blocking({
        let (screen, file) = (screen.clone(), file.to_owned());
        move || digest(Path::new(&file), &mut |position| screen.position(position))
    });
    let upload = match reading.await {
        Ok(read) => read.map_err(unreadable)?,
        Err(_) => {
            let text = format!("{file}: reading it came to a sudden end");
            return Err(Trouble::new(exit::FAILED, Code::Defect, text));
        }
    };
    screen.finish();
    screen.note(&format!("Uploading {file}"));
    screen.bytes(&format!("uploading {file}"), upload.size_bytes);
    let on_position: OnPosition = Arc::new({
        let screen = screen.clone();
        move |position| screen.position(position)
    });
    let sent = client.upload(&upload, &on_position).await;
    screen.finish();
    sent.map_err(|error| Trouble::service(&error))?;
    Ok(upload)
}
