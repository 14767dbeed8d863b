//! Instants and spans as whole milliseconds. The core never asks for the time: it is handed in.

use std::fmt;

/// An instant: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Seconds since the Unix epoch with their fraction, the unit of a JWT `NumericDate`
    /// (RFC 7519, section 2).
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // exact below 2^53 ms, some 285 000 years
    pub fn numeric_date(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The instant named by an RFC 3339 string; `None` where it is none or lies before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let date = (number(&mut rest, 4)?, after(&mut rest, b"-", 2)?, after(&mut rest, b"-", 2)?);
        let (hour, minute) = (after(&mut rest, b"Tt ", 2)?, after(&mut rest, b":", 2)?);
        // 60 is a leap second, which counts as the first of the next minute.
        let second = after(&mut rest, b":", 2)?;
        let millis = fraction(&mut rest)?;
        let offset = offset(rest)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = days(date)? * 86_400 + hour * 3600 + minute * 60 + second - offset;
        u64::try_from(seconds * 1000 + millis).ok().map(Self)
    }

    /// Its day in UTC, in days since the Unix epoch.
    const fn day(self) -> u64 {
        self.0 / MILLIS_PER_DAY
    }

    /// The first instants of its month in UTC and of the next.
    #[must_use]
    pub fn month(self) -> Option<(Self, Self)> {
        let (year, month, _) = date(self.day())?;
        let (year, month) = (i64::from(year), i64::from(month));
        let first = |year, month| Some(Self(u64::try_from(days((year, month, 1))?).ok()? * MILLIS_PER_DAY));
        let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Some((first(year, month)?, first(next.0, next.1)?))
    }

    /// How long after `earlier` this instant lies; zero when it does not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The instant `span` later.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Appends it in RFC 3339, in UTC with milliseconds. Each log line has one, and the formatter takes
    /// several times as long.
    pub fn write(self, into: &mut String) {
        let Some((year, month, day)) = date(self.day()) else {
            return into.push_str("9999-12-31T23:59:59.999Z");
        };
        #[allow(clippy::cast_possible_truncation)] // below 2^27
        let clock = (self.0 % MILLIS_PER_DAY) as u32;
        let (hour, minute) = (clock / 3_600_000, clock / 60_000 % 60);
        let (second, milli) = (clock / 1000 % 60, clock % 1000);
        let ([y0, y1], [y2, y3]) = (two_digits(year / 100), two_digits(year % 100));
        let ([m0, m1], [d0, d1]) = (two_digits(month), two_digits(day));
        let ([h0, h1], [i0, i1]) = (two_digits(hour), two_digits(minute));
        let ([s0, s1], [f0, f1]) = (two_digits(second), two_digits(milli / 10));
        let [_, f2] = two_digits(milli % 10);
        let text = [
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'.', f0,
            f1, f2, b'Z',
        ];
        into.push_str(str::from_utf8(&text).unwrap_or_default());
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(24);
        self.write(&mut text);
        formatter.write_str(&text)
    }
}

const MILLIS_PER_DAY: u64 = 86_400_000;

/// Days from the Unix epoch to a date of the proleptic Gregorian calendar; `None` where there is no such date.
/// Years are counted from March, so that a leap day is the last of its year.
fn days((year, month, day): (i64, i64, i64)) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    (1..=last).contains(&day).then_some(year * 365 + leap_days + day_of_year - 719_468)
}

/// The date that lies so many days after the Unix epoch, up to the end of the year 9999. In 32 bits: a division
/// of 64 is among the slowest things that WebAssembly can do.
#[inline]
fn date(days_since_epoch: u64) -> Option<(u32, u32, u32)> {
    let shifted = u32::try_from(days_since_epoch).ok()?.checked_add(719_468)?;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + u32::from(month > 9);
    let month = if month > 9 { month - 9 } else { month + 3 };
    (year <= 9999).then_some((year, month, day))
}

/// The digits of a number below 100.
#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    let (tens, ones) = (number / 10, number % 10);
    #[allow(clippy::cast_possible_truncation)] // one digit
    [b'0' + tens as u8, b'0' + ones as u8]
}

/// Takes exactly so many digits.
fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (taken, behind) = rest.split_at_checked(digits)?;
    *rest = behind;
    let add = |number: i64, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'));
    taken.iter().try_fold(0, add)
}

