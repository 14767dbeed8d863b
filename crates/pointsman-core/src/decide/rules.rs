//! What the rules say: the first that matches, where it sends the request, and what shadow rules would have done.

use std::rc::Rc;

use super::DecisionContext;
use crate::{
    base::{name::Name, refusal::Refusal, time::Span},
    customer::{origins::CustomerOrigin, secret::SealedLines, template::BackendTemplate},
    decide::{
        customer::{Customer, admit, look_up},
        decision::Halt,
        steps::Steps,
    },
    forward::failover::{Balance, Breaker},
    http::fields::FieldLines,
    identity::{claimed::Claimed, principal::Principal},
    routing::{
        condition::Facts,
        rule::{Action, Rule},
        target::{Target, Unlisted},
    },
    state::{
        config::{DEFAULT_BACKEND_TIMEOUT, Origin},
        memory::Memory,
        route::Route,
    },
};

/// What the rules say.
pub(super) enum RuleDecision<'a> {
    Backend(ChosenBackend<'a>),
    Deny(u16),
}

/// Where a rule sends a request.
pub(super) struct ChosenBackend<'a> {
    pub(super) origins: ChosenOrigins,
    pub(super) within: &'a [Rc<str>],
    pub(super) balance: Balance,
    pub(super) deadline: Option<Span>,
    pub(super) breaker: Breaker,
    pub(super) statuses: &'a [u16],
    /// What is set on requests to it alone.
    pub(super) fields: Option<&'a FieldLines>,
    /// Whether it is the customer's own backend.
    pub(super) own: bool,
}

/// Nearly always one, which takes no list.
pub(super) enum ChosenOrigins {
    One(ChosenOrigin),
    Several(Vec<ChosenOrigin>),
}

impl ChosenOrigins {
    pub(super) fn as_slice(&self) -> &[ChosenOrigin] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(all) => all,
        }
    }
}

/// One of the origins that a request may be sent to.
pub(super) struct ChosenOrigin {
    pub(super) origin: Rc<str>,
    pub(super) base: Rc<str>,
    pub(super) region: Option<Rc<str>>,
    pub(super) weight: u32,
    pub(super) timeout: Span,
    pub(super) binding: Option<Rc<str>>,
    /// What a customer's own backend asks for.
    pub(super) secrets: Option<SealedLines>,
}

