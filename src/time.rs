//! Instants and spans as whole milliseconds. The core never asks for the time: it is handed in.

use std::fmt;

use chrono::{DateTime, SecondsFormat};

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
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        u64::try_from(instant.timestamp_millis()).ok().map(Self)
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
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = i64::try_from(self.0).ok().and_then(DateTime::from_timestamp_millis);
        match instant {
            Some(instant) => formatter.write_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => formatter.write_str("9999-12-31T23:59:59.999Z"),
        }
    }
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
    use super::*;

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
