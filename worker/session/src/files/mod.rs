//! The files that an order names: found, downloaded, or refused, before the trainer hears of it.
//!
//! - `places`: where a specification names files.
//! - `download`: an artifact from the coordinator into the worker's cache.
//! - [`Library`]: both, and the folders within which paths must lie.

mod download;
mod places;

use crate::options::Options;
use crate::trainer::Failure;
use crate::work::{Job, worker_failure};
use download::Cache;
use places::Place;
use rangefinder_access::{Kind, check_size};
use rangefinder_artifacts::{Pin, Reference};
use rangefinder_errors::{Code, Coded};
use rangefinder_proto::v1;
use std::sync::Arc;

/// Makes the files of orders ready.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    options: Arc<Options>,
    cache: Arc<Cache>,
}

/// Who hears how many bytes of a job's artifacts have arrived.
pub(crate) type Progress = Arc<dyn Fn(u64) + Send + Sync>;

impl Library {
    pub(crate) fn new(options: &Options) -> Self {
        let options = Arc::new(options.clone());
        Self {
            cache: Arc::new(Cache::new(&options)),
            options,
        }
    }

    /// Whether a job can go to the trainer as it is.
    pub(crate) fn is_ready(&self, job: &Job) -> bool {
        let mut spec = job.spec().clone();
        self.options.files.roots.is_none()
            && !places::files(&mut spec)
                .iter()
                .any(|place| Reference::is_one(place.text))
    }

    /// A job whose specification names files that are there, and what keeps them there. Safe to
    /// cancel: what has arrived is kept for the next time.
    pub(crate) async fn prepare(
        &self,
        mut job: Job,
        progress: Progress,
    ) -> Result<(Job, Vec<Pin>), Failure> {
        let mut pins = Vec::new();
        let mut before = 0;
        for place in places::files(job.spec_mut()) {
            if Reference::is_one(place.text) {
                let said = Arc::clone(&progress);
                let pin = self
                    .artifact(&place, Arc::new(move |bytes| said(before + bytes)))
                    .await?;
                before += pin.1.size_bytes();
                *place.text = pin.0;
                pins.push(pin.1);
            } else if let Some(path) = self.confined(&place).await? {
                *place.text = path;
            }
        }
        Ok((job, pins))
    }

    /// The path of an artifact, which is downloaded where it is not there.
    async fn artifact(
        &self,
        place: &Place<'_>,
        progress: Progress,
    ) -> Result<(String, Pin), Failure> {
        let reference: Reference =
            place
                .text
                .parse()
                .map_err(|error: rangefinder_artifacts::Error| {
                    mistake(
                        place.field,
                        error.code(),
                        &error,
                        "name an artifact as the coordinator does",
                    )
                })?;
        let limit = match place.kind {
            Kind::Model => Some(self.options.files.max_model_bytes),
            Kind::Data => None,
        };
        let pin = self
            .cache
            .fetch(&self.options, &reference, limit, progress)
            .await
            .map_err(|problem| problem.into_failure(place.field))?;
        blocking(move || {
            let path = pin
                .named(&reference)
                .map_err(|error| cache_failure(&error))?;
            Ok((text(path)?, pin))
        })
        .await
    }

    /// The path within the folders that were named, where there are any.
    async fn confined(&self, place: &Place<'_>) -> Result<Option<String>, Failure> {
        let Some(roots) = self.options.files.roots.clone() else {
            return Ok(None);
        };
        let (field, kind, named) = (place.field, place.kind, place.text.clone());
        let max_model_bytes = self.options.files.max_model_bytes;
        blocking(move || {
            let refused = |error: rangefinder_access::Error| {
                mistake(field, error.code, &error.message, error.remedy.clone())
            };
            let path = roots.resolve(kind, &named).map_err(refused)?;
            if kind == Kind::Model {
                check_size(&path, max_model_bytes).map_err(refused)?;
            }
            text(path).map(Some)
        })
        .await
    }
}

fn text(path: std::path::PathBuf) -> Result<String, Failure> {
    path.into_os_string().into_string().map_err(|path| {
        worker_failure(format!(
            "the path {path:?} is not UTF-8: name folders and cache of this worker in UTF-8"
        ))
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(worker_failure(format!(
            "the worker's file work ended: {error}"
        ))),
    }
}

/// A mistake of the user in one field.
fn mistake(
    field: &str,
    code: Code,
    message: &(impl ToString + ?Sized),
    remedy: impl Into<String>,
) -> Failure {
    Failure {
        kind: v1::FailureKind::User,
        code,
        message: message.to_string(),
        fields: vec![v1::FieldError {
            field: field.to_owned(),
            message: message.to_string(),
            remedy: remedy.into(),
            code: Some(code.to_string()),
        }],
    }
}

/// The worker's own cache does not do: another worker may have a better one.
fn cache_failure(error: &(impl ToString + ?Sized)) -> Failure {
    Failure {
        code: Code::WorkerCache,
        ..worker_failure(format!(
            "the worker's cache of artifacts: {}; see RANGEFINDER_CACHE_DIR and \
             RANGEFINDER_CACHE_BYTES",
            error.to_string()
        ))
    }
}

#[cfg(test)]
mod tests;
