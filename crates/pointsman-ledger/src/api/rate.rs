//! How often one may call. Counted in memory: an instance that begins anew has counted nothing.

use std::{collections::BTreeMap, net::IpAddr};

use pointsman_core::base::time::Timestamp;

/// Requests of one root key in a minute.
const MOST_OF_A_KEY: u32 = 1200;
/// Requests of one address in a minute whose credential was not accepted.
const MOST_REFUSED: u32 = 60;
/// So many addresses are counted at once. Where there are more, all others are counted as one.
const MOST_ADDRESSES: usize = 4096;

/// Who has called how often in the minute that runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    minute: u64,
    /// Root keys by their digests. Only those that work are counted, of which there are few.
    keys: BTreeMap<String, u32>,
    /// Networks from which a credential came that was not accepted.
    addresses: BTreeMap<String, u32>,
}

impl Rates {
    /// Counts a request of a root key that works, or of a scanner whose signature is right, by its name. The seconds to wait where there were too many already.
    pub(crate) fn count_key(&mut self, digest: &str, now: Timestamp) -> Result<(), u64> {
        self.turn(now);
        let count = self.keys.entry(digest.to_owned()).or_default();
        if *count >= MOST_OF_A_KEY {
            return Err(seconds_left(now));
        }
        *count += 1;
        Ok(())
    }

    /// Counts a request that was refused.
    pub(crate) fn count_refused(&mut self, address: &str, now: Timestamp) {
        self.turn(now);
        let network = network_of(address);
        let has_room = self.addresses.len() < MOST_ADDRESSES || self.addresses.contains_key(&network);
        let network = if has_room { network } else { OTHERS.to_owned() };
        let count = self.addresses.entry(network).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether this address may still try: the seconds to wait where not. One for which there was no room may: whoever works with
    /// a root key there is not to be shut out by strangers.
    pub(crate) fn check(&mut self, address: &str, now: Timestamp) -> Result<(), u64> {
        self.turn(now);
        let count = self.addresses.get(&network_of(address)).copied().unwrap_or_default();
        if count >= MOST_REFUSED { Err(seconds_left(now)) } else { Ok(()) }
    }

    fn turn(&mut self, now: Timestamp) {
        let minute = now.millis() / 60_000;
        if minute != self.minute {
            self.minute = minute;
            self.keys.clear();
            self.addresses.clear();
        }
    }
}

/// Under which name an address is counted: whoever has one of IPv6 has all of its network of 64 bits.
fn network_of(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

/// No address reads so.
const OTHERS: &str = "others";

const fn seconds_left(now: Timestamp) -> u64 {
    60 - now.millis() / 1000 % 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_alone_and_anew_each_minute() {
        let mut rates = Rates::default();
        let at = Timestamp::from_millis;
        for _ in 0..MOST_OF_A_KEY {
            assert_eq!(rates.count_key("a", at(61_000)), Ok(()));
        }
        assert_eq!(rates.count_key("a", at(75_000)), Err(45));
        assert_eq!(rates.count_key("b", at(75_000)), Ok(()));
        assert_eq!(rates.count_key("a", at(120_000)), Ok(()));
    }

    #[test]
    fn made_up_addresses_fill_no_memory_and_push_no_root_key_aside() {
        let mut rates = Rates::default();
        let at = Timestamp::from_millis(0);
        (0..MOST_REFUSED).for_each(|_| rates.count_refused("2001:db8:ffff:2::1", at));
        assert!(rates.check("2001:db8:ffff:2:ffff::1", at).is_err());
        for number in 0..10_000 {
            rates.count_refused(&format!("2001:db8:{number:x}::1"), at);
        }
        assert!(rates.addresses.len() <= MOST_ADDRESSES + 1);
        for _ in 0..MOST_OF_A_KEY {
            assert_eq!(rates.count_key("first seen now", at), Ok(()));
        }
        assert_eq!(rates.check("2001:db8:0::2", at), Ok(()), "once, from this network");
        assert_eq!(rates.check("192.0.2.1", at), Ok(()));
    }
}
