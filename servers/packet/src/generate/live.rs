//! Frames that no stack has made: the kernel runs an XDP program again and again on a frame of
//! ours, and sends what comes out (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES).
//!
//! A sender that goes through the stack is far slower than a receiver that does not, and would hide
//! what that one can do. The program writes the counter, in one step that other CPUs can't come
//! between, so that no two frames have the same.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args;
use nix::net::if_::if_nametoindex;

use super::{Amount, Outcome, Pace, addresses};
use crate::asm::{Assembler, Atomic, Code, Condition, Register::*, Size};
use crate::bpf::{Action, Flag, Kind, LiveFrames, Map, Program, Sent, Type};
use crate::frame::Route;

/// Where the payload of a UDP datagram in IPv4 without options begins, in octets.
const PAYLOAD: i32 = 14 + 20 + 8;
/// Where its checksum is.
const CHECKSUM: usize = PAYLOAD as usize - 2;
/// The map with the counter.
const COUNTER: &str = "counter";
/// Frames that the kernel makes at once.
const BATCH: u32 = 64;
/// Frames to a system call, flat out: the clock is looked at in between.
const MANY: u32 = 1 << 16;

/// Frames to send.
#[derive(Clone, Debug, Args)]
pub struct Live {
    /// The interface that they go out by
    #[arg(long, value_name = "NAME", default_value = "eth0")]
    pub interface: String,
    /// Where to: a neighbour
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// The port that they are said to come from
    #[arg(long, value_name = "PORT", default_value_t = 50_000)]
    pub from_port: u16,
    /// Octets of a payload
    #[arg(long, value_name = "N", default_value_t = 18,
          value_parser = clap::value_parser!(u16).range(4..=1472))]
    pub size: u16,
    /// How many, and how fast
    #[command(flatten)]
    pub amount: Amount,
}

impl Live {
    /// Sends them.
    ///
    /// # Errors
    /// When there is no such interface or neighbour, or the kernel can't (before Linux 5.18, or
    /// without CAP_BPF and CAP_NET_ADMIN).
    pub fn generate(&self) -> Result<Outcome> {
        let interface = if_nametoindex(self.interface.as_str())
            .with_context(|| format!("looking for the interface {}", self.interface))?;
        let frame = self.frame()?;
        let counter = Map::new(COUNTER, Kind::Array, [4, 8], 1)?;
        counter.update(&0_u32, &u64::from(self.amount.first), Flag::Any)?;
        let program = Program::load(&counting(self.amount.step), Type::Xdp, &[&counter])?;
        let frames = LiveFrames { program: &program, frame: &frame, interface, batch: BATCH };
        let lost = addresses::not_sent(&self.interface)?;
        let at_once = if self.amount.rate.is_some() { BATCH } else { MANY };
        let mut pace = Pace::of(&self.amount);
        while let Some(count) = pace.next(at_once) {
            if frames.send(count)? == Sent::Interrupted {
                break;
            }
        }
        let lost = addresses::not_sent(&self.interface)?.saturating_sub(lost);
        let made = self.made(&counter)?;
        Outcome::of("live", &pace, made.saturating_sub(lost))
    }

    /// What each frame begins as. Without a checksum, which RFC 768 allows: the counter changes.
    fn frame(&self) -> Result<Vec<u8>> {
        let (mac, address) = addresses::own(&self.interface)?;
        let route = Route {
            source_mac: mac.0,
            destination_mac: addresses::neighbour(self.to)?.0,
            source: (address, self.from_port).into(),
            destination: self.to,
        };
        let payload = vec![0; usize::from(self.size)];
        let mut frame = route.udp(&payload).context("the payload fits no packet")?;
        frame[CHECKSUM..CHECKSUM + 2].fill(0);
        Ok(frame)
    }

    /// How many frames the program has numbered.
    fn made(&self, counter: &Map) -> Result<u64> {
        let next: Option<u64> = counter.lookup(&0_u32)?;
        let since = next.context("the counter is gone")? - u64::from(self.amount.first);
        Ok(since / u64::from(self.amount.step))
    }
}

/// Numbers a frame and sends it.
fn counting(step: u32) -> Code {
    let mut a = Assembler::new();
    let short = a.label("short");
    a.note("struct xdp_md says where the frame begins and where it ends.");
    a.load(Size::Word, R2, R1.at(0));
    a.load(Size::Word, R3, R1.at(4));
    a.mov(R4, R2);
    a.add(R4, PAYLOAD + 4);
    a.mov(R0, Action::Aborted.number());
    a.jump_if(R3, Condition::Below, R4, short);
    a.note(
        "One step, so that no two frames have the same counter, on whatever CPUs they are made.",
    );
    a.wide(R4, step.into());
    a.map_value(R5, COUNTER, 0);
    a.atomic(Size::Double, Atomic::FetchAdd, R5.at(0), R4);
    a.note("The first four octets of the payload: the counter, little-endian.");
    a.swap(crate::asm::Order::Little, 32, R4);
    a.store(Size::Word, R2.at(PAYLOAD as i16), R4);
    a.mov(R0, Action::Transmit.number());
    a.bind(short);
    a.exit();
    a.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_sixty_octets_as_the_shortest_of_the_ether() {
        assert_eq!(PAYLOAD + 18, 60);
    }

    #[test]
    fn the_listing_says_what_it_does() {
        let listing = counting(1).to_string();
        assert!(listing.contains("little-endian"), "{listing}");
    }
}
