//! When to fetch a phone's next receipt from Apple, and what to make of Apple's answer.
//!
//! Decides moments, as data: whoever can reach Apple asks [`next_step`] and does what it says. It refuses to know
//! networks and clocks. The risk metric is only as good as the last receipt: Apple keeps what it counts for 30 days,
//! answers before `not_before` with "too early", and takes many questions about one phone amiss.
//!
//! Sources: Apple, "Assessing Fraud Risk"; answers of Apple's engineers about the 30 days and about 404.

use serde::{Deserialize, Serialize};

use super::ReceiptFacts;
use crate::UnixTime;

const HOUR: i64 = 60 * 60;
/// A receipt that states no `not_before` can be renewed after a day, as those do that state one.
const FIRST: i64 = 24 * HOUR;
/// After the first failure; doubled by each further one.
const BACK_OFF: i64 = HOUR;
/// The longest wait between two tries.
const LONGEST: i64 = 24 * HOUR;
/// For how long before its end a receipt is asked about at every opportunity.
const LAST_CALL: i64 = 7 * 24 * HOUR;

/// What became of the last try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A new receipt, which is the one at hand (200).
    Renewed,
    /// Too early (304): the one at hand still counts.
    TooEarly,
    /// Apple has no data about this key (404): the phone attested nothing for 30 days.
    NoData,
    /// Apple asks for patience (429), or has a fault (5xx), or was not reached.
    Unavailable,
    /// Apple refuses the request itself (400, 401): our token or the receipt is wrong, and asking again as we are
    /// changes nothing.
    Refused,
}

impl Answer {
    /// What an HTTP status of Apple's service says.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200 => Self::Renewed,
            304 => Self::TooEarly,
            404 => Self::NoData,
            400..=403 | 405..=407 | 409..=428 => Self::Refused,
            _ => Self::Unavailable,
        }
    }
}

/// Tries since the receipt at hand was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// When the last one was made.
    pub last_at: UnixTime,
    /// What came of it.
    pub last: Answer,
    /// How many in a row brought no new receipt.
    pub in_vain: u32,
}

/// What to do about a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this moment.
    WaitUntil(UnixTime),
    /// Ask now.
    AskNow,
    /// The receipt has run out, or Apple knows the key no more: only the phone's next attestation brings one.
    Ended,
    /// Apple refuses us: an operator must look at the `DeviceCheck` key.
    AskAnOperator,
}

/// When a receipt can be renewed: from then until it runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Apple answers "too early" before this.
    pub opens: UnixTime,
    /// The receipt counts no more.
    pub closes: UnixTime,
}

impl Window {
    /// Of an authentic receipt, whose dates were read when it was verified.
    pub fn of(receipt: &ReceiptFacts) -> Option<Self> {
        let moment = |text: &str| UnixTime::parse_rfc3339(text).ok();
        let created = moment(&receipt.created)?;
        let opens = match &receipt.not_before {
            Some(text) => moment(text)?,
            None => created.plus_seconds(FIRST),
        };
        Some(Self {
            opens,
            closes: moment(&receipt.expires)?,
        })
    }
}

/// What to do now. Pure: the same receipt, attempts and moment give the same step.
pub fn next_step(window: Window, attempts: Option<Attempts>, now: UnixTime) -> Step {
    if now >= window.closes {
        return Step::Ended;
    }
    let earliest = match attempts {
        None => window.opens,
        Some(attempts) => match attempts.last {
            Answer::NoData => return Step::Ended,
            Answer::Refused => return Step::AskAnOperator,
            // The receipt at hand is the new one, with a window of its own.
            Answer::Renewed => window.opens,
            Answer::TooEarly | Answer::Unavailable => {
                let last_call = now >= window.closes.plus_seconds(-LAST_CALL);
                let pause = if last_call {
                    BACK_OFF
                } else {
                    pause(attempts.in_vain)
                };
                window.opens.max(attempts.last_at.plus_seconds(pause))
            }
        },
    };
    if now >= earliest {
        Step::AskNow
    } else {
        Step::WaitUntil(earliest.min(window.closes))
    }
}

