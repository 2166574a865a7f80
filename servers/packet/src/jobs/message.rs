//! The message of the balancer of jobs: 24 octets, little-endian, the same size whatever it says.
//!
//! ```text
//!  0      4      5      6      8            16           20           24
//!  | magic | kind | more | free |     id     |    work    | incarnation |
//! ```
//!
//! One size has a reason. An XDP program can't make packets: it can only send back the one that it
//! holds. With one size, whatever a server says can be turned in place into the job that it gets.
//!
//! | kind | who says it | fields | what it means |
//! |---|---|---|---|
//! | `Submit` | a client | `id`, `work` | here is a job of `work` microseconds |
//! | `Job` | the balancer | `id`, `work`, `incarnation`, `more` | do it; `more`: others wait |
//! | `Register` | a server | `free`, `incarnation` | I am here, with `free` idle threads |
//! | `Done` | a server | `id`, `incarnation` | that job is done |
//!
//! A server says `Register` again and again: it is its heartbeat too. To a balancer that knows the
//! server with that incarnation it says "I live" and nothing about threads, so it can be lost,
//! doubled or late. A server picks another incarnation at each start; the balancer then forgets
//! what it knew of the one before. A server ignores a job for an incarnation that it is not, and it
//! answers a job with `more` set by one more `Register` while it has a free thread: so a queue is
//! drained at the rate at which servers can take it, although each packet brings one job at most.

/// Says that this is a message for the balancer of jobs, and its version: `JOB` and 1.
pub const MAGIC: u32 = u32::from_le_bytes(*b"JOB\x01");

/// How long a message is, in octets.
pub const SIZE: usize = 24;

/// What a message says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// A client has a job.
    Submit = 1,
    /// A server shall do a job.
    Job = 2,
    /// A server is there.
    Register = 3,
    /// A server has done a job.
    Done = 4,
}

impl Kind {
    fn of(octet: u8) -> Option<Self> {
        [Self::Submit, Self::Job, Self::Register, Self::Done]
            .into_iter()
            .find(|&kind| kind as u8 == octet)
    }
}

/// A message, read. Fields that its kind has no use for are 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// What it says.
    pub kind: Kind,
    /// More jobs wait: ask for the next one if a thread is free.
    pub more: More,
    /// How many threads are idle.
    pub free: u16,
    /// Which job: unique among all clients of a balancer, chosen by the client.
    pub id: u64,
    /// How long the job takes, in microseconds.
    pub work: u32,
    /// Which start of the server. Never 0.
    pub incarnation: u32,
}

/// Whether jobs wait behind this one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum More {
    /// None that the balancer knew of.
    None,
    /// At least one.
    Waiting,
}

impl Message {
    /// A client's job of `work` microseconds.
    pub fn submit(id: u64, work: u32) -> Self {
        Self { id, work, ..Self::blank(Kind::Submit) }
    }

    /// A job for the server with this incarnation.
    pub fn job(id: u64, work: u32, incarnation: u32, more: More) -> Self {
        Self { more, id, work, incarnation, ..Self::blank(Kind::Job) }
    }

    /// A server with so many idle threads.
    pub fn register(free: u16, incarnation: u32) -> Self {
        Self { free, incarnation, ..Self::blank(Kind::Register) }
    }

    /// A job is done.
    pub fn done(id: u64, incarnation: u32) -> Self {
        Self { id, incarnation, ..Self::blank(Kind::Done) }
    }

    fn blank(kind: Kind) -> Self {
        Self { kind, more: More::None, free: 0, id: 0, work: 0, incarnation: 0 }
    }

    /// The message as it is sent.
    pub fn encode(&self) -> [u8; SIZE] {
        let mut octets = [0; SIZE];
        octets[..4].copy_from_slice(&MAGIC.to_le_bytes());
        octets[4] = self.kind as u8;
        octets[5] = u8::from(self.more == More::Waiting);
        octets[6..8].copy_from_slice(&self.free.to_le_bytes());
        octets[8..16].copy_from_slice(&self.id.to_le_bytes());
        octets[16..20].copy_from_slice(&self.work.to_le_bytes());
        octets[20..].copy_from_slice(&self.incarnation.to_le_bytes());
        octets
    }

    /// The message in a payload, or none if it is not one of ours.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let octets: &[u8; SIZE] = payload.try_into().ok()?;
        if field(octets, 0) != MAGIC.to_le_bytes() {
            return None;
        }
        Some(Self {
            kind: Kind::of(octets[4])?,
            more: if octets[5] == 0 { More::None } else { More::Waiting },
            free: u16::from_le_bytes(field(octets, 6)),
            id: u64::from_le_bytes(field(octets, 8)),
            work: u32::from_le_bytes(field(octets, 16)),
            incarnation: u32::from_le_bytes(field(octets, 20)),
        })
    }
}

/// `N` octets from `at`.
fn field<const N: usize>(octets: &[u8; SIZE], at: usize) -> [u8; N] {
    std::array::from_fn(|index| octets[at + index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_comes_back_as_it_was() {
        for message in [
            Message::submit(u64::MAX, 1),
            Message::job(7, u32::MAX, 9, More::Waiting),
            Message::register(u16::MAX, 3),
            Message::done(1 << 40, u32::MAX),
        ] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn what_is_not_a_message_is_none() {
        let good = Message::submit(1, 2).encode();
        for wrong in [0, 1, 2, 3, 4] {
            let mut octets = good;
            octets[wrong] ^= 0x80;
            assert_eq!(Message::decode(&octets), None, "octet {wrong}");
        }
        assert_eq!(Message::decode(&good[..23]), None);
        assert_eq!(Message::decode(&[&good[..], &[0]].concat()), None);
    }
}
