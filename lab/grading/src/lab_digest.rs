//! What identifies this lab: two machines whose labs have the same digest give the same verdicts.

use broker::image;

use crate::digest::Digest;

/// The digest of the sources that this executable was built from (`build.rs`), and of the version of Kafka.
pub fn lab_digest() -> String {
    let mut digest = Digest::default();
    digest.field(env!("LAB_DIGEST")).field(image());
    digest.hex()
}
