//! How far something is, in a terminal.

use std::time::Duration;

use indicatif::ProgressStyle;

/// A line at the bottom of the terminal. Where standard error is none, it is not shown.
pub struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// Of so many things, of which more and more are `done`: "judged", say.
    pub fn new(all: usize, done: &str) -> Self {
        let bar = indicatif::ProgressBar::new(all as u64);
        let template =
            format!("{{spinner}} {{pos}} of {{len}} {done}, {{elapsed}} {{wide_bar:.dim}}");
        if let Ok(look) = ProgressStyle::with_template(&template) {
            bar.set_style(look);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Prints a line on standard output, above the bar.
    pub fn println(&self, line: impl AsRef<str>) {
        self.0.suspend(|| println!("{}", line.as_ref()));
    }

    /// One more is done.
    pub fn one_more(&self) {
        self.0.inc(1);
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
