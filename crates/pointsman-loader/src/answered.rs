//! What a source answers with status 200, and what is remembered of it.

use std::rc::Rc;

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    identity::jwt::VerifiedToken,
    state::{
        cache::{Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};

use crate::ports::{DocumentRequest, Ports, SourceError};

/// The body of the answer to a request. `who` is what the log calls the source.
pub(crate) async fn answered<P: Ports>(
    ports: &P,
    request: DocumentRequest<'_>,
    who: &str,
) -> Result<Vec<u8>, SourceError> {
    let document = ports.document(request).await?;
    match document.status {
        200 => Ok(document.body),
        _ => Err(SourceError(format!("the {who} answered {}", document.outcome()))),
    }
}

/// Remembers what a source said of a caller, known to be so at `asked_at`.
#[inline(never)]
pub(crate) fn remember(
    gateway: &Gateway,
    memory: &mut Memory,
    name: Digest,
    said: &Rc<VerifiedToken>,
    asked_at: Timestamp,
) {
    gateway.read_customer(&said.principal);
    let stored = Stored::Present(Rc::clone(said));
    memory.tokens.store(name, Loaded { stored, weight: said.weight(), asked_at, as_of: asked_at });
}
