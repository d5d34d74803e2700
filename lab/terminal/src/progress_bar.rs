//! Shows in a terminal how much of the work is done.

use std::time::Duration;

use indicatif::ProgressStyle;

/// A line at the bottom of the terminal. It is not shown if standard error is not a terminal.
pub struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// A bar for this number of things. `done` says what happens to each of them, for example "judged".
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

    /// Counts one more thing as done.
    pub fn one_more(&self) {
        self.0.inc(1);
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
