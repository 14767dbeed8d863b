//! How a command ends.

use crate::output::error;

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// All is done.
    Done,
    /// Something is wrong with the input; what has been said.
    BadInput,
    /// wrangler failed, or KV does not hold what it should; why has been said.
    WranglerFailed,
    /// There is something to do, which was what the caller wanted to know.
    Pending,
    /// There is more of it than the caller allows.
    Exceeded,
}

/// Why a command could not go on. Still to be said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// Something is wrong with the input.
    Input(String),
    /// wrangler failed, or KV does not hold what it should.
    Store(String),
}

/// What a command comes to.
pub(crate) type CommandResult = Result<End, Failure>;

impl End {
    /// The exit code, as the help says.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::BadInput => 1,
            Self::WranglerFailed => 3,
            Self::Pending => 4,
            Self::Exceeded => 5,
        }
    }
}

/// Says what went wrong.
pub(crate) fn finish(outcome: CommandResult) -> End {
    match outcome {
        Ok(end) => end,
        Err(Failure::Input(what)) => {
            error(&what);
            End::BadInput
        }
        Err(Failure::Store(what)) => {
            error(&what);
            End::WranglerFailed
        }
    }
}

/// Input that cannot be used.
pub(crate) fn input(what: impl Into<String>) -> Failure {
    Failure::Input(what.into())
}
