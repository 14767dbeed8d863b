//! What a source answers with status 200.

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
