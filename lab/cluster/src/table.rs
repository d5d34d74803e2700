//! The one look of all tables: columns, no lines.

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};

/// Wide enough for a row of users, narrow enough for a projector. A narrower terminal has its own width.
const WIDTH: u16 = 110;

/// A table with this header and these rows; the `numbers` are columns that are aligned to the right. Every line is
/// indented by two blanks.
pub fn table<R: Into<Row>>(
    header: &[&str],
    numbers: &[usize],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let mut table = Table::new();
    let width = table
        .width()
        .map_or(WIDTH, |terminal| terminal.saturating_sub(2).min(WIDTH));
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
    format!("  {}", table.trim_fmt().replace('\n', "\n  "))
}
