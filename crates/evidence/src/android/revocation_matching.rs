//! Whether a listed number is ever missed: a million cases over every way in which lists and certificates spell
//! numbers.
//!
//! Lists have keys of odd length (106 of Google's 467), keys that look decimal (161 of them), padded ones in
//! copies, upper case in others. Certificates have the number's bytes, padded with a zero where the first bit is
//! set.

use std::collections::BTreeSet;

use super::{RevocationList, SerialNumber};

const LISTS: usize = 1020;
const IN_EACH: usize = 500;
/// How often each listed number is looked up: as one of two spellings of its bytes.
const LOOKUPS: usize = 2;

/// `SplitMix64`: the same numbers in every run.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Digits of a number without leading zeros; every third has no letter and so looks decimal.
fn digits(random: &mut Random) -> String {
    let alphabet: &[u8] = match random.below(3) {
        0 => b"0123456789",
        _ => b"0123456789abcdef",
    };
    let length = 1 + random.below(40);
    let first = alphabet[1 + random.below(alphabet.len() - 1)];
    let rest = (1..length).map(|_| alphabet[random.below(alphabet.len())]);
    std::iter::once(first).chain(rest).map(char::from).collect()
}

/// As a list may have it.
fn spelled(digits: &str, random: &mut Random) -> String {
    let cased = match random.below(3) {
        0 => digits.to_owned(),
        1 => digits.to_uppercase(),
        _ => {
            let either = |digit: char| {
                if random.below(2) == 0 {
                    digit.to_ascii_uppercase()
                } else {
                    digit
                }
            };
            digits.chars().map(either).collect()
        }
    };
    let zeros = random.below(3) * random.below(5);
    "0".repeat(zeros) + &cased
}

/// As a certificate has it: whole bytes, with a zero before a first bit that is set, or with more of them.
fn of_certificate(digits: &str, random: &mut Random) -> SerialNumber {
    let even = if digits.len().is_multiple_of(2) {
        digits.to_owned()
    } else {
        format!("0{digits}")
    };
    let number = hex::decode(even).unwrap();
    let sign = usize::from(number.first().is_some_and(|byte| *byte > 0x7F));
    let zeros = vec![0; sign + random.below(2)];
    SerialNumber::from_bytes(&[zeros, number].concat())
}

#[test]
fn a_million_lookups_miss_no_listed_number_and_find_no_other() {
    let mut random = Random(2026);
    let (mut hits, mut misses, mut strangers) = (0, 0, 0);
    let (mut odd, mut decimal) = (0, 0);
    for _ in 0..LISTS {
        let numbers: BTreeSet<String> = (0..IN_EACH).map(|_| digits(&mut random)).collect();
        let entries: Vec<String> = numbers
            .iter()
            .map(|number| {
                let key = spelled(number, &mut random);
                format!(r#""{key}": {{"status": "REVOKED"}}"#)
            })
            .collect();
        let json = format!(r#"{{"entries": {{{}}}}}"#, entries.join(","));
        let list = RevocationList::parse(json.as_bytes()).unwrap();
        assert_eq!(list.len(), numbers.len());
        for number in &numbers {
            odd += number.len() % 2;
            decimal += usize::from(number.bytes().all(|digit| digit.is_ascii_digit()));
            for _ in 0..LOOKUPS {
                if list.contains(&of_certificate(number, &mut random)) {
                    hits += 1;
                } else {
                    misses += 1;
                }
            }
            // The same digits taken for decimal, or for bytes with a half one at the end, are other numbers.
            let other = match number.parse::<u128>() {
                Ok(decimal) => format!("{decimal:x}"),
                Err(_) => format!("{number}0"),
            };
            if !numbers.contains(&other) && list.contains(&of_certificate(&other, &mut random)) {
                strangers += 1;
            }
        }
    }
    println!("{hits} found, {misses} missed, {strangers} strangers; {odd} odd, {decimal} decimal");
    assert_eq!((misses, strangers), (0, 0));
    assert!(hits >= 1_000_000, "{hits}");
    assert!(odd > 200_000 && decimal > 100_000, "{odd} {decimal}");
}
