//! `pointsman usage`: what the metrics say of requests.

use std::{collections::BTreeMap, time::Duration};

use pointsman_core::base::time::{Span, Timestamp};
use pointsman_usage::{
    Dimension, Question,
    question::{KEPT_FOR, Order},
};

use crate::{
    configuration::Project,
    ending::{CommandResult, End, Failure, input},
    keys::now,
    output::warning,
};

mod filters;
pub(crate) mod last_used;
mod metrics;
mod overview;
mod show;

use self::{filters::Filters, metrics::Metrics};

pub(crate) const EXAMPLES: &str = "Examples:
  pointsman usage                                    # what fails, whom it hits, since when
  pointsman usage --by customer --errors --since 6h
  pointsman usage --by reason --customer acme-corp --since 2026-12-01T03:00:00Z
  pointsman usage --by key --customer acme-corp --since 30d --json | jq '.rows[].lastLetIn'

The points that the gateway writes to Workers Analytics Engine are asked, by its SQL API: the data set of the binding
METRICS in wrangler's file (or METRICS_DATASET), the account of CLOUDFLARE_ACCOUNT_ID (or account_id in the file), with
the token of CLOUDFLARE_API_TOKEN, which needs the permission Account Analytics Read. With both variables no file of
wrangler's is read. CLOUDFLARE_API_BASE_URL names another API. docs/usage.md says more.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A row for each value of this. Without: totals, and the worst customers, backends, rules and reasons.
    #[arg(long, value_name = "WHAT", value_enum)]
    by: Option<By>,
    /// From when on: a span before now, such as 1h or 7d, or an instant of RFC 3339.
    #[arg(long, value_name = "WHEN", default_value = "1h", value_parser = when)]
    since: When,
    /// Until when, as --since. Default now.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<When>,
    /// The most rows.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only rows in which something failed or was refused, the worst first.
    #[arg(long, requires = "by")]
    errors: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    project: Project,
    // Last: whatever stood behind would be under the heading of the filters.
    #[command(flatten)]
    filters: Filters,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum By {
    /// Whose request it was.
    Customer,
    /// The API key, by the first 16 digits of its digest: `keys list --digest` finds it.
    Key,
    /// The backend.
    Backend,
    /// The origin of the backend.
    Origin,
    /// The route.
    Route,
    /// The rule that matched.
    Rule,
    /// The variant of a split.
    Variant,
    /// Why the gateway refused or failed: docs/problems.md.
    Reason,
    /// How the caller was authenticated: `api_key`, the issuer's name, `anonymous`.
    Issuer,
    /// The class of the status: 2xx to 5xx.
    Status,
    /// The place of the platform that answered.
    Place,
    /// The version of the configuration.
    Version,
    /// The method.
    Method,
    /// Whom a refused credential names, which nobody has verified.
    ClaimedCustomer,
}

impl By {
    const fn dimension(self) -> Dimension {
        match self {
            Self::Customer => Dimension::Customer,
            Self::Key => Dimension::Key,
            Self::Backend => Dimension::Backend,
            Self::Origin => Dimension::Origin,
            Self::Route => Dimension::Route,
            Self::Rule => Dimension::Rule,
            Self::Variant => Dimension::Variant,
            Self::Reason => Dimension::Reason,
            Self::Issuer => Dimension::Issuer,
            Self::Status => Dimension::Status,
            Self::Place => Dimension::Place,
            Self::Version => Dimension::Version,
            Self::Method => Dimension::Method,
            Self::ClaimedCustomer => Dimension::ClaimedCustomer,
        }
    }
}

/// A point in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Before(Span),
    At(Timestamp),
}

impl When {
    const fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Before(span) => before(now, span),
            Self::At(at) => at,
        }
    }
}

/// So long before.
const fn before(now: Timestamp, span: Span) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_sub(span.millis()))
}

fn when(text: &str) -> Result<When, String> {
    let span = || Span::parse(text).map(When::Before);
    Timestamp::parse_rfc3339(text).map(When::At).or_else(span).ok_or_else(|| {
        "write a span such as 30m, 1h or 7d, or an instant such as 2026-12-01T03:00:00Z".to_owned()
    })
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    let now = now()?;
    let (from, until) = (arguments.since.at(now), arguments.until.map_or(now, |until| until.at(now)));
    if from >= until {
        return Err(input("--since must be earlier than --until"));
    }
    let metrics = Metrics::of(&arguments.project)?;
    let kept = Duration::from_secs(KEPT_FOR);
    if now.since(from).millis() > u64::try_from(kept.as_millis()).unwrap_or(u64::MAX) {
        warning("Analytics Engine keeps points for three months: of what was before, nothing is counted");
    }
    let whole = Question {
        filters: arguments.filters.chosen(),
        limit: arguments.limit,
        ..Question::totals(metrics.dataset(), from, until)
    };
    match arguments.by {
        None => overview::run(&metrics, &whole, arguments.json),
        Some(by) => rows(&metrics, whole, by.dimension(), arguments),
    }
}

fn rows(metrics: &Metrics, whole: Question, by: Dimension, arguments: &Arguments) -> CommandResult {
    let question = Question {
        by: Some(by),
        failing: arguments.errors,
        // Most requests have no reason, and whom a credential names that was not refused is the customer.
        named: matches!(by, Dimension::Reason | Dimension::ClaimedCustomer),
        order: if arguments.errors { Order::Errors } else { Order::Requests },
        ..whole
    };
    let figures = metrics.ask(&question)?;
    if arguments.json {
        show::json(&question, &figures);
    } else {
        show::rows(&question, &figures);
    }
    Ok(End::Done)
}

/// Values of dimensions, by which requests are chosen.
type Chosen = BTreeMap<Dimension, Vec<String>>;

/// What a metrics question cannot be.
fn unaskable(what: String) -> Failure {
    input(what)
}
