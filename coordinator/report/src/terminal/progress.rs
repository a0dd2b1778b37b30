//! Shows a running sweep: live on a terminal, as plain lines elsewhere.

use super::style::{clean_lines, fold, stderr_style};
use super::view::{Note, View};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rangefinder_sweep::event::SweepEvent;
use std::io::Write;
use std::time::Duration;

/// Least time between two plain lines about the steps, on the clock of the events.
const PLAIN_EVERY_MS: u64 = 5000;

/// Longest time for which the live view may be behind the events.
const TICK: Duration = Duration::from_millis(200);

/// Columns of what turns before the bar while nothing else may move for long: data is loaded, a
/// step is slow.
const SPINNER: usize = 2;

/// Where it is shown.
enum Screen {
    Live(ProgressBar),
    Plain {
        writer: Box<dyn Write + Send>,
        last_ms: Option<u64>,
    },
}

/// Shows a running sweep on stderr: a live view on a terminal, plain lines elsewhere.
///
/// A closed or broken stderr never fails and never panics.
pub struct Progress {
    screen: Screen,
    view: View,
    width: usize,
    colour: bool,
    quiet: bool,
    /// Whether the width is that of stderr, whose window may be resized at any time.
    follow: bool,
}

impl Progress {
    /// A view on stderr. `learning_rates` are those of every planned step. With `quiet` nothing
    /// is shown but failures of workers; how the sweep ended is for the caller to say.
    #[must_use]
    pub fn stderr(learning_rates: Vec<f64>, quiet: bool) -> Self {
        let (width, colour) = stderr_style();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if Term::stderr().is_term() && !dumb && !quiet {
            let mut progress =
                Self::live(learning_rates, ProgressDrawTarget::stderr(), width, colour);
            if let Screen::Live(bar) = &progress.screen {
                // Draws are rate-limited: without it, the last one before a pause may be left out.
                bar.enable_steady_tick(TICK);
            }
            progress.follow = true;
            return progress;
        }
        Self::plain(learning_rates, Box::new(std::io::stderr()), width, quiet)
    }

    pub(crate) fn live(
        learning_rates: Vec<f64>,
        target: ProgressDrawTarget,
        width: usize,
        colour: bool,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self {
            screen: Screen::Live(bar),
            view: View::new(learning_rates),
            width,
            colour,
            quiet: false,
            follow: false,
        }
    }

    pub(crate) fn plain(
        learning_rates: Vec<f64>,
        writer: Box<dyn Write + Send>,
        width: usize,
        quiet: bool,
    ) -> Self {
        let screen = Screen::Plain {
            writer,
            last_ms: None,
        };
        Self {
            screen,
            view: View::new(learning_rates),
            width,
            colour: false,
            quiet,
            follow: false,
        }
    }

    /// Takes in what happened; never fails, whatever became of stderr.
    pub fn show(&mut self, event: &SweepEvent) {
        if self.follow {
            self.width = stderr_style().0;
        }
        for note in self.view.take(event, self.width, self.colour) {
            self.print(&note);
        }
        self.refresh();
    }

    /// A line of the caller's own, above the bar; not shown with `quiet`.
    pub fn note(&mut self, line: &str) {
        self.print(&Note {
            text: clean_lines(line).join("\n"),
            error: false,
        });
    }

    /// Takes the bar away, so that other text can follow. Also done when dropped.
    pub fn finish(&mut self) {
        if let Screen::Live(bar) = &self.screen {
            bar.finish_and_clear();
        }
    }

    /// Draws now what a tick would draw a little later.
    #[cfg(test)]
    pub(crate) fn draw(&self) {
        if let Screen::Live(bar) = &self.screen {
            bar.force_draw();
        }
    }

    fn print(&mut self, note: &Note) {
        if self.quiet && !note.error {
            return;
        }
        match &mut self.screen {
            Screen::Live(bar) => bar.println(fold(&note.text, self.width, 2)),
            Screen::Plain { writer, .. } => line(writer, &note.text),
        }
    }

    fn refresh(&mut self) {
        match &mut self.screen {
            Screen::Live(bar) => bar.set_message(self.view.bar(self.width.saturating_sub(SPINNER))),
            Screen::Plain { .. } if self.quiet || self.view.steps().1 == 0 => {}
            Screen::Plain { writer, last_ms } => {
                let now = self.view.at_ms();
                let due = last_ms.is_none_or(|last| now.saturating_sub(last) >= PLAIN_EVERY_MS);
                if last_ms.is_none() {
                    *last_ms = Some(now);
                } else if due || self.view.ended() {
                    *last_ms = Some(now);
                    line(writer, &self.view.plain());
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// One line in one write, so that lines of several writers do not mix; errors are nobody's loss.
fn line(writer: &mut Box<dyn Write + Send>, text: &str) {
    let _ = writer.write_all(format!("{text}\n").as_bytes());
    let _ = writer.flush();
}
