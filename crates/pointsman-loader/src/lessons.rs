//! What the config API said of single customers, for the ledger: every isolate hears of it by the log, and need not ask.

use pointsman_core::{
    base::{
        json::{Shallow, write_string},
        time::Span,
    },
    decide::decision::{Lesson, Said},
    directory::log::{Epoch, Revision},
};

use crate::ports::{Ports, SourceError};

/// How long one call of the ledger may take: no request waits for it.
const TIMEOUT: Span = Span::from_secs(10);
/// A call that is longer than this, in bytes, gets no further lesson: the ledger answers nobody else meanwhile.
const LONG: usize = 256 * 1024;
/// The ledger takes so many in one call.
const MOST: usize = 500;

/// Tells the ledger of one customer. False where it does not take that, so that the store has to.
pub(crate) async fn teach<P: Ports>(ports: &P, lesson: &Lesson) -> bool {
    let heard = (lesson.epoch, lesson.revision);
    let told = tell(ports, heard, false, &[(lesson.id.as_str(), &lesson.says)]).await;
    if let Err(SourceError(what)) = &told {
        ports.warn("ledger_failed", &format!("a customer of the config API: {what}"));
    }
    told.is_ok()
}

/// Tells the ledger what the config API said after this change of the log was heard. Says which of the lessons were older than
/// what the ledger has.
pub(crate) async fn tell<P: Ports>(
    ports: &P,
    (epoch, revision): (Epoch, Revision),
    announced: bool,
    lessons: &[(&str, &Said)],
) -> Result<Vec<usize>, SourceError> {
    let mut older = Vec::new();
    let mut left = lessons.iter().peekable();
    let mut done = 0;
    while left.peek().is_some() {
        let mut message =
            format!(r#"{{"epoch":"{epoch}","revision":{revision},"announced":{announced},"lessons":["#);
        let mut count = 0;
        while count < MOST && message.len() < LONG {
            let Some((id, says)) = left.next() else { break };
            message.push_str(if count == 0 { r#"{"id":"# } else { r#",{"id":"# });
            write_string(id, &mut message);
            message.push_str(r#","says":"#);
            match says {
                Said::Record(json) => {
                    message.push_str(r#"{"record":"#);
                    write_string(json, &mut message);
                    message.push('}');
                }
                Said::Gone => message.push_str(r#""gone""#),
                Said::Broken => message.push_str(r#""broken""#),
            }
            message.push('}');
            count += 1;
        }
        message.push_str("]}");
        let answer = ports.learn(&message, TIMEOUT).await?;
        older.extend(older_in(&answer)?.into_iter().map(|index| index + done));
        done += count;
    }
    Ok(older)
}

fn older_in(answer: &str) -> Result<Vec<usize>, SourceError> {
    let unreadable = || SourceError("the ledger's answer cannot be read".to_owned());
    let answer = Shallow::parse(answer.as_bytes()).map_err(|_| unreadable())?;
    if let Some(error) = answer.text("error") {
        return Err(SourceError(format!("the ledger refused what the config API says: {error}")));
    }
    let older = answer.member("older").ok_or_else(unreadable)?;
    serde_json::from_str(older.get()).map_err(|_| unreadable())
}
