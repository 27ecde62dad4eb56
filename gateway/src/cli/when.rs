//! Points in time and lengths of time, as people type and read them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A point in time as typed: `30m` ago, a day, or an instant.
#[derive(Clone, Debug)]
pub(crate) enum When {
    Ago(Length),
    Day(Date),
    At(Timestamp),
}

/// A length of time as typed: `30m`, `2h`, `7d`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length(Span);

/// Why a text is no time.
#[derive(Debug, thiserror::Error)]
#[error("`{found}` is not {wanted}")]
pub(crate) struct NoTime {
    found: String,
    wanted: &'static str,
}

impl When {
    /// The instant; a day is its first in the local time zone.
    pub(crate) fn instant(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Ago(length) => now.to_zoned(zone.clone()).checked_sub(length.0).ok().map(|time| time.timestamp()),
            Self::Day(day) => day.to_zoned(zone.clone()).ok().map(|time| time.timestamp()),
            Self::At(instant) => Some(*instant),
        }
    }
}

impl FromStr for When {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let wanted = "a time: `30m`, `2h`, `7d` (ago), a day `2026-11-20`, or `2026-11-20T08:00:00Z`";
        let length = || text.parse().ok().map(Self::Ago);
        // A civil date parses a full timestamp too, and would forget its time.
        let day = || (text.len() == 10).then(|| text.parse().ok().map(Self::Day)).flatten();
        let instant = || text.parse().ok().map(Self::At);
        length().or_else(day).or_else(instant).ok_or_else(|| NoTime { found: text.to_owned(), wanted })
    }
}

impl Length {
    /// In seconds, days and weeks without clock changes.
    pub(crate) fn seconds(self) -> i64 {
        self.after(Timestamp::UNIX_EPOCH).map_or(i64::MAX, Timestamp::as_second)
    }

    /// This long after `now`.
    pub(crate) fn after(self, now: Timestamp) -> Option<Timestamp> {
        now.to_zoned(TimeZone::UTC).checked_add(self.0).ok().map(|time| time.timestamp())
    }
}

impl FromStr for Length {
    type Err = NoTime;

    /// A whole number and a unit. Months are left out: `m` is minutes, and nobody should have to wonder.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        let no_time = || NoTime { found: text.to_owned(), wanted: "a length of time: `90s`, `30m`, `2h`, `7d`, `4w`" };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(no_time)?;
        let number: i64 = number.parse().map_err(|_| no_time())?;
        let span = match unit {
            "s" => Span::new().try_seconds(number),
            "m" | "min" => Span::new().try_minutes(number),
            "h" => Span::new().try_hours(number),
            "d" => Span::new().try_days(number),
            "w" => Span::new().try_weeks(number),
            _ => return Err(no_time()),
        };
        span.map(Self).map_err(|_| no_time())
    }
}

/// A length for people: `12 s`, `4 min 30 s`, `2 h 5 min`, `3 d 4 h`; nothing below zero.
#[derive(Clone, Copy)]
pub(crate) struct Lasting(pub(crate) SignedDuration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().max(0);
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3600..86400 => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{} d {} h", seconds / 86400, seconds / 3600 % 24),
        }
    }
}

/// An instant in local time, short: the time today, else with the day.
pub(crate) fn short(instant: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (instant.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    if then.date() == today.date() {
        return then.strftime("%H:%M:%S").to_string();
    }
    then.strftime("%Y-%m-%d %H:%M").to_string()
}

/// An instant in local time, complete.
pub(crate) fn long(instant: Timestamp, zone: &TimeZone) -> String {
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// What is left until an instant.
pub(crate) fn left(until: Timestamp, now: Timestamp) -> Lasting {
    Lasting(until.duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    fn instant(text: &str) -> String {
        text.parse::<When>().unwrap().instant(now(), &TimeZone::UTC).unwrap().to_string()
    }

    #[test]
    fn times_are_read_as_people_type_them() {
        assert_eq!(instant("30m"), "2026-11-21T09:30:00Z");
        assert_eq!(instant("2h"), "2026-11-21T08:00:00Z");
        assert_eq!(instant("7d"), "2026-11-14T10:00:00Z");
        assert_eq!(instant("2026-11-20"), "2026-11-20T00:00:00Z");
        assert_eq!(instant("2026-11-20T08:00:00+01:00"), "2026-11-20T07:00:00Z");
    }

    #[test]
    fn what_is_no_time_says_what_one_looks_like() {
        for text in ["", "soon", "30", "-5m", "5 m", "2026-13-01", "99999999999999999999d", "1M"] {
            let error = text.parse::<When>().unwrap_err().to_string();
            assert!(error.contains("2026-11-20"), "{error}");
        }
        assert!(i64::MAX.to_string().parse::<Length>().is_err());
        assert!(format!("{}d", i64::MAX).parse::<Length>().is_err());
    }

    #[test]
    fn a_day_begins_where_the_operator_lives() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let day = "2026-11-20".parse::<When>().unwrap().instant(now(), &zone).unwrap();
        assert_eq!(day.to_string(), "2026-11-19T22:00:00Z");
    }

    #[test]
    fn lengths_read_well() {
        let text = |seconds| Lasting(SignedDuration::from_secs(seconds)).to_string();
        assert_eq!([text(-4), text(12), text(270)], ["0 s", "12 s", "4 min 30 s"]);
        assert_eq!([text(7500), text(273_600)], ["2 h 5 min", "3 d 4 h"]);
    }
}
