//! Lists of a job's indexes, such as `1-3,5`.

/// How many indexes a list holds; each must be below `completions`, and they must rise.
///
/// # Errors
/// What is wrong, in upstream's words.
pub(super) fn count(list: &str, completions: i64) -> Result<i64, String> {
    if list.is_empty() {
        return Ok(0);
    }
    let (mut total, mut last) = (0, None);
    for fragment in list.split(',') {
        let (first, until) = interval(fragment, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(not_rising(last, first));
        }
        total += until - first + 1;
        last = Some(until);
    }
    Ok(total)
}

fn not_rising(before: i64, now: i64) -> String {
    format!("non-increasing order, previous: {before}, current: {now}")
}

fn interval(fragment: &str, completions: i64) -> Result<(i64, i64), String> {
    let mut limits = fragment.split('-');
    let (first, until) = (limits.next().unwrap_or_default(), limits.next());
    if limits.next().is_some() {
        return Err(format!(
            "the fragment {fragment:?} violates the requirement that an index interval can have at most two parts separated by '-'"
        ));
    }
    let first = index(first, completions)?;
    let until = until.map_or(Ok(first), |until| {
        let until = index(until, completions)?;
        if first < until {
            Ok(until)
        } else {
            Err(not_rising(first, until))
        }
    })?;
    Ok((first, until))
}

fn index(text: &str, completions: i64) -> Result<i64, String> {
    let number: i64 = text
        .parse()
        .map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
    if number >= completions {
        return Err(format!("too large index: {text:?}"));
    }
    Ok(number)
}

/// Whether two well-formed lists share an index; answers the first that they share.
pub(super) fn shared(one: &str, other: &str, completions: i64) -> Option<(String, String)> {
    let intervals = |list: &str| -> Vec<(i64, i64, String)> {
        let all = list.split(',').filter(|fragment| !fragment.is_empty());
        all.filter_map(|fragment| {
            let (first, until) = interval(fragment, completions).ok()?;
            Some((first, until, fragment.to_owned()))
        })
        .collect()
    };
    let others = intervals(other);
    intervals(one).into_iter().find_map(|(first, until, shown)| {
        let overlapping = others.iter().find(|(from, to, _)| first <= *to && *from <= until);
        overlapping.map(|(_, _, other)| (shown.clone(), other.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_rise_below_the_completions() {
        assert_eq!(count("1-3,5", 10), Ok(4));
        assert_eq!(count("", 10), Ok(0));
        for (list, problem) in [
            ("x", "cannot convert string to integer for index: \"x\""),
            ("3-1", "non-increasing order, previous: 3, current: 1"),
            ("1-3,2", "non-increasing order, previous: 3, current: 2"),
            ("1-20", "too large index: \"20\""),
        ] {
            assert_eq!(count(list, 10), Err(problem.to_owned()), "{list}");
        }
    }
}
