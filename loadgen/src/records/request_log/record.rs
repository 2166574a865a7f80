//! What is kept of a request.

use crate::fault::Fault;

/// A request. Times are nanoseconds since measuring began; those before it are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was to be sent. In a closed loop that is when it was sent.
    pub planned: i64,
    /// The number of its connection; of one that was never sent, 0.
    pub connection: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered correctly and in full.
    Answered {
        /// When it was sent.
        sent: i64,
        /// When its reply had come.
        ended: i64,
    },
    /// It failed.
    Failed {
        /// The class of the error.
        fault: Fault,
        /// When it was sent.
        sent: i64,
        /// When that was found.
        ended: i64,
    },
    /// It had no answer when the run was over.
    Lost {
        /// When it was sent.
        sent: i64,
    },
    /// No connection was free for it until the run was over.
    NeverSent,
}

impl Record {
    /// When it was sent, if it was.
    #[must_use]
    pub fn sent(&self) -> Option<i64> {
        match self.outcome {
            Outcome::Answered { sent, .. }
            | Outcome::Failed { sent, .. }
            | Outcome::Lost { sent } => Some(sent),
            Outcome::NeverSent => None,
        }
    }

    /// When it was over, if it was.
    #[must_use]
    pub fn ended(&self) -> Option<i64> {
        match self.outcome {
            Outcome::Answered { ended, .. } | Outcome::Failed { ended, .. } => Some(ended),
            Outcome::Lost { .. } | Outcome::NeverSent => None,
        }
    }
}
