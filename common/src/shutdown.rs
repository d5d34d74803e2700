//! Stopping in good order when someone presses Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;

/// The exit status of a program that SIGPIPE ends, as a shell reports it.
const BROKEN_PIPE: i32 = 141;

/// Whether the program has been asked to stop.
pub struct Shutdown(Arc<AtomicBool>);

impl Shutdown {
    /// From now on Ctrl-C (SIGINT) and SIGTERM no longer end the program: they are a request to stop. When whoever reads
    /// its output goes away (`… | head`), that still is the end, as with any Unix program.
    ///
    /// # Errors
    /// When the program has another handler already.
    pub fn on_ctrl_c() -> Result<Self, Error> {
        let requested = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&requested);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
        end_with_the_reader();
        Ok(Self(requested))
    }

    /// Has someone asked? A poll loop looks once for each message or timeout.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// `println!` panics when nobody reads any more. Unwinding would then close the consumer, whose callbacks print again.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let broken_pipe = panic
            .payload_as_str()
            .is_some_and(|message| message.contains("Broken pipe"));
        if broken_pipe {
            std::process::exit(BROKEN_PIPE);
        }
        usual(panic);
    }));
}
