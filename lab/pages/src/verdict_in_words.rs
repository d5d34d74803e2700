//! One verdict in words: its sign, what the check expected and saw, and its hint.

use judge::{Judged, Outcome};
use maud::{Markup, html};

/// A sign and a word for a verdict.
pub fn sign(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Passed => ("✓", "passed"),
        Outcome::Failed => ("✗", "failed"),
        Outcome::NotJudged => ("?", "not judged"),
    }
}

/// The id of a check's verdict on a page.
pub fn check_id(row: &Judged) -> String {
    format!("check-{}", row.id.replace('.', "-"))
}

/// What a check expected and saw, and its hint.
pub fn parts(row: &Judged) -> Markup {
    let parts = match row.outcome {
        Outcome::NotJudged => vec![("not the submission's fault", row.saw.as_str())],
        Outcome::Passed | Outcome::Failed => row.parts(),
    };
    html! {
        dl {
            @for (name, text) in parts {
                dt { (name) }
                dd { (said(text)) }
            }
        }
    }
}

/// A text whose first line is a sentence. What follows was printed by a program or a compiler, for a terminal.
fn said(text: &str) -> Markup {
    html! {
        @match text.split_once('\n') {
            None => (text),
            Some((sentence, printed)) => { (sentence) pre.printed tabindex="0" { (printed) } }
        }
    }
}
