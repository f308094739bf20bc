//! Sets of completion indexes, as `status.completedIndexes` writes them: `0,2-4,7`.

use std::collections::BTreeSet;

/// Reads `0,2-4`, leaving out what is not below `completions`.
pub(super) fn parse(text: &str, completions: i64) -> BTreeSet<i64> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
            all.extend(first..=last.min(completions - 1));
        }
    }
    all
}

/// Writes runs of three and more with a dash.
pub(super) fn format(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let written: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    written.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written_as_upstream_does() {
        let check = |text: &str, expect: &str| assert_eq!(format(&parse(text, 10)), expect);
        check("", "");
        check("0,2-4,7", "0,2-4,7");
        check("0,1", "0,1");
        check("0-1", "0,1");
        check("8-12,3", "3,8,9");
    }
}
