//! A request's place in a distributed trace, as `traceparent` tells it (W3C Trace Context, level 1).

use crate::http::{
    fields::FieldLines,
    head::{Head, PresentFields, RequestIds},
};

/// What counts of the trace that a client says its request to be of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Joining {
    /// All of it: the trace goes on, sampled where the client says so.
    Trust,
    /// The trace goes on, but the client does not say what is sampled: that costs the operator, not the client.
    Continue,
    /// Nothing: each request begins a trace of its own.
    New,
}

impl Joining {
    /// As the configuration writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "trust" => Some(Self::Trust),
            "continue" => Some(Self::Continue),
            "new" => Some(Self::New),
            _ => None,
        }
    }
}

/// Everything: what [`Tracing::sampled`] is a part of.
pub const MILLION: u32 = 1_000_000;

/// How the gateway takes part in traces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tracing {
    /// What counts of a client's own trace.
    pub joining: Joining,
    /// Of how many in a million the gateway says that they are sampled, where it is the one to say so.
    pub sampled: u32,
}

/// The place of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceContext {
    /// What the backend gets: version, trace, the gateway's own span, flags.
    traceparent: String,
    /// Whether a `tracestate` that came is of another trace, or of none (section 3.3).
    drops_state: bool,
}

impl Tracing {
    /// Whether the client's `traceparent` is read.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.joining != Joining::New
    }

    /// The place of a request, with a span of the gateway's own. `None` where a trusted client has not sampled its trace: its
    /// fields pass as they came, and nobody looks for that trace.
    #[must_use]
    #[inline]
    pub fn place(&self, head: &Head<'_>, ids: &mut RequestIds) -> Option<TraceContext> {
        let came = if self.reads() { head.field(PresentFields::TRACEPARENT, "traceparent") } else { None };
        let is_over = self.joining == Joining::Trust && came.as_deref().is_some_and(is_not_sampled);
        (!is_over).then(|| self.own_place(came.as_deref(), ids))
    }

    #[inline(never)]
    fn own_place(&self, came: Option<&str>, ids: &mut RequestIds) -> TraceContext {
        let came = came.and_then(read);
        let ([high, low], [span, luck]) = (ids.draw(), ids.draw());
        let is_sampled = match (&came, self.joining) {
            (Some((_, is_sampled)), Joining::Trust) => *is_sampled,
            _ => ((luck >> 32) * u64::from(MILLION)) >> 32 < u64::from(self.sampled),
        };
        // Where nothing of the client's counts, the fields do not pass at all (`FieldPolicy::join_traces`).
        let drops_state = self.reads() && came.is_none();
        let mut traceparent = String::with_capacity(LENGTH);
        traceparent.push_str("00-");
        match came {
            Some((trace_id, _)) => traceparent.push_str(trace_id),
            None => {
                push_hex(&mut traceparent, high);
                push_hex(&mut traceparent, low);
            }
        }
        traceparent.push('-');
        // All zeros are no id.
        push_hex(&mut traceparent, span.max(1));
        traceparent.push_str(if is_sampled { "-01" } else { "-00" });
        TraceContext { traceparent, drops_state }
    }
}

/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;

/// Whether the field has the outline of the usual version and says that the trace is not sampled. Whoever gets it reads it
/// anew, so what else is wrong with it harms nobody.
fn is_not_sampled(traceparent: &str) -> bool {
    match traceparent.as_bytes() {
        [b'0', b'0', b'-', rest @ .., b'-', b'0', b'0'] => {
            traceparent.len() == LENGTH && rest.get(32) == Some(&b'-')
        }
        _ => false,
    }
}

