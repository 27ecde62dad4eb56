//! A moment as people write it (RFC 3339).

/// An offset from UTC in minutes, by `Z`, nothing, or `±HH:MM`.
pub(crate) fn offset(text: &str) -> Option<i32> {
    if matches!(text, "" | "Z" | "z" | "UTC") {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |digits: &str, most: i32| -> Option<i32> {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i32>().ok().filter(|value| plain && *value <= most)
    };
    // No place on Earth is further from UTC than 14 hours.
    let total: i32 = number(hours, 14)? * 60 + number(minutes, 59)?;
    (total <= 14 * 60).then_some(sign * total)
}

/// Writes a moment, given in seconds since 1970 and milliseconds, at an offset in minutes.
pub(crate) fn written(seconds: u64, millis: u32, offset: i32) -> String {
    let local = i64::try_from(seconds).unwrap_or(i64::MAX / 2) + i64::from(offset) * 60;
    let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    let zone = match offset {
        0 => "Z".to_owned(),
        _ => format!("{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}{zone}")
}

/// Days since 1970 to year, month and day; years are counted from March, so that the leap day is the last of one.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