/// Takes one of `signs` and so many digits.
fn after(rest: &mut &[u8], signs: &[u8], digits: usize) -> Option<i64> {
    let (sign, behind) = rest.split_first()?;
    *rest = behind;
    if signs.contains(sign) { number(rest, digits) } else { None }
}

/// Takes a fraction of a second, where there is one, as whole milliseconds.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let Some(behind) = rest.strip_prefix(b".") else { return Some(0) };
    let length = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, behind) = behind.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
    *rest = behind;
    let digit = |at| digits.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// The offset from UTC in seconds, which ends an instant.
fn offset(mut rest: &[u8]) -> Option<i64> {
    let sign = match rest.split_first()? {
        (b'Z' | b'z', []) => return Some(0),
        (b'+', _) => 1,
        (b'-', _) => -1,
        _ => return None,
    };
    let (hours, minutes) = (after(&mut rest, b"+-", 2)?, after(&mut rest, b":", 2)?);
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span(u64);

impl Span {
    /// A span of `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of `seconds` seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// This span in milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// This span in whole seconds, rounded up: what `Retry-After` takes (RFC 9110, section 10.2.3).
    #[must_use]
    pub const fn secs_ceil(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// This span and another.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Half of this span.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }

    /// Reads `250ms`, `30s`, `5m`, `24h` or `7d`: a whole number and its unit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for Span {
    /// The largest unit that divides the span: `5m`, not `300s`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
        let fitting = units.iter().find(|(factor, _)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match fitting {
            Some((factor, unit)) => write!(formatter, "{}{unit}", self.0 / factor),
            None => write!(formatter, "{}ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    /// What another implementation makes of it.
    fn elsewhere(text: &str) -> Option<Timestamp> {
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        u64::try_from(instant.timestamp_millis()).ok().map(Timestamp)
    }

    proptest! {
        #[test]
        fn any_instant_prints_as_elsewhere_and_is_read_again(millis in 0u64..253_402_300_800_000) {
            let instant = Timestamp(millis);
            let printed = instant.to_string();
            let same = DateTime::from_timestamp_millis(i64::try_from(millis).unwrap()).unwrap();
            prop_assert_eq!(&printed, &same.to_rfc3339_opts(SecondsFormat::Millis, true));
            prop_assert_eq!(Timestamp::parse_rfc3339(&printed), Some(instant));
        }

        #[test]
        fn texts_are_read_as_elsewhere(
            text in "(19[67]|20[0-9]|[0-9]{3})[0-9]-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,12})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
        ) {
            prop_assert_eq!(Timestamp::parse_rfc3339(&text), elsewhere(&text));
        }

        #[test]
        fn one_wrong_byte_is_judged_as_elsewhere(at in 0usize..29, byte in "[ -~]") {
            let mut text = "2026-07-30T12:34:56.789+02:00".to_owned();
            text.replace_range(at..=at, &byte);
            prop_assert_eq!(Timestamp::parse_rfc3339(&text), elsewhere(&text), "{}", text);
            text.truncate(at);
            prop_assert_eq!(Timestamp::parse_rfc3339(&text), elsewhere(&text), "{}", text);
        }
    }

    #[test]
    fn spans_read_and_print_in_their_largest_unit() {
        for text in ["250ms", "1s", "90s", "5m", "24h", "7d"] {
            let printed = Span::parse(text).unwrap().to_string();
            assert_eq!(Span::parse(&printed), Span::parse(text), "{text} printed as {printed}");
        }
        assert_eq!(Span::parse("24h").unwrap().to_string(), "1d");
        assert_eq!(Span::parse("0s").unwrap().to_string(), "0ms");
    }

    #[test]
    fn spans_without_a_unit_or_beyond_64_bits_are_refused() {
        for text in ["", "5", "m", "5 m", "-5m", "1.5h", "5w", "99999999999999999999s", "9999999999999999d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_print_as_they_were_read() {
        let text = "2026-07-30T12:34:56.789Z";
        assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_string(), text);
        assert_eq!(Timestamp::parse_rfc3339("2026-07-30"), None);
        assert_eq!(Timestamp::parse_rfc3339("1969-12-31T23:59:59Z"), None);
        assert!(Timestamp::from_millis(u64::MAX).to_string().ends_with('Z'));
    }
}
