//! Text of others, such as what a program prints or calls itself, made harmless for a terminal.

/// The text with its control characters written out: `\x1b[2J` does not clear the screen. Line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => safe.push(c),
            '\r' => safe.push_str("\\r"),
            c if c.is_ascii_control() => safe.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || turns_text(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// Does this character make a terminal show other characters in another order?
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_out_what_a_terminal_would_obey() {
        for (text, safe) in [
            ("a → b\n\tc", "a → b\n\tc"),
            ("\u{1b}[31mred", "\\x1b[31mred"),
            ("50 %\r60 %\u{7}", "50 %\\r60 %\\x07"),
            ("\u{9b}2J \u{202e}x", "\\u{9b}2J \\u{202e}x"),
        ] {
            assert_eq!(printable(text), safe);
        }
    }
}
