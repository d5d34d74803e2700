//! The look of every table: aligned columns, without lines between them.

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use console::Term;

use crate::printable::printable;

/// The width of a table, in characters: wide enough for a row of users, and narrow enough for a projector. If the terminal is
/// narrower, the table fits the terminal.
const WIDTH: u16 = 110;

/// A table with this header and these rows. `numbers` are the indices of the columns to align to the right. Every line is
/// indented by two spaces. No control character in a cell reaches the terminal.
pub fn table<R: Into<Row>>(
    header: &[&str],
    numbers: &[usize],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let mut table = Table::new();
    let terminal = Term::stdout().size_checked();
    let width = terminal.map_or(WIDTH, |(_, columns)| columns.saturating_sub(2).min(WIDTH));
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(header.iter().copied())
        .add_rows(rows);
    for number in numbers {
        if let Some(column) = table.column_mut(*number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    printable(&format!("  {}", table.trim_fmt().replace('\n', "\n  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_can_clear_no_screen() {
        let table = table(&["user"], &[], [["\u{1b}[2J\u{7}"]]);
        assert!(table.contains("\\x1b[2J\\x07"), "{table:?}");
        assert!(!table.contains('\u{1b}'), "{table:?}");
    }
}
