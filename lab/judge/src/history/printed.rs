//! Reading what lab programs print. Only the numbers in a line are read, and the names before them, never the wording.

use std::collections::{BTreeMap, BTreeSet};

/// The number after `name=` in a line such as `A: partition=2 offset=17`.
pub fn field(line: &str, name: &str) -> Option<i64> {
    let pattern = format!("{name}=");
    let (_, rest) = line.match_indices(&pattern).find_map(|(at, found)| {
        let before = line[..at].chars().next_back();
        let starts_word = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        starts_word.then(|| line.split_at(at + found.len()))
    })?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The partition and the offset in a line that names both.
pub fn position(line: &str) -> Option<(i32, i64)> {
    let partition = field(line, "partition")?.try_into().ok()?;
    Some((partition, field(line, "offset")?))
}

/// The whole numbers in a line that contains this word, such as `A: assigned partitions [0, 1, 2]`; dates and times in the
/// line do not count. The word must be given in lowercase; the line may have it in any case. `None` if the line does not
/// contain the word.
pub fn numbers_beside(line: &str, word: &str) -> Option<BTreeSet<i32>> {
    let line = line.to_lowercase();
    let pieces = line.split(|c: char| c.is_whitespace() || "[](){}".contains(c));
    let numbers = pieces
        .filter(|piece| !is_date_or_time(piece))
        .flat_map(|piece| piece.split(|c: char| !c.is_ascii_digit()));
    line.contains(word)
        .then(|| numbers.filter_map(|number| number.parse().ok()).collect())
}

/// Whether this is a date or a time of day as logs have it: `2026-01-02`, `10:00:02,123`, `2026-01-02T10:00:02Z`.
fn is_date_or_time(piece: &str) -> bool {
    let digits_around = |separator: char| {
        piece.match_indices(separator).any(|(at, _)| {
            let before = piece[..at].chars().next_back();
            let after = piece[at + separator.len_utf8()..].chars().next();
            [before, after]
                .iter()
                .all(|c| c.is_some_and(|c| c.is_ascii_digit()))
        })
    };
    let only_of_dates = piece
        .chars()
        .all(|c| c.is_ascii_digit() || "-/:.,+tz".contains(c));
    let groups: Vec<&str> = piece
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    let has_year = groups.first().is_some_and(|group| group.len() == 4);
    only_of_dates
        && (digits_around(':') || (has_year && (digits_around('-') || digits_around('/'))))
}

/// The counts by event type in the last `{…}` of a line, which is JSON or a Python literal. `None` if there is none.
pub fn counts(line: &str) -> Option<BTreeMap<String, u64>> {
    let start = line.rfind('{')?;
    let end = start + line[start..].find('}')? + 1;
    serde_json::from_str(&line[start..end].replace('\'', "\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_positions() {
        let line = "Delivered → topic=clickstream partition=1 offset=42";
        assert_eq!(position(line), Some((1, 42)));
        assert_eq!(position("start_partition=1 offset=2"), None);
        assert_eq!(field("a=12, b=-3", "b"), Some(-3));
    }

    #[test]
    fn reads_partitions() {
        let both = Some(BTreeSet::from([0, 2]));
        let line = "A: assigned partitions [0, 2]";
        assert_eq!(numbers_beside(line, "assigned"), both);
        assert_eq!(numbers_beside("A: [0, 2] Assigned", "assigned"), both);
        assert_eq!(
            numbers_beside("A: revoked", "revoked"),
            Some(BTreeSet::new())
        );
        assert_eq!(numbers_beside(line, "revoked"), None);
    }

    #[test]
    fn a_date_or_a_time_is_no_partition() {
        for stamp in [
            "2026-01-02 10:00:02",
            "2026-01-02 10:00:02,001",
            "2026/01/02 10:00:02.001",
            "[2026-01-02T10:00:02.001Z]",
            "(10:00)",
        ] {
            let none = format!("{stamp} [A] assigned");
            assert_eq!(numbers_beside(&none, "assigned"), Some(BTreeSet::new()));
            for partitions in ["[0, 2]", "0,2", "clickstream-0 clickstream-2", "{0: 2}"] {
                let line = format!("{stamp} A: assigned {partitions}");
                let both = Some(BTreeSet::from([0, 2]));
                assert_eq!(numbers_beside(&line, "assigned"), both, "{line}");
            }
        }
    }

    #[test]
    fn reads_counts_of_both_languages() {
        let expected =
            BTreeMap::from([("page_view".to_string(), 47), ("purchase".to_string(), 12)]);
        let json = r#"Running totals: {"page_view":47,"purchase":12}"#;
        assert_eq!(counts(json), Some(expected.clone()));
        assert_eq!(counts("{'page_view': 47, 'purchase': 12}"), Some(expected));
        assert_eq!(counts("nothing here"), None);
    }
}
