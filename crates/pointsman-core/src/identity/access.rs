//! What a record allows beyond being who one is: from where, and with which methods.

use std::net::IpAddr;

use crate::{
    base::{cidr::Cidr, record::RecordErrors, refusal::Refusal},
    http::head::{Head, PresentFields},
};

/// Restrictions of a key's or a customer's record. What a record does not name is not restricted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccessRestrictions {
    addresses: Option<Box<[Cidr]>>,
    methods: Option<Box<[Box<str>]>>,
}

impl AccessRestrictions {
    /// Reads `allowedIps` and `methods` of a record, and notes what cannot be used. An empty list too: it would let
    /// nobody in, and was hardly meant.
    pub(crate) fn read(
        addresses: Option<&[String]>,
        methods: Option<&[String]>,
        errors: &mut RecordErrors,
    ) -> Self {
        Self {
            addresses: addresses.map(|texts| ranges(texts, errors)),
            methods: methods.map(|texts| method_names(texts, errors)),
        }
    }

    /// The ranges that callers must come from; `None` where they may come from anywhere.
    #[must_use]
    pub fn addresses(&self) -> Option<&[Cidr]> {
        self.addresses.as_deref()
    }

    /// The methods that may be used; `None` where all may.
    #[must_use]
    pub fn methods(&self) -> Option<&[Box<str>]> {
        self.methods.as_deref()
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

fn ranges(texts: &[String], errors: &mut RecordErrors) -> Box<[Cidr]> {
    if texts.is_empty() {
        errors.note("/allowedIps", "must hold at least one range, or be left out");
    }
    let mut range = |(index, text): (usize, &String)| {
        let range = Cidr::parse(text);
        if range.is_none() {
            let what = "must be an address or a range such as 192.0.2.0/24";
            errors.note(format!("/allowedIps/{index}"), what);
        }
        range
    };
    texts.iter().enumerate().filter_map(&mut range).collect()
}

fn method_names(texts: &[String], errors: &mut RecordErrors) -> Box<[Box<str>]> {
    if texts.is_empty() {
        errors.note("/methods", "must hold at least one method, or be left out");
    }
    for (index, text) in texts.iter().enumerate() {
        let plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if text.is_empty() || !plain {
            errors.note(format!("/methods/{index}"), "must be a method in upper case");
        }
    }
    texts.iter().map(|text| Box::from(text.as_str())).collect()
}
