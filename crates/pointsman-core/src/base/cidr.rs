//! Address ranges (RFC 4632, RFC 4291): an address, or an address and the length of its prefix.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// A range of addresses. IPv4 addresses that come mapped into IPv6 are the IPv4 addresses that they
/// stand for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Cidr {
    bits: u128,
    /// Of 128: an IPv4 range is one of the mapped addresses.
    prefix: u32,
}

impl Cidr {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address; `None` where it is none, or where bits
    /// behind the prefix are set: whoever wrote those meant something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let own = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => own,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<u32>().ok()?,
            Some(_) => return None,
        };
        if length > own {
            return None;
        }
        let cidr = Self { bits: mapped(address), prefix: length + 128 - own };
        (cidr.bits & !cidr.mask() == 0).then_some(cidr)
    }

    /// Whether `address` lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        mapped(address) & self.mask() == self.bits
    }

    /// Whether all of `other` lies in the range.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && other.bits & self.mask() == self.bits
    }

    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0)
    }
}

impl fmt::Display for Cidr {
    /// As it is written: an address alone is one without a length.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v6 = Ipv6Addr::from(self.bits);
        // A mapped address has bits set up to its 96th, so no shorter range begins with one.
        let (address, before): (IpAddr, _) = match v6.to_ipv4_mapped() {
            Some(v4) => (v4.into(), 96),
            None => (v6.into(), 0),
        };
        address.fmt(formatter)?;
        match self.prefix {
            128 => Ok(()),
            prefix => write!(formatter, "/{}", prefix.saturating_sub(before)),
        }
    }
}

/// What tells one client from another: the address, or for IPv6 its first 64 bits, since a client has all the addresses
/// behind them. An address that stands for an IPv4 address counts as that. What is no address is one client's as it is.
#[must_use]
pub fn network(address: String) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => address,
    }
}

fn mapped(address: IpAddr) -> u128 {
    let v6: Ipv6Addr = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    u128::from(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses_and_no_others() {
        for (range, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "none"),
            ("192.0.2.0/24", "::ffff:192.0.2.1", "::192.0.2.1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ] {
            let range = Cidr::parse(range).unwrap();
            assert!(range.contains(inside.parse().unwrap()));
            if let Ok(outside) = outside.parse() {
                assert!(!range.contains(outside), "{range:?} {outside}");
            }
        }
    }

    #[test]
    fn a_range_prints_as_it_is_written() {
        for text in ["192.0.2.0/24", "192.0.2.7", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::1"] {
            assert_eq!(Cidr::parse(text).unwrap().to_string(), text);
        }
        for (written, printed) in [("192.0.2.7/32", "192.0.2.7"), ("::ffff:192.0.2.0/120", "192.0.2.0/24")] {
            assert_eq!(Cidr::parse(written).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn a_client_is_known_by_its_network_however_that_is_written() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2::a", "2001:db8:1:2::/64"),
            ("2001:0DB8:0001:2:ffff::1", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:c000:207", "192.0.2.7"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(network(address.to_owned()), expected);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0/8",
            "::/129",
            "::/+1",
            "a",
            "010.0.0.1",
            "10.0.0.0/8 ",
            "::ffff:0:0/95",
        ] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_covers_its_parts() {
        let range = |text| Cidr::parse(text).unwrap();
        assert!(range("10.0.0.0/8").covers(&range("10.1.0.0/16")));
        assert!(!range("10.1.0.0/16").covers(&range("10.0.0.0/8")));
        assert!(range("::/0").covers(&range("10.0.0.0/8")));
        assert!(!range("0.0.0.0/0").covers(&range("2001:db8::/32")));
    }
}
