//! `Table`: rows in columns, cut to the terminal so that no cell's text reaches another row.

use super::line::{Ink, Line};

/// Rows in columns.
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<Line>>,
}

const GAP: usize = 2;

/// No column is made narrower than this to fit.
const NARROWEST: usize = 8;

impl Table {
    pub(crate) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<Line>) {
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table in lines of at most `width` cells; `None` for as wide as it is (a pipe, not a terminal).
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let header: Vec<Line> = self.header.iter().map(|name| Line::new().inked(Ink::Faint, name)).collect();
        let widths = self.widths(width);
        std::iter::once(&header).chain(&self.rows).map(|row| laid_out(row, &widths)).collect()
    }

    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let natural = |column: usize, name: &str| {
            self.rows.iter().filter_map(|row| row.get(column)).map(Line::cells).max().unwrap_or(0).max(name.len())
        };
        let mut widths: Vec<usize> = self.header.iter().enumerate().map(|(at, name)| natural(at, name)).collect();
        let Some(width) = width else { return widths };
        let room = width.saturating_sub(GAP * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let over = widths.iter().sum::<usize>() - room;
            // The widest column gives first: it has the most to spare.
            let Some(widest) = widths.iter_mut().max() else { break };
            if *widest <= NARROWEST {
                break;
            }
            *widest = widest.saturating_sub(over.div_ceil(2)).max(NARROWEST);
        }
        widths
    }
}

fn laid_out(row: &[Line], widths: &[usize]) -> Line {
    let mut line = Line::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let cell = cell.cut(*width);
        let padding = if column + 1 == widths.len() { 0 } else { width.saturating_sub(cell.cells()) + GAP };
        line = line.then(cell).ours(" ".repeat(padding));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["ID", "TOOL", "WHAT"]);
        table.row(vec![Line::new().ours("1"), Line::new().theirs("files.read"), Line::new().theirs("short")]);
        table.row(vec![Line::new().ours("22"), Line::new().theirs("f"), Line::new().theirs(&"x".repeat(90))]);
        table
    }

    #[test]
    fn columns_line_up() {
        let lines: Vec<String> = table().lines(None).iter().map(Line::to_string).collect();
        assert_eq!(lines.first().unwrap(), "ID  TOOL        WHAT");
        assert_eq!(lines.get(1).unwrap(), "1   files.read  short");
    }

    #[test]
    fn a_terminal_s_width_is_kept() {
        for width in [40, 60, 80] {
            assert!(table().lines(Some(width)).iter().all(|line| line.cells() <= width));
        }
        assert!(table().lines(Some(40)).last().unwrap().to_string().ends_with('…'));
    }
}
