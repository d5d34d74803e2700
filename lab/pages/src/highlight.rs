//! Syntax highlighting. The grammars are syntect's; the colors are in the style sheet of the page.

use std::ops::Range;
use std::sync::LazyLock;

use syntect::easy::ScopeRegionIterator;
use syntect::parsing::{ParseState, ScopeStack, SyntaxSet};

/// A part of a line, in bytes, and the CSS class for its kind.
pub type Span = (Range<usize>, &'static str);

/// The CSS classes for the scopes of the grammars. The first entry that a scope begins with counts.
const KINDS: &[(&str, &str)] = &[
    ("comment", "comment"),
    ("string", "string"),
    ("constant", "number"),
    ("storage.type.numeric", "type"),
    ("entity.name.function", "name"),
    ("support.function", "name"),
    ("support.macro", "name"),
    ("support.type", "type"),
    ("entity.name", "type"),
    ("keyword.operator", ""),
    ("keyword", "keyword"),
    ("storage", "keyword"),
];

/// The colored parts of each line of a file. All lines are plain if there is no grammar for the file extension.
pub fn highlighted(text: &str, extension: &str) -> Vec<Vec<Span>> {
    static GRAMMARS: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);
    let plain = || text.lines().map(|_| Vec::new()).collect();
    let Some(grammar) = GRAMMARS.find_syntax_by_extension(extension) else {
        return plain();
    };
    let mut state = ParseState::new(grammar);
    let mut stack = ScopeStack::new();
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let Ok(changes) = state.parse_line(line, &GRAMMARS) else {
            return plain();
        };
        let mut spans = Vec::new();
        let mut at = 0;
        for (piece, change) in ScopeRegionIterator::new(&changes, line) {
            // If the stack of scopes is wrong, only the colors are.
            let _ = stack.apply(change);
            let end = at + piece.trim_end_matches(['\n', '\r']).len();
            let kind = kind(&stack);
            if end > at && !kind.is_empty() {
                spans.push((at..end, kind));
            }
            at += piece.len();
        }
        lines.push(spans);
    }
    lines
}

fn kind(stack: &ScopeStack) -> &'static str {
    let scopes = stack.scopes.iter().rev();
    let kinds = scopes.filter_map(|scope| {
        let name = scope.build_string();
        KINDS
            .iter()
            .find(|(beginning, _)| name.starts_with(beginning))
    });
    kinds.map(|(_, kind)| *kind).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keywords_strings_and_comments() {
        let lines = highlighted("let a = \"x\"; // y\nplain\n", "rs");
        let kinds: Vec<&str> = lines[0].iter().map(|(_, kind)| *kind).collect();
        assert!(kinds.contains(&"keyword"), "{kinds:?}");
        assert!(
            kinds.contains(&"string") && kinds.contains(&"comment"),
            "{kinds:?}"
        );
        assert_eq!(lines.len(), 2);
        assert_eq!(highlighted("a\nb\n", "unknown"), [vec![], vec![]]);
    }
}
