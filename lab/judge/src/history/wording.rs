//! What happened at one moment, in words. Terminals and pages say it alike.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use cluster::printable;
use nix::sys::signal::Signal;

use crate::history::{Happening, Moment};
use crate::programs::transcript::Deed;

impl Moment {
    /// What happened, without a period at the end: `consumer was killed (kill -9)`.
    pub fn in_words(&self) -> String {
        let who = &self.who;
        let words = match &self.what {
            Happening::Deed(deed) => format!("{who} {}", deed_in_words(deed)),
            Happening::Out(line) => format!("{who} printed: {line}"),
            Happening::Err(line) => format!("{who} printed on standard error: {line}"),
            Happening::Request { sentence, .. } => format!("{who} {sentence}"),
            Happening::Note(note) => note.trim().to_string(),
        };
        // A program chooses what it prints and what its client is called.
        printable(&words)
    }
}

fn deed_in_words(deed: &Deed) -> String {
    match deed {
        Deed::Started => "was started".to_string(),
        Deed::Interrupted => "was interrupted (Ctrl-C)".to_string(),
        Deed::Killed => "was killed (kill -9)".to_string(),
        Deed::Ended(status) => end_in_words(*status),
    }
}

fn end_in_words(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("ended with exit status {code}");
    }
    let signal = status
        .signal()
        .and_then(|signal| Signal::try_from(signal).ok());
    let name = signal.map_or("a signal", Signal::as_str);
    format!("was ended by {name}")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn deed(deed: Deed) -> String {
        let moment = Moment {
            at: SystemTime::now(),
            who: "consumer".to_string(),
            run: Some(1),
            what: Happening::Deed(deed),
        };
        moment.in_words()
    }

    #[test]
    fn says_how_a_program_ended() {
        let ended = |status| deed(Deed::Ended(ExitStatus::from_raw(status)));
        assert_eq!(ended(0x0100), "consumer ended with exit status 1");
        assert_eq!(ended(9), "consumer was ended by SIGKILL");
        assert_eq!(deed(Deed::Killed), "consumer was killed (kill -9)");
    }
}
