//! What is shown while something goes on, whoever has something to say.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rangefinder_report::terminal;
use rangefinder_sweep::event::SweepEvent;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// stderr, shared by those who have something to say. Cheap to clone.
#[derive(Clone)]
pub(super) struct Screen {
    quiet: bool,
    shown: Arc<Mutex<Shown>>,
}

/// What is shown now.
enum Shown {
    Nothing,
    Bytes(ProgressBar),
    Sweep(Box<terminal::Progress>),
}

impl Screen {
    /// With `quiet` nothing is shown but failures.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            shown: Arc::new(Mutex::new(Shown::Nothing)),
        }
    }

    /// A sentence for people, above what moves.
    pub(super) fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        match &mut *self.shown() {
            Shown::Nothing => self.say(text),
            Shown::Bytes(bar) => bar.suspend(|| self.say(text)),
            Shown::Sweep(progress) => progress.note(text),
        }
    }

    fn say(&self, text: &str) {
        if io::stderr().is_terminal() {
            let (width, _) = terminal::stderr_style();
            terminal::say(&format!("{}\n", terminal::fold(text, width, 2)));
        } else {
            terminal::say(&format!("{text}\n"));
        }
    }

    /// Shows how far a file of so many bytes is.
    pub(super) fn bytes(&self, what: &str, size_bytes: u64) {
        self.finish();
        if self.quiet {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(size_bytes), ProgressDrawTarget::stderr());
        let template = "  {msg} {bar:20} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        *self.shown() = Shown::Bytes(bar);
    }

    /// So many bytes of it are done.
    pub(super) fn position(&self, position: u64) {
        if let Shown::Bytes(bar) = &*self.shown() {
            bar.set_position(position);
        }
    }

    /// Shows a sweep over these learning rates.
    pub(super) fn sweep(&self, learning_rates: Vec<f64>) {
        self.finish();
        let progress = terminal::Progress::stderr(learning_rates, self.quiet);
        *self.shown() = Shown::Sweep(Box::new(progress));
    }

    /// What happened in it.
    pub(super) fn event(&self, event: &SweepEvent) {
        if let Shown::Sweep(progress) = &mut *self.shown() {
            progress.show(event);
        }
    }

    /// Takes away what moves.
    pub(super) fn finish(&self) {
        match std::mem::replace(&mut *self.shown(), Shown::Nothing) {
            Shown::Bytes(bar) => bar.finish_and_clear(),
            Shown::Sweep(mut progress) => progress.finish(),
            Shown::Nothing => {}
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
