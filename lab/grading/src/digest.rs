//! The digests that decide whether an earlier result or an earlier build can be used again.

use std::fmt::Write;

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest of a sequence of fields.
#[derive(Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Adds a field. Its length is hashed first. Otherwise bytes could move from one field to the next without changing the
    /// digest.
    pub fn field(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The digest of all fields, as 64 hexadecimal digits.
    pub fn hex(self) -> String {
        let mut hex = String::new();
        for byte in self.0.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(fields: &[&str]) -> String {
        let mut digest = Digest::default();
        for field in fields {
            digest.field(field);
        }
        digest.hex()
    }

    /// Results of earlier runs are kept only as long as the algorithm is the same.
    #[test]
    fn the_algorithm_is_sha_256() {
        // `printf '' | sha256sum`
        assert_eq!(
            digest(&[]),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        // `printf '\3\0\0\0\0\0\0\0abc' | sha256sum`
        assert_eq!(
            digest(&["abc"]),
            "ce91dc5eec0139adf091900d225971d6ad246a845bad791b5693a9d0d55dd391"
        );
    }

    #[test]
    fn equal_fields_have_equal_digests_and_other_fields_do_not() {
        assert_eq!(digest(&["ab", "c"]), digest(&["ab", "c"]));
        assert_ne!(digest(&["ab", "c"]), digest(&["ab", "d"]));
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["ab", "c"]), digest(&["abc"]));
        assert_ne!(digest(&["ab", ""]), digest(&["ab"]));
    }
}
