//! Formats of numbers that carry a check digit, or a fixed shape.

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// Without the spaces and dashes that people write between.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != '-')
        .collect()
}

/// The old form of a book's number: nine digits, and a digit or `X`.
pub(super) fn is_isbn10(text: &str) -> bool {
    let text = bare(text);
    let Some((head, last)) = text.split_at_checked(9) else {
        return false;
    };
    let last = match last {
        "X" => Some(10),
        one if one.len() == 1 => one.parse().ok(),
        _ => None,
    };
    let head = digits(head);
    let weighed: u32 = head.iter().zip(1..).map(|(digit, weight)| digit * weight).sum();
    head.len() == 9 && last.is_some_and(|last: u32| (weighed + 10 * last).is_multiple_of(11))
}

/// The form of today: thirteen digits.
pub(super) fn is_isbn13(text: &str) -> bool {
    let text = bare(text);
    let all = digits(&text);
    let sum: u32 = all
        .iter()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    text.len() == 13 && all.len() == 13 && sum.is_multiple_of(10)
}

/// The number of a credit card, with anything between its digits.
pub(super) fn is_credit_card(text: &str) -> bool {
    let all = digits(text);
    let number: String = all
        .iter()
        .filter_map(|digit| char::from_digit(*digit, 10))
        .collect();
    let begins = |from: &[&str]| from.iter().any(|begin| number.starts_with(begin));
    let two = number.get(..2).unwrap_or_default();
    let three = number.get(..3).unwrap_or_default();
    let is_issued = match number.len() {
        13 => begins(&["4"]),
        14 => ("300"..="305").contains(&three) || matches!(two, "36" | "38"),
        15 => begins(&["34", "37", "2131", "1800"]),
        16 => begins(&["4", "6011", "65", "35"]) || ("51"..="55").contains(&two),
        _ => false,
    };
    let doubled = |(at, digit): (usize, &u32)| {
        if at % 2 == 1 {
            digit * 2 / 10 + digit * 2 % 10
        } else {
            *digit
        }
    };
    let sum: u32 = all.iter().rev().enumerate().map(doubled).sum();
    is_issued && sum.is_multiple_of(10)
}

/// A social security number of the United States, eleven characters long.
pub(super) fn is_social_security(text: &str) -> bool {
    let sign = |at: usize| text.get(at..=at).is_some_and(|sign| matches!(sign, "-" | " "));
    let count = |at: std::ops::Range<usize>| {
        text.get(at)
            .is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
    };
    text.len() == 11 && sign(3) && sign(6) && count(0..3) && count(4..6) && count(7..11)
}
