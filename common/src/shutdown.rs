//! Stopping properly when someone presses Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;

/// Whether the program has been asked to stop.
pub struct Shutdown(Arc<AtomicBool>);

impl Shutdown {
    /// From now on, Ctrl-C (SIGINT) and SIGTERM do not end the program. They only ask it to stop.
    ///
    /// # Errors
    /// When the program already has another handler for these signals.
    pub fn on_ctrl_c() -> Result<Self, Error> {
        let requested = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&requested);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
        Ok(Self(requested))
    }

    /// Has the program been asked to stop? A poll loop checks this once for each message or timeout.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
