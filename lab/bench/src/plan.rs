//! How much is measured: everything, or only enough for a first look.

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many events the topic has.
    pub events: u64,
    /// How often each figure is measured.
    pub rounds: usize,
    /// A run stops after this many seconds, even if there are more events.
    pub seconds: f64,
    /// How many consumers of each kind crash.
    pub crashes: usize,
    /// A consumer that commits crashes after this many seconds.
    pub seconds_to_crash: f64,
}

impl Plan {
    pub const WHOLE: Self = Self {
        events: 1_000_000,
        rounds: 3,
        seconds: 4.0,
        crashes: 3,
        seconds_to_crash: 1.0,
    };

    /// Takes less than two minutes.
    pub const QUICK: Self = Self {
        events: 100_000,
        rounds: 3,
        seconds: 0.6,
        crashes: 1,
        seconds_to_crash: 0.3,
    };
}
