//! Spans of time as people type them: `90s`, `15m`, `8h`, `2d`, `1d12h`.

/// A span in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u32);

impl core::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || "a span is written like 90s, 15m, 8h, 2d or 1d12h".to_owned();
        let mut total: u32 = 0;
        let mut digits = String::new();
        for c in text.chars() {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            let unit: u32 = match c {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return Err(malformed()),
            };
            let count: u32 = digits.parse().map_err(|_| malformed())?;
            digits.clear();
            total = count
                .checked_mul(unit)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(malformed)?;
        }
        if total == 0 || !digits.is_empty() {
            return Err(malformed());
        }
        Ok(Self(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("8h", 28_800),
            ("2d", 172_800),
            ("1d12h", 129_600),
        ] {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_meant_otherwise() {
        for text in ["", "8", "h", "8 h", "-1h", "0s", "1x", "99999999w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