impl<'a> DecisionContext<'a> {
    /// The first rule that matches decides.
    pub(super) fn choose(
        &mut self,
        route: &'a Route,
        facts: &Facts<'_>,
        claimed: &Claimed,
        memory: &mut Memory,
    ) -> Result<RuleDecision<'a>, Halt> {
        let mut next = 0;
        while let Some((index, rule)) = self.matching_rule(route, next, facts) {
            next = index + 1;
            self.trace.rule = Some(Rc::clone(&rule.name));
            let target = match &rule.action {
                Action::Deny(status) => return Ok(RuleDecision::Deny(*status)),
                Action::To(target) => *target,
                Action::Split(split) => {
                    let chosen = split.choose(facts).ok_or(Refusal::Misconfigured)?;
                    self.trace.variant = Some(Rc::clone(&chosen.variant.name));
                    self.trace.bucket = chosen.bucket;
                    self.trace.record(|steps| steps.split = Some(split.view(facts)));
                    chosen.variant.to
                }
            };
            let chosen = match target {
                Target::Backend(index) => Some(self.named_backend(index, facts.principal)?),
                Target::Customer { unlisted } => self.customers_backend(unlisted, claimed, memory)?,
            };
            if let Some(chosen) = chosen {
                return Ok(RuleDecision::Backend(ChosenBackend { within: &rule.within, ..chosen }));
            }
            // A split that was passed over has split nobody.
            (self.trace.variant, self.trace.bucket) = (None, None);
            let why_not = "the caller's customer is not listed";
            self.trace.record(|steps| {
                steps.split = None;
                steps.passed_over.push((Rc::clone(&rule.name), why_not.to_owned()));
            });
        }
        self.trace.rule = None;
        Err(Refusal::NoRuleMatched.into())
    }

    /// The first rule at `from` or behind that matches. Whoever asks how the decision came about is told of
    /// all that were passed over.
    fn matching_rule<'r>(
        &mut self,
        route: &'r Route,
        from: usize,
        facts: &Facts<'_>,
    ) -> Option<(usize, &'r Rule)> {
        let found = route.index.find(&route.rules, from, facts);
        self.trace.record(|steps| {
            pass_over(steps, route.rules.iter().take(found.unwrap_or(usize::MAX)).skip(from), facts);
            let rule = found.and_then(|index| route.rules.get(index));
            steps.matched = rule.map(|rule| rule.why(facts)).unwrap_or_default();
        });
        found.and_then(|index| Some((index, route.rules.get(index)?)))
    }

    /// Tries the shadow rules, and notes where they would send this request elsewhere. They load nothing:
    /// where they ask for the customer's own backend, that is what they say.
    #[inline(never)]
    pub(super) fn compare_shadow(
        &mut self,
        route: &Route,
        facts: &Facts<'_>,
        decided: &Result<RuleDecision<'_>, Halt>,
    ) {
        if matches!(decided, Err(Halt::Load(..))) {
            return;
        }
        let says = |action: &Action| match action {
            Action::Deny(status) => format!("deny {status}"),
            Action::To(target) => self.gateway.target_name(*target),
            Action::Split(split) => split
                .choose(facts)
                .map_or_else(String::new, |chosen| self.gateway.target_name(chosen.variant.to)),
        };
        let rule = route.shadow.iter().find(|rule| rule.matches(facts));
        let shadow = rule.map_or_else(|| "no rule".to_owned(), |rule| says(&rule.action));
        let actual = match decided {
            Ok(RuleDecision::Backend(_)) => self.trace.backend.as_deref().unwrap_or_default().to_owned(),
            Ok(RuleDecision::Deny(status)) => format!("deny {status}"),
            Err(Halt::Refuse(Refusal::NoRuleMatched)) => "no rule".to_owned(),
            // Refused on the way to where both may lead.
            Err(_) => return,
        };
        if shadow != actual {
            let name = rule.map_or("none", |rule| &rule.name);
            self.trace.rare().shadow = Some(format!("{name}: {shadow}"));
        }
    }

    fn named_backend(&mut self, index: usize, principal: &Principal) -> Result<ChosenBackend<'a>, Halt> {
        let backend = self.gateway.backends.get(index).ok_or(Refusal::Misconfigured)?;
        self.trace.backend = Some(Name::Given(Rc::clone(&backend.name)));
        let chosen_origin = |place: &Origin| -> Result<ChosenOrigin, Refusal> {
            let (origin, base) = match &place.url {
                BackendTemplate::Fixed(url) => (Rc::clone(url.origin()), url.base()),
                BackendTemplate::Filled(host) => (Rc::from(host.fill(&principal.claims)?), host.base()),
            };
            Ok(ChosenOrigin {
                origin,
                base: Rc::clone(base),
                region: place.region.clone(),
                weight: place.weight,
                timeout: place.timeout.unwrap_or(backend.timeout),
                binding: place.binding.clone(),
                secrets: None,
            })
        };
        Ok(ChosenBackend {
            origins: match backend.origins.as_slice() {
                [only] => ChosenOrigins::One(chosen_origin(only)?),
                all => ChosenOrigins::Several(all.iter().map(chosen_origin).collect::<Result<_, _>>()?),
            },
            within: &[],
            balance: backend.balance,
            deadline: backend.deadline,
            breaker: backend.breaker,
            statuses: &backend.failure_statuses,
            fields: Some(&backend.fields),
            own: false,
        })
    }

    fn customers_backend(
        &mut self,
        unlisted: Unlisted,
        claimed: &Claimed,
        memory: &mut Memory,
    ) -> Result<Option<ChosenBackend<'a>>, Halt> {
        let customer = match claimed {
            Claimed::Missing => Customer::Missing,
            Claimed::Malformed => return Err(Refusal::CustomerIdMalformed.into()),
            Claimed::Id(id) => {
                let stored = look_up(id, memory, self.loaded, &mut self.deferred, self.now)?;
                self.trace.record(|steps| steps.judge_customer(&stored, self.gateway, memory));
                admit(stored, self.head)?
            }
        };
        let config = match (customer, unlisted) {
            (Customer::Listed(config), _) => config,
            (Customer::Missing | Customer::Unlisted, Unlisted::Next) => return Ok(None),
            (Customer::Missing, Unlisted::Refuse) => return Err(Refusal::CustomerIdMissing.into()),
            (Customer::Unlisted, Unlisted::Refuse) => return Err(Refusal::CustomerUnknown.into()),
        };
        self.trace.backend = Some(Name::Fixed("customer"));
        self.trace.environment = config.environment().map(Rc::clone);
        // Whoever writes records reaches the networks that the gateway's file opens to them, and no other binding.
        if !config.is_plain()
            && self.gateway.customers.as_ref().is_some_and(|own| own.closed(&config).is_some())
        {
            return Err(Refusal::CustomerRecordNotPermitted.into());
        }
        let chosen_origin = |place: &CustomerOrigin| ChosenOrigin {
            origin: Rc::clone(place.url.origin()),
            base: Rc::clone(place.url.base()),
            region: place.region.clone(),
            weight: place.weight.unwrap_or(1),
            timeout: DEFAULT_BACKEND_TIMEOUT,
            binding: place.network.clone(),
            secrets: place.secrets.clone(),
        };
        let weighted = config.backends().iter().any(|place| place.weight.is_some());
        Ok(Some(ChosenBackend {
            origins: match config.backends() {
                [only] => ChosenOrigins::One(chosen_origin(only)),
                all => ChosenOrigins::Several(all.iter().map(chosen_origin).collect()),
            },
            within: &[],
            balance: if weighted { Balance::Weighted } else { Balance::Ordered },
            deadline: None,
            breaker: Breaker::default(),
            statuses: &[],
            fields: None,
            own: true,
        }))
    }
}

#[cold]
#[inline(never)]
fn pass_over<'r>(steps: &mut Steps, rules: impl Iterator<Item = &'r Rule>, facts: &Facts<'_>) {
    steps
        .passed_over
        .extend(rules.map(|rule| (Rc::clone(&rule.name), rule.why_not(facts).unwrap_or_default())));
}
