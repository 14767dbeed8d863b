//! What a record allows beyond being who one is: from where, and with which methods.

use std::net::IpAddr;

use crate::{
    base::{cidr::Cidr, record::RecordError, refusal::Refusal},
    http::head::{Head, PresentFields},
};

/// Restrictions of a key's or a customer's record. What a record does not name is not restricted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessRestrictions {
    addresses: Option<Box<[Cidr]>>,
    methods: Option<Box<[Box<str>]>>,
}

impl AccessRestrictions {
    /// Reads `allowedIps` and `methods` of a record.
    ///
    /// # Errors
    /// What cannot be used. An empty list too: it would let nobody in, and was hardly meant.
    pub fn parse(addresses: Option<&[String]>, methods: Option<&[String]>) -> Result<Self, RecordError> {
        let wrong = |pointer: String, what: &str| RecordError { pointer, what: what.to_owned() };
        let read_addresses = |texts: &[String]| {
            let ranges = texts.iter().enumerate().map(|(index, text)| {
                let what = "must be an address or a range such as 192.0.2.0/24";
                Cidr::parse(text).ok_or_else(|| wrong(format!("/allowedIps/{index}"), what))
            });
            let ranges: Box<[_]> = ranges.collect::<Result<_, _>>()?;
            if ranges.is_empty() {
                return Err(wrong("/allowedIps".to_owned(), "must hold at least one range, or be left out"));
            }
            Ok(ranges)
        };
        let read_methods = |texts: &[String]| {
            if texts.is_empty() {
                return Err(wrong("/methods".to_owned(), "must hold at least one method, or be left out"));
            }
            let plain = |text: &String| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
            };
            if let Some(index) = texts.iter().position(|text| !plain(text)) {
                return Err(wrong(format!("/methods/{index}"), "must be a method in upper case"));
            }
            Ok(texts.iter().map(|text| Box::from(text.as_str())).collect())
        };
        Ok(Self {
            addresses: addresses.map(read_addresses).transpose()?,
            methods: methods.map(read_methods).transpose()?,
        })
    }

    /// Whether the request is allowed. Where addresses are restricted, a request without one is not.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, head: &Head<'_>) -> Result<(), Refusal> {
        if let Some(methods) = &self.methods
            && !methods.iter().any(|method| **method == *head.method)
        {
            return Err(Refusal::MethodNotPermitted);
        }
        let Some(ranges) = &self.addresses else { return Ok(()) };
        let sent = head.field(PresentFields::CF_CONNECTING_IP, "cf-connecting-ip");
        let address = sent.and_then(|text| text.trim().parse::<IpAddr>().ok());
        match address {
            Some(address) if ranges.iter().any(|range| range.contains(address)) => Ok(()),
            _ => Err(Refusal::AddressNotPermitted),
        }
    }

    /// Bytes held beside the value itself.
    #[must_use]
    pub fn weight(&self) -> usize {
        let addresses = self.addresses.as_ref().map_or(0, |ranges| 24 + size_of_val::<[Cidr]>(ranges));
        let methods = self.methods.as_ref().map_or(0, |methods| {
            methods.iter().fold(24, |sum, method| sum + size_of::<Box<str>>() + 24 + method.len())
        });
        addresses + methods
    }
}
