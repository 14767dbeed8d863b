//! How numbers compare, and which of them can be told digit by digit.
//!
//! JSON has numbers of any size (RFC 8259, section 6), and identifiers are often whole numbers above 2^53. Compared
//! as doubles, two neighbours up there would be one number, and one customer's rule would match another customer. So
//! whole numbers of 64 bits are compared as such. All other numbers are doubles: those with a fraction or an
//! exponent, `-0`, and whole numbers beyond 64 bits. A double from 2^53 on stands for several whole numbers at
//! once. Nobody can say which of them was meant, so it equals nothing and is told to nobody.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::base::json;

/// The first double that stands for more than one whole number: 2^53.
const FIRST_DOUBTFUL: f64 = 9_007_199_254_740_992.0;

/// How two numbers compare; `None` where that cannot be told.
///
/// Rounding to a double never turns an order around, so "above" and "below" are certain also for doubles beyond
/// 2^53. Only where both sides come to the same double up there is nothing certain.
#[must_use]
pub fn order(left: &Number, right: &Number) -> Option<Ordering> {
    if let Some((left, right)) = whole(left).zip(whole(right)) {
        return Some(left.cmp(&right));
    }
    let (left, right) = (left.as_f64()?, right.as_f64()?);
    left.partial_cmp(&right).filter(|order| order.is_ne() || left.abs() < FIRST_DOUBTFUL)
}

/// Whether no other number is taken for this one: it is a whole number of 64 bits, or below 2^53.
#[must_use]
pub fn is_exact(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|double| double.abs() < FIRST_DOUBTFUL)
}

/// Whether that holds for all numbers in a value.
#[must_use]
pub fn all_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_exact(number),
        Value::Array(items) => items.iter().all(all_exact),
        Value::Object(members) => members.values().all(all_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// A text that is the same for numbers that are equal, and for no others; `None` where that cannot be told.
#[must_use]
pub fn key(number: &Number) -> Option<String> {
    if !is_exact(number) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // below 2^53, and without a fraction
    let same_whole =
        number.as_f64().filter(|double| number.is_f64() && double.fract() == 0.0).map(|double| double as i64);
    Some(same_whole.map_or_else(|| json::text(&Value::Number(number.clone())), |whole| whole.to_string()))
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::object::parse_object;

    /// The number as it is read out of JSON.
    fn read(text: &str) -> Number {
        match parse_object(format!("{{\"n\":{text}}}").as_bytes()).unwrap().remove("n") {
            Some(Value::Number(number)) => number,
            other => panic!("{text} is {other:?}"),
        }
    }

    fn ordered(left: &str, right: &str) -> Option<Ordering> {
        order(&read(left), &read(right))
    }

    #[test]
    fn neighbours_above_two_to_the_53_are_two_numbers() {
        for (left, right) in [
            ("1122334455667788992", "1122334455667789000"),
            ("9007199254740992", "9007199254740993"),
            ("9223372036854775807", "9223372036854775808"),
            ("18446744073709551614", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775807"),
            ("-1", "18446744073709551615"),
        ] {
            assert_eq!(ordered(left, right), Some(Ordering::Less), "{left} {right}");
            assert_eq!(ordered(right, left), Some(Ordering::Greater), "{left} {right}");
            assert_eq!(ordered(left, left), Some(Ordering::Equal), "{left}");
        }
    }

    #[test]
    fn one_number_may_be_written_in_several_ways() {
        for (left, right) in [("1", "1.0"), ("1000", "1e3"), ("0", "-0"), ("0", "-0.0"), ("1.5", "15e-1")] {
            assert_eq!(ordered(left, right), Some(Ordering::Equal), "{left} {right}");
            assert_eq!(key(&read(left)), key(&read(right)), "{left} {right}");
        }
        assert_eq!(key(&read("-0")).as_deref(), Some("0"));
        assert_eq!(key(&read("9007199254740991.0")).as_deref(), Some("9007199254740991"));
        assert_eq!(key(&read("-2.50")).as_deref(), Some("-2.5"));
    }

    #[test]
    fn what_a_double_cannot_tell_equals_nothing_and_is_told_to_nobody() {
        let doubtful = [
            "18446744073709551616",
            "18446744073709551617",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "9007199254740992.0",
            "9007199254740993.0",
            "1e16",
            "1e300",
        ];
        for number in doubtful {
            assert!(!is_exact(&read(number)), "{number}");
            assert_eq!(key(&read(number)), None, "{number}");
            for other in
                doubtful.iter().chain(&["18446744073709551615", "-9223372036854775808", "9007199254740992"])
            {
                assert_ne!(ordered(number, other), Some(Ordering::Equal), "{number} {other}");
            }
        }
        for inside in [r#"{"a":[1,{"b":18446744073709551616}]}"#, r#"{"a":-1e16}"#] {
            assert!(!all_exact(&Value::Object(parse_object(inside.as_bytes()).unwrap())), "{inside}");
        }
    }

    #[test]
    fn orders_that_are_certain_are_told() {
        assert_eq!(ordered("1e300", "18446744073709551615"), Some(Ordering::Greater));
        assert_eq!(ordered("-18446744073709551616", "-9223372036854775808"), Some(Ordering::Less));
        assert_eq!(ordered("9007199254740993", "9007199254740992.5"), None);
        assert_eq!(ordered("9007199254740993", "0.5"), Some(Ordering::Greater));
    }

    /// Whole numbers of 64 bits, many of them neighbours and near the borders.
    fn wholes() -> impl Strategy<Value = i128> {
        let borders =
            [i128::from(i64::MIN), -(1 << 53), 0, 1 << 53, i128::from(i64::MAX), i128::from(u64::MAX)];
        let near =
            (proptest::sample::select(borders.to_vec()), -3i128..=3).prop_map(|(border, by)| border + by);
        let fits = |number: &i128| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number);
        prop_oneof![
            near.prop_filter("64 bits", fits),
            any::<i64>().prop_map(i128::from),
            any::<u64>().prop_map(i128::from),
        ]
    }

    proptest! {
        #[test]
        fn whole_numbers_compare_as_whole_numbers(left in wholes(), right in wholes()) {
            let (read_left, read_right) = (read(&left.to_string()), read(&right.to_string()));
            prop_assert_eq!(order(&read_left, &read_right), Some(left.cmp(&right)));
            prop_assert_eq!(key(&read_left) == key(&read_right), left == right);
            prop_assert_eq!(json::text(&Value::Number(read_left)), left.to_string());
        }

        /// No rounding makes two numbers equal, or turns their order around.
        #[test]
        fn an_order_that_is_told_is_true(
            whole in wholes(),
            near in wholes(),
            form in prop_oneof![Just(".0"), Just(".5"), Just("e0"), Just("0"), Just("00")],
        ) {
            prop_assume!(near != 0 || !form.starts_with('0'));
            let other = read(&format!("{near}{form}"));
            // Doubled, so that halves are whole.
            let twice = match form {
                ".5" if near < 0 => near * 2 - 1,
                ".5" => near * 2 + 1,
                "0" => near * 20,
                "00" => near * 200,
                _ => near * 2,
            };
            let told = order(&read(&whole.to_string()), &other);
            // A fraction counts as the nearest double.
            if form != ".5" || told != Some(Ordering::Equal) {
                prop_assert!(told.is_none_or(|told| told == (whole * 2).cmp(&twice)), "{:?}", told);
            }
        }
    }
}
