//! What the screen shows: the state of the group, its partitions, and what has happened, the latest first.

use std::time::Instant;

use cluster::{Grid, LiveGroup};
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table, Wrap};

use crate::time_of_day;

/// At least this many lines show what has happened, even if there are more partitions than lines.
const LEAST_EVENTS: u16 = 2;

/// The height of the smallest table: the header, one partition, and the totals.
const LEAST_TABLE: u16 = 3;

/// The width to which names may be cut.
const LEAST_NAME: usize = 4;

const FOOTER: &str = "q: quit · ↑ ↓: scroll · rate/s: records committed per second, last 10 s";

/// The footer for a narrow terminal.
const SHORT_FOOTER: &str = "q: quit · ↑ ↓: scroll · rate/s: commits";

/// Which partitions are visible.
#[derive(Default)]
pub struct View {
    /// The first visible row.
    first: usize,
    /// The number of visible rows.
    shown: usize,
}

impl View {
    /// Scrolls, if this is a key that scrolls.
    pub fn scroll(&mut self, key: KeyCode) {
        let page = self.shown.max(1);
        self.first = match key {
            KeyCode::Up => self.first.saturating_sub(1),
            KeyCode::Down => self.first + 1,
            KeyCode::PageUp => self.first.saturating_sub(page),
            KeyCode::PageDown => self.first + page,
            _ => self.first,
        };
    }
}