/// One hour, two, four, … a day.
fn pause(in_vain: u32) -> i64 {
    let doublings = in_vain.saturating_sub(1).min(8);
    BACK_OFF
        .checked_shl(doublings)
        .map_or(LONGEST, |pause| pause.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apple::ReceiptType;

    const DAY: i64 = 24 * HOUR;
    const CREATED: UnixTime = UnixTime(1_793_491_200); // 2026-11-01

    fn receipt(not_before: Option<&str>) -> ReceiptFacts {
        ReceiptFacts {
            receipt_type: ReceiptType::Receipt,
            environment: None,
            risk_metric: Some(1),
            created: "2026-11-01T00:00:00Z".to_owned(),
            not_before: not_before.map(str::to_owned),
            expires: "2027-01-30T00:00:00Z".to_owned(),
            fields: vec![],
        }
    }

    fn window() -> Window {
        Window::of(&receipt(Some("2026-11-02T00:00:00Z"))).unwrap()
    }

    fn after(last: Answer, in_vain: u32) -> Attempts {
        Attempts {
            last_at: CREATED.plus_seconds(2 * DAY),
            last,
            in_vain,
        }
    }

    #[test]
    fn a_window_opens_when_the_receipt_says_or_after_a_day() {
        assert_eq!(Window::of(&receipt(None)), Some(window()));
        assert_eq!(window().opens, CREATED.plus_seconds(DAY));
        assert_eq!(window().closes, CREATED.plus_seconds(90 * DAY));
        assert_eq!(Window::of(&receipt(Some("soon"))), None);
    }

    #[test]
    fn each_answer_has_its_next_step() {
        let at = CREATED.plus_seconds(2 * DAY);
        let wait = |hours| Step::WaitUntil(at.plus_seconds(hours * HOUR));
        let cases = [
            (None, CREATED, Step::WaitUntil(window().opens)),
            (None, window().opens, Step::AskNow),
            (None, window().closes, Step::Ended),
            (Some(after(Answer::Renewed, 0)), at, Step::AskNow),
            (Some(after(Answer::NoData, 1)), at, Step::Ended),
            (Some(after(Answer::Refused, 1)), at, Step::AskAnOperator),
            (Some(after(Answer::TooEarly, 1)), at, wait(1)),
            (Some(after(Answer::Unavailable, 1)), at, wait(1)),
            (Some(after(Answer::Unavailable, 2)), at, wait(2)),
            (Some(after(Answer::Unavailable, 5)), at, wait(16)),
            (Some(after(Answer::Unavailable, u32::MAX)), at, wait(24)),
            (
                Some(after(Answer::Unavailable, 1)),
                at.plus_seconds(HOUR),
                Step::AskNow,
            ),
        ];
        for (attempts, now, step) in cases {
            assert_eq!(
                next_step(window(), attempts, now),
                step,
                "{attempts:?} {now}"
            );
        }
    }

    #[test]
    fn shortly_before_the_end_patience_is_short() {
        let last_at = window().closes.plus_seconds(-2 * HOUR);
        let attempts = Attempts {
            last_at,
            last: Answer::Unavailable,
            in_vain: 20,
        };
        let next = last_at.plus_seconds(HOUR);
        assert_eq!(
            next_step(window(), Some(attempts), last_at),
            Step::WaitUntil(next)
        );
        assert_eq!(next_step(window(), Some(attempts), next), Step::AskNow);
    }

    #[test]
    fn statuses_are_told_apart() {
        let cases = [
            (200, Answer::Renewed),
            (304, Answer::TooEarly),
            (404, Answer::NoData),
            (400, Answer::Refused),
            (401, Answer::Refused),
            (408, Answer::Unavailable),
            (429, Answer::Unavailable),
            (500, Answer::Unavailable),
            (503, Answer::Unavailable),
            (302, Answer::Unavailable),
        ];
        for (status, answer) in cases {
            assert_eq!(Answer::of_status(status), answer, "{status}");
        }
    }
}
