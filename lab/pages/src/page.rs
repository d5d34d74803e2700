//! What all pages share: the head, the looks, and the script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const LOOKS: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A whole page, which fetches nothing.
pub fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                // Without it a browser asks for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(LOOKS)) }
            }
            body {
                main { (body) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}