/// Draws the whole screen. Everything that a color shows is also there as text: crossterm prints no colors if `NO_COLOR` is set.
pub fn draw(frame: &mut Frame, view: &mut View, live: &LiveGroup, now: Instant) {
    let area = frame.area();
    let headline = live.headline(now);
    let head = if Line::raw(&headline).width() > area.width.into() && area.height > 10 {
        2
    } else {
        1
    };
    let grid = live.grid();
    let wanted = grid.as_ref().map_or(0, |grid| grid.rows.len() + 1);
    let room = area.height.saturating_sub(head + 2 + LEAST_EVENTS);
    let table = u16::try_from(wanted)
        .unwrap_or(u16::MAX)
        .min(room.max(LEAST_TABLE));
    let [head, table, rule, events, footer] = Layout::vertical([
        Constraint::Length(head),
        Constraint::Length(table),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);

    let style = if live.is_settled() {
        Style::new()
    } else {
        Style::new().fg(Color::Yellow)
    };
    frame.render_widget(
        Paragraph::new(headline)
            .style(style.bold())
            .wrap(Wrap { trim: true }),
        head,
    );
    let mut part = String::new();
    if let Some(grid) = &grid {
        let rows = grid.rows.len().saturating_sub(1);
        view.shown = usize::from(table.height).saturating_sub(2).min(rows);
        view.first = view.first.min(rows - view.shown);
        if view.shown < rows {
            let (first, last) = (view.first + 1, view.first + view.shown);
            part = format!("rows {first}–{last} of {rows} ");
        }
        draw_table(frame, table, grid, view);
    }
    let rule_width = usize::from(rule.width).saturating_sub(part.chars().count());
    frame.render_widget(
        Line::raw(format!("{part}{}", "─".repeat(rule_width))).dim(),
        rule,
    );
    frame.render_widget(
        Paragraph::new(events_text(live)).wrap(Wrap { trim: false }),
        events,
    );
    let keys = Line::raw(FOOTER);
    let keys = if keys.width() > footer.width.into() {
        Line::raw(SHORT_FOOTER)
    } else {
        keys
    };
    frame.render_widget(keys.dim(), footer);
}

fn draw_table(frame: &mut Frame, area: Rect, grid: &Grid, view: &View) {
    let Columns {
        header,
        widths,
        spacing,
    } = Columns::fitting(grid, area.width.into());
    let line = |cells: &[&str]| {
        let cells = cells.iter().zip(&grid.header).map(|(cell, header)| {
            let text = Text::raw((*cell).to_string());
            let style = match (*header, *cell) {
                ("owner", "nobody") => Style::new().fg(Color::Red),
                ("lag", lag) if !matches!(lag, "0" | "lag") => Style::new().fg(Color::Yellow),
                _ => Style::new(),
            };
            if Grid::is_number(header) {
                Cell::new(text.right_aligned()).style(style)
            } else {
                Cell::new(text).style(style)
            }
        });
        Row::new(cells.collect::<Vec<_>>())
    };
    let row = |cells: &Vec<String>| line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    let Some((totals, partitions)) = grid.rows.split_last() else {
        return;
    };
    let shown = partitions.iter().skip(view.first).take(view.shown);
    let rows = shown.map(row).chain([row(totals).bold()]);
    frame.render_widget(
        Table::new(rows, widths)
            .header(line(&header).dim())
            .column_spacing(spacing),
        area,
    );
}

/// The columns of the table, and their widths in characters.
struct Columns {
    header: Vec<&'static str>,
    widths: Vec<u16>,
    spacing: u16,
}

impl Columns {
    /// Columns that are as wide as their cells. On a narrow terminal, the spaces between them are smaller, and names are cut.
    fn fitting(grid: &Grid, available: usize) -> Self {
        let mut header = grid.header.clone();
        let mut spacing = 2;
        let mut widths = Self::widths(&header, grid);
        let gaps = widths.len().saturating_sub(1);
        if widths.iter().sum::<usize>() + spacing * gaps > available {
            spacing = 1;
            for name in header.iter_mut().filter(|name| **name == "partition") {
                *name = "p";
            }
            widths = Self::widths(&header, grid);
        }
        let mut surplus = (widths.iter().sum::<usize>() + spacing * gaps).saturating_sub(available);
        for (width, name) in widths.iter_mut().zip(&header) {
            if !Grid::is_number(name) {
                let cut = surplus.min(width.saturating_sub(LEAST_NAME));
                *width -= cut;
                surplus -= cut;
            }
        }
        let short = |width: usize| u16::try_from(width).unwrap_or(u16::MAX);
        Self {
            header,
            widths: widths.into_iter().map(short).collect(),
            spacing: short(spacing),
        }
    }

    fn widths(header: &[&str], grid: &Grid) -> Vec<usize> {
        let of_column = |(column, name): (usize, &&str)| {
            let cells = grid.rows.iter().map(|row| Line::raw(&row[column]).width());
            cells.chain([Line::raw(*name).width()]).max().unwrap_or(0)
        };
        header.iter().enumerate().map(of_column).collect()
    }
}

/// The events, the latest first.
fn events_text(live: &LiveGroup) -> Text<'static> {
    let lines = live.events().rev().flat_map(|event| {
        let what = format!("{}  {}", time_of_day(event.at), event.what);
        let details = event
            .details
            .iter()
            .map(|detail| Line::raw(format!("          {detail}")));
        std::iter::once(Line::raw(what).bold()).chain(details)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use cluster::{
        GroupDescription, GroupMember, GroupOffsets, GroupProtocol, GroupState, TopicPartition,
    };
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition {
            topic: "clickstream".to_string(),
            partition: number,
        }
    }

    /// First, one consumer owned all partitions. Now another owns the last one.
    fn group(partitions: i32) -> LiveGroup {
        let member = |name: &str, owned: std::ops::Range<i32>| GroupMember {
            client_id: name.to_string(),
            member_id: name.to_string(),
            partitions: owned.map(partition).collect::<BTreeSet<_>>(),
        };
        let stable = |members: Vec<GroupMember>| GroupDescription {
            state: GroupState::Stable,
            protocol: GroupProtocol::Classic,
            members,
        };
        let mut live = LiveGroup::new("scale-group");
        let now = Instant::now();
        live.saw(now, Some(stable(vec![member("consumer_a", 0..partitions)])));
        let last = partitions - 1;
        let shared = vec![
            member("consumer_a", 0..last),
            member("consumer_b", last..partitions),
        ];
        live.saw(now + Duration::from_millis(250), Some(stable(shared)));
        live.saw_offsets(
            now,
            GroupOffsets {
                committed: BTreeMap::from([(partition(0), 1_234_567)]),
                ends: (0..partitions)
                    .map(|number| (partition(number), Some(1_234_570)))
                    .collect(),
            },
        );
        live
    }

    fn drawn(live: &LiveGroup, width: u16, height: u16, keys: &[KeyCode]) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut view = View::default();
        terminal
            .draw(|frame| draw(frame, &mut view, live, Instant::now()))
            .unwrap();
        keys.iter().for_each(|key| view.scroll(*key));
        terminal
            .draw(|frame| draw(frame, &mut view, live, Instant::now()))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let cells = buffer.content().chunks(width.into());
        cells
            .map(|cells| cells.iter().map(|cell| cell.symbol()).collect())
            .collect()
    }

    fn line_with<'a>(lines: &'a [String], words: &str) -> &'a str {
        let found = lines.iter().find(|line| line.contains(words));
        found.unwrap_or_else(|| panic!("no `{words}` in:\n{}", lines.join("\n")))
    }

    #[test]
    fn ten_lines_of_eighty_columns_show_all() {
        let lines = drawn(&group(3), 80, 10, &[]);
        line_with(&lines, "scale-group: Stable");
        let cells = |words| -> Vec<&str> { line_with(&lines, words).split_whitespace().collect() };
        let a = "consumer_a";
        assert_eq!(cells("0  co"), ["0", a, "1234567", "1234570", "3", "-"]);
        assert_eq!(
            cells("1  co"),
            ["1", a, "no", "commit", "1234570", "-", "-"]
        );
        assert_eq!(cells("2  co")[1], "consumer_b");
        assert!(line_with(&lines, "all").contains("≥ 3"));
        line_with(&lines, "consumer_b joined");
        line_with(&lines, "partition 2: consumer_a → consumer_b");
        line_with(&lines, "q: quit");
    }

    #[test]
    fn a_narrow_terminal_cuts_names_but_no_numbers() {
        for (width, name) in [(41, "consumer_a"), (36, "consu")] {
            let lines = drawn(&group(3), width, 12, &[]);
            let cells: Vec<&str> = line_with(&lines, "1234567 ").split_whitespace().collect();
            assert_eq!(cells, ["0", name, "1234567", "1234570", "3", "-"]);
            line_with(&lines, "no commit");
        }
    }

    #[test]
    fn more_partitions_than_lines_are_scrolled() {
        let lines = drawn(&group(30), 80, 14, &[]);
        line_with(&lines, "rows 1–7 of 30");
        let end = [KeyCode::PageDown; 9];
        let lines = drawn(&group(30), 80, 14, &end);
        assert!(line_with(&lines, "rows 24–30 of 30").contains("─"));
        assert!(line_with(&lines, "29  consumer_b").contains("no commit"));
        line_with(&lines, "all");
        line_with(&lines, "consumer_b joined");
    }

    #[test]
    fn the_smallest_terminal_does_no_harm() {
        drawn(&group(3), 1, 1, &[KeyCode::Down]);
        drawn(&LiveGroup::new("scale-group"), 5, 2, &[]);
    }
}
