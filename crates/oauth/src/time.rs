//! Time as an argument, and the server's clock as its `Date` header tells it.
//!
//! A phone's clock may be off by years. What a server signed is judged by that server's own clock; what is
//! measured as a span (`expires_in`) is counted on ours.

use crate::http::HttpResponse;

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// Later by so many seconds, never past the end of time.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// One server's clock, read off ours by what its `Date` headers said.
///
/// For what *we* sign: a proof or an assertion dated by a wrong clock is refused. Before the first answer the two clocks are
/// taken to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerClock {
    ahead: i64,
}

impl ServerClock {
    /// Remembers what an answer says of the time; an answer without a readable `Date` changes nothing.
    pub fn learn(&mut self, response: &HttpResponse, local: UnixTime) {
        if let Some(date) = response.header("date").and_then(parse_imf_fixdate) {
            self.ahead = date.0.saturating_sub(local.0);
        }
    }

    /// The server's time while ours is `local`.
    pub fn now(&self, local: UnixTime) -> UnixTime {
        local.plus(self.ahead)
    }
}

/// The server's clock at the moment it answered; ours where it said nothing readable.
pub(crate) fn server_time(response: &HttpResponse, local: UnixTime) -> UnixTime {
    response
        .header("date")
        .and_then(parse_imf_fixdate)
        .unwrap_or(local)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7); the obsolete forms are not read.
fn parse_imf_fixdate(text: &str) -> Option<UnixTime> {
    let rest = text.get(3..)?.strip_prefix(", ")?;
    let rest = rest.strip_suffix(" GMT")?;
    let mut parts = rest.split(' ');
    let day = two_digits(parts.next()?)?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let year: i64 = parts.next().filter(|text| text.len() == 4)?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(two_digits);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if parts.next().is_some() || clock.next().is_some() {
        return None;
    }
    let in_range = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !in_range || year < 1970 {
        return None;
    }
    let month = i64::try_from(month).ok()?.checked_add(1)?;
    let days = days_since_1970(year, month, day)?;
    let seconds = days
        .checked_mul(24)?
        .checked_add(hour)?
        .checked_mul(60)?
        .checked_add(minute)?
        .checked_mul(60)?
        .checked_add(second)?;
    Some(UnixTime(seconds))
}

fn two_digits(text: &str) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Civil date to days, by counting from March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month) = if month <= 2 {
        (year.checked_sub(1)?, month.checked_add(9)?)
    } else {
        (year, month.checked_sub(3)?)
    };
    let before_month = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leaps = year
        .div_euclid(4)
        .checked_sub(year.div_euclid(100))?
        .checked_add(year.div_euclid(400))?;
    year.checked_mul(365)?
        .checked_add(leaps)?
        .checked_add(before_month)?
        .checked_add(day)?
        .checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_date_header() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("Wed, 25 Nov 2026 11:00:00 GMT", 1_795_604_400),
            ("Fri, 31 Dec 2100 23:59:59 GMT", 4_133_980_799),
        ] {
            assert_eq!(parse_imf_fixdate(text), Some(UnixTime(seconds)), "{text}");
        }
    }

    #[test]
    fn a_servers_clock_is_read_off_ours_by_its_newest_answer() {
        let answer =
            |date: &str| HttpResponse::new(200, vec![("Date".to_owned(), date.to_owned())], vec![]);
        let mut clock = ServerClock::default();
        assert_eq!(clock.now(UnixTime(5)), UnixTime(5));
        clock.learn(&answer("Thu, 01 Jan 1970 01:00:00 GMT"), UnixTime(7_200));
        assert_eq!(clock.now(UnixTime(7_300)), UnixTime(3_700));
        clock.learn(&answer("yesterday"), UnixTime(9));
        assert_eq!(clock.now(UnixTime(7_300)), UnixTime(3_700));
        clock.learn(&answer("Thu, 01 Jan 1970 00:00:09 GMT"), UnixTime(9));
        assert_eq!(clock.now(UnixTime(i64::MAX)), UnixTime(i64::MAX));
    }

    #[test]
    fn a_date_that_is_none_is_our_own_clock() {
        for text in [
            "",
            "now",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "S\u{fc}n, 06 Nov 1994 08:49:37 GMT",
        ] {
            let response =
                HttpResponse::new(200, vec![("date".to_owned(), text.to_owned())], vec![]);
            assert_eq!(server_time(&response, UnixTime(7)), UnixTime(7), "{text}");
        }
    }
}
