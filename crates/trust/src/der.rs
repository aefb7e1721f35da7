//! The two things of a certificate that webpki does not tell: when its life begins, and a name for people.
//!
//! A bounded reader over definite lengths. It decides nothing: what it cannot read is `None`.

use crate::limits;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATIONAL_UNIT: &[u8] = &[0x55, 0x04, 0x0b];
/// Names are cut here, so that a publisher has room to tell namesakes apart.
const NAME_WITH_ROOM: usize = limits::MOST_NAME - 32;
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

fn element(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, input) = input.split_first()?;
    let (&first, mut input) = input.split_first()?;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let count = usize::from(first & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (bytes, rest) = input.split_at_checked(count)?;
        input = rest;
        bytes.iter().try_fold(0_usize, |length, byte| {
            length.checked_mul(256)?.checked_add(usize::from(*byte))
        })?
    };
    let (content, rest) = input.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

fn tagged(input: &[u8], tag: u8) -> Option<Element<'_>> {
    element(input).filter(|element| element.tag == tag)
}

/// `notBefore` of a DER certificate, seconds since 1970.
pub(crate) fn not_before(certificate: &[u8]) -> Option<i64> {
    let body = tagged(tagged(certificate, SEQUENCE)?.content, SEQUENCE)?.content;
    // version (explicit), serialNumber, signature, issuer stand before validity.
    let mut fields = match element(body)? {
        version if version.tag == VERSION => version.rest,
        _ => body,
    };
    for _ in 0..3 {
        fields = element(fields)?.rest;
    }
    let begin = element(tagged(fields, SEQUENCE)?.content)?;
    seconds(begin.tag, begin.content)
}

/// A UTC time of RFC 5280 §4.1.2.5 as seconds since 1970.
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = number(digits, 2)?;
            let century = if year < 50 { 2000 } else { 1900 };
            (year.checked_add(century)?, rest)
        }
        GENERALIZED_TIME => number(digits, 4)?,
        _ => return None,
    };
    let (month, rest) = number(rest, 2)?;
    let (day, rest) = number(rest, 2)?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest, 2)?;
    let (second, rest) = number(rest, 2)?;
    let valid = rest.is_empty()
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let of_day = hour
        .checked_mul(3600)?
        .checked_add(minute.checked_mul(60)?)?;
    days(year, month, day)?
        .checked_mul(86_400)?
        .checked_add(of_day)?
        .checked_add(second)
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    let value = number.iter().try_fold(0_i64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(i64::from(digit))
    })?;
    Some((value, rest))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, for years 0 to 9999.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    // Years begin in March, so that the leap day is the last day of a year.
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let month = month.checked_add(9)?.checked_rem(12)?;
    let of_year = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leap_days = year
        .div_euclid(4)
        .checked_sub(year.div_euclid(100))?
        .checked_add(year.div_euclid(400))?;
    year.checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(of_year)?
        .checked_add(day)?
        .checked_sub(719_469)
}

/// Common name, else unit, else organisation of a `Name`'s content; "unnamed root" where there is none.
pub(crate) fn name_for_people(subject: &[u8]) -> String {
    [COMMON_NAME, ORGANISATIONAL_UNIT, ORGANISATION]
        .iter()
        .find_map(|kind| attribute(subject, kind))
        .unwrap_or_else(|| "unnamed root".to_owned())
}

fn attribute(subject: &[u8], kind: &[u8]) -> Option<String> {
    let mut rest = subject;
    while let Some(set) = tagged(rest, SET) {
        rest = set.rest;
        let pair = tagged(set.content, SEQUENCE)?.content;
        let name = element(pair)?;
        if name.content == kind {
            let mut text: String = String::from_utf8_lossy(element(name.rest)?.content)
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            while text.len() > NAME_WITH_ROOM {
                text.pop();
            }
            return Some(text).filter(|text| !text.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_agree_with_the_calendar() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "000229120000Z", 951_825_600),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (GENERALIZED_TIME, "20501231235959Z", 2_556_143_999),
            (GENERALIZED_TIME, "20261125112553Z", 1_795_605_953),
        ] {
            assert_eq!(seconds(tag, text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "700101000000",
            "701301000000Z",
            "70010100000Z",
            "7001010000000Z",
            "70010a000000Z",
        ] {
            assert_eq!(seconds(UTC_TIME, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn truncated_der_reads_as_nothing() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["a.example".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let der = certificate.der();
        assert_eq!(not_before(der), Some(157_766_400));
        for length in 0..der.len() {
            assert_eq!(not_before(&der[..length]), None, "{length}");
        }
    }
}
