//! The table of what vCluster's file knows and our types do not.

use std::sync::LazyLock;

use super::Class;

const TEXT: &str = include_str!("../fields.txt");

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// `Ignored` or `Refused`.
    pub(crate) class: Class,
    /// The field.
    pub(crate) path: Vec<&'static str>,
    /// Why, and what to do instead.
    pub(crate) words: &'static str,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| TEXT.lines().filter_map(row).collect());

fn row(line: &'static str) -> Option<Row> {
    let (class, rest) = line.split_once(' ')?;
    let (path, words) = rest.split_once("  ")?;
    let class = match class {
        "ignored" => Class::Ignored,
        "refused" => Class::Refused,
        _ => return None,
    };
    Some(Row {
        class,
        path: path.split('.').collect(),
        words: words.trim(),
    })
}

/// All rows.
pub(crate) fn rows() -> &'static [Row] {
    &ROWS
}

/// The row of a field.
pub(super) fn of(keys: &[&str]) -> Option<&'static Row> {
    rows().iter().find(|row| row.path == keys)
}

/// The fields below one that rows speak of.
pub(super) fn below(keys: &[&str]) -> Vec<&'static str> {
    let below = rows().iter().filter_map(|row| {
        let (above, rest) = row.path.split_at_checked(keys.len())?;
        (above == keys).then(|| rest.first().copied()).flatten()
    });
    below.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_row_and_no_field_has_two() {
        let lines = TEXT
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.count(), rows().len());
        for row in rows() {
            assert_eq!(
                rows().iter().filter(|other| other.path == row.path).count(),
                1,
                "{:?}",
                row.path
            );
            assert!(!row.words.is_empty(), "{:?}", row.path);
        }
    }
}
