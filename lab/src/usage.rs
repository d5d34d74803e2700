//! Errors in what was asked for.

use std::fmt;

/// Was asked for what there is not. The exit status says so: 2, as for words that the command line does not know.
#[derive(Debug)]
pub struct Usage(pub String);

impl Usage {
    /// The exit status.
    pub const STATUS: u8 = 2;
}

impl std::error::Error for Usage {}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
