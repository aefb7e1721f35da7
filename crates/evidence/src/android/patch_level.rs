//! Patch levels, which are dates written as decimal numbers.
//!
//! Decides the calendar month of a level and refuses to subtract the numbers themselves: between
//! 202512 and 202601 lies one month, not 89.

use serde::{Deserialize, Serialize};

/// `YYYYMM` or `YYYYMMDD` as attested; zero and nonsense occur on real phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PatchLevel(pub u32);

impl PatchLevel {
    /// Months since year 0 (`year * 12 + month`); `None` for a number that is no date.
    pub(crate) fn calendar_months(self) -> Option<i64> {
        let (year, month) = match self.0 {
            200_001..=299_912 => (self.0 / 100, self.0 % 100),
            20_000_100..=29_991_231 => (self.0 / 10_000, self.0 / 100 % 100),
            _ => return None,
        };
        if !(1..=12).contains(&month) {
            return None;
        }
        i64::from(year)
            .checked_mul(12)?
            .checked_add(i64::from(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_month_of_both_spellings() {
        let months = |level| PatchLevel(level).calendar_months();
        assert_eq!(months(202_601), Some(2026 * 12 + 1));
        assert_eq!(months(20_260_105), months(202_601));
        assert_eq!(months(20_260_100), months(202_601));
        assert_eq!(months(202_601).unwrap() - months(202_512).unwrap(), 1);
    }

    #[test]
    fn says_nothing_about_nonsense() {
        for level in [
            0,
            1,
            202_400,
            202_413,
            20_241_301,
            199_912,
            300_001,
            u32::MAX,
        ] {
            assert_eq!(PatchLevel(level).calendar_months(), None, "{level}");
        }
    }
}
