//! Time as an argument: seconds since 1970-01-01T00:00:00Z.
//!
//! Decides how a moment is written and which calendar month it lies in. It refuses to know what
//! time it is: this crate has no clock, so every verdict can be computed again for any moment.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

/// Text that is not an RFC 3339 date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 date and time such as 2026-11-01T00:00:00Z")]
pub struct TimeFormatError;

impl UnixTime {
    /// Reads an RFC 3339 date and time; fractions of a second are dropped.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeFormatError> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(|moment| Self(moment.unix_timestamp()))
            .map_err(|_| TimeFormatError)
    }

    /// This moment plus `seconds`, stopping at the ends of the range.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Months since year 0 (`year * 12 + month`), the unit in which patch levels are compared.
    /// `None` outside the years that a calendar date can express.
    pub(crate) fn calendar_months(self) -> Option<i64> {
        let moment = OffsetDateTime::from_unix_timestamp(self.0).ok()?;
        let months = i64::from(moment.year()).checked_mul(12)?;
        months.checked_add(i64::from(u8::from(moment.month())))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OffsetDateTime::from_unix_timestamp(self.0).map(|moment| moment.format(&Rfc3339)) {
            Ok(Ok(text)) => f.write_str(&text),
            _ => write!(f, "@{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_rfc3339() {
        let moment = UnixTime::parse_rfc3339("2026-11-01T00:00:00Z").unwrap();
        assert_eq!(moment, UnixTime(1_793_491_200));
        assert_eq!(moment.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(UnixTime::parse_rfc3339("yesterday"), Err(TimeFormatError));
    }

    #[test]
    fn prints_what_no_calendar_can_say() {
        assert_eq!(UnixTime(i64::MAX).to_string(), format!("@{}", i64::MAX));
        assert_eq!(UnixTime(i64::MAX).calendar_months(), None);
        assert_eq!(UnixTime(i64::MAX).plus_seconds(1), UnixTime(i64::MAX));
    }

    #[test]
    fn counts_months_across_the_turn_of_the_year() {
        let months = |text| {
            UnixTime::parse_rfc3339(text)
                .unwrap()
                .calendar_months()
                .unwrap()
        };
        assert_eq!(
            months("2026-01-31T00:00:00Z") - months("2025-12-01T00:00:00Z"),
            1
        );
    }
}