/// The id of the trace, and whether its beginning said that it is sampled; `None` where the field is not of this form. Of a
/// later version the part that every version has in common is read.
fn read(traceparent: &str) -> Option<(&str, bool)> {
    let part = |from: usize, to: usize| traceparent.get(from..to).filter(|text| is_hex(text));
    let [version, trace_id, parent_id, flags] = [part(0, 2)?, part(3, 35)?, part(36, 52)?, part(53, LENGTH)?];
    let is_apart = [2, 35, 52].iter().all(|at| traceparent.as_bytes().get(*at) == Some(&b'-'));
    let rest = traceparent.get(LENGTH..)?;
    let fits = match version {
        "ff" => false,
        "00" => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    let is_id = |text: &str| text.bytes().any(|digit| digit != b'0');
    if !is_apart || !fits || !is_id(trace_id) || !is_id(parent_id) {
        return None;
    }
    let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    Some((trace_id, is_sampled))
}

/// Lower case alone counts (W3C Trace Context, section 3.2.2).
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn push_hex(into: &mut String, number: u64) {
    for shift in (0..16).rev() {
        let digit = (number >> (shift * 4)) & 15;
        into.push(char::from_digit(u32::try_from(digit).unwrap_or_default(), 16).unwrap_or('0'));
    }
}

impl TraceContext {
    /// The id of the trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.traceparent.get(3..35).unwrap_or_default()
    }

    /// The id of the gateway's span: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        self.traceparent.get(36..52).unwrap_or_default()
    }

    /// Tells the backend.
    pub fn tell(&self, remove: &mut Vec<String>, set: &mut FieldLines) {
        // Digits and hyphens alone.
        set.push_checked("traceparent", &self.traceparent);
        if self.drops_state {
            remove.push("tracestate".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::head::test_support::TestFields;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const CAME: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn place(joining: Joining, sampled: u32, came: Option<&str>) -> TraceContext {
        let sent: Vec<_> = came.map(|came| ("traceparent", came)).into_iter().collect();
        let fields = TestFields::new(&sent);
        let head = Head { fields: &fields, seen: PresentFields::TRACEPARENT, ..Head::bare() };
        Tracing { joining, sampled }.place(&head, &mut RequestIds::new([1, 2])).unwrap()
    }

    fn flags(context: &TraceContext) -> &str {
        context.traceparent.get(52..).unwrap()
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_the_gateways_own() {
        for joining in [Joining::Trust, Joining::Continue] {
            let context = place(joining, MILLION, Some(CAME));
            assert_eq!(context.trace_id(), TRACE);
            assert_ne!(context.span_id(), "00f067aa0ba902b7");
            assert_eq!(read(&context.traceparent), Some((TRACE, true)));
        }
    }

    #[test]
    fn only_who_is_trusted_says_what_is_sampled() {
        let not_sampled = CAME.replace("-01", "-00");
        assert_eq!(flags(&place(Joining::Trust, 0, Some(CAME))), "-01");
        assert_eq!(flags(&place(Joining::Trust, 0, Some(&CAME.replace("-01", "-02")))), "-00");
        assert_eq!(flags(&place(Joining::Continue, 0, Some(CAME))), "-00");
        assert_eq!(flags(&place(Joining::Continue, MILLION, Some(&not_sampled))), "-01");
        assert_eq!(flags(&place(Joining::Trust, 0, None)), "-00");
        assert_eq!(flags(&place(Joining::Trust, MILLION, None)), "-01");
    }

    #[test]
    fn a_trace_that_a_trusted_client_has_not_sampled_passes_as_it_came() {
        let of = |joining, came: &str| {
            let fields = TestFields::new(&[("traceparent", came)]);
            let head = Head { fields: &fields, seen: PresentFields::TRACEPARENT, ..Head::bare() };
            Tracing { joining, sampled: 0 }.place(&head, &mut RequestIds::new([1, 2]))
        };
        let not_sampled = CAME.replace("-01", "-00");
        assert_eq!(of(Joining::Trust, &not_sampled), None);
        assert!(of(Joining::Continue, &not_sampled).is_some());
        assert!(of(Joining::New, &not_sampled).is_some());
        for other in [
            "00-x-00",
            &not_sampled.replacen("00-", "cc-", 1),
            &format!("{not_sampled}-00"),
            &not_sampled.replacen("00-4b", "0-4b", 1),
        ] {
            assert!(of(Joining::Trust, other).is_some(), "{other}");
        }
    }

    #[test]
    fn a_new_trace_has_nothing_of_the_clients() {
        let context = place(Joining::New, 0, Some(CAME));
        assert_ne!(context.trace_id(), TRACE);
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace_and_its_state_is_dropped() {
        let later = CAME.replacen("00", "cc", 1);
        for good in [CAME, &later, &format!("{later}-more"), &CAME.replace("-01", "-03")] {
            assert_eq!(read(good), Some((TRACE, true)), "{good}");
        }
        let bad = [
            String::new(),
            "00".to_owned(),
            CAME.to_uppercase(),
            CAME.replacen("00", "ff", 1),
            CAME.replacen("00", "0", 1),
            CAME.replace(TRACE, &"0".repeat(32)),
            CAME.replace("00f067aa0ba902b7", &"0".repeat(16)),
            CAME.replace('-', "_"),
            CAME.replace("4bf9", "4bg9"),
            CAME.replace("4bf9", "4bé"),
            format!("{CAME}-more"),
            format!("{later}more"),
            // Two lines of one field.
            format!("{CAME}, {CAME}"),
        ];
        for bad in bad {
            assert_eq!(read(&bad), None, "{bad}");
            let context = place(Joining::Trust, 0, Some(&bad));
            assert_ne!(context.trace_id(), TRACE);
            let (mut remove, mut set) = (Vec::new(), FieldLines::with_capacity(64));
            context.tell(&mut remove, &mut set);
            assert_eq!(remove, ["tracestate"], "{bad}");
            assert_eq!(set.iter().next(), Some(("traceparent", context.traceparent.as_str())));
        }
    }

    #[test]
    fn a_share_of_those_that_begin_here_is_sampled() {
        let mut ids = RequestIds::new([7, 9]);
        let tracing = Tracing { joining: Joining::New, sampled: MILLION / 10 };
        let sampled =
            (0..10_000).filter(|_| flags(&tracing.place(&Head::bare(), &mut ids).unwrap()) == "-01").count();
        assert!((800..1200).contains(&sampled), "{sampled} of 10 000");
    }

    proptest! {
        #[test]
        fn what_is_told_is_always_well_formed(came in ".{0,70}", seed in any::<[u64; 2]>()) {
            let fields = TestFields::new(&[("traceparent", &came)]);
            let head = Head { fields: &fields, seen: PresentFields::TRACEPARENT, ..Head::bare() };
            let tracing = Tracing { joining: Joining::Continue, sampled: 500_000 };
            let context = tracing.place(&head, &mut RequestIds::new(seed)).unwrap();
            prop_assert_eq!(context.traceparent.len(), LENGTH);
            prop_assert!(read(&context.traceparent).is_some(), "{}", context.traceparent);
        }
    }
}
