//! Test runs: a frame in, the action and the frame out, without an interface.
//!
//! `BPF_PROG_TEST_RUN` runs the program as the kernel would, translated, with its maps and helpers.
//! A frame has to have a whole Ethernet header: the kernel refuses shorter ones here, and no driver
//! hands on a shorter one.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::call::{Command, address, bpf};
use super::program::Action;
use super::{Error, Program};

/// How a test run ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// What the program said.
    pub action: Action,
    /// The frame as the program left it.
    pub frame: Vec<u8>,
}

/// A test run of a program.
#[derive(Debug)]
pub struct Trial<'a> {
    program: &'a Program,
    output: Vec<u8>,
}

#[derive(Default)]
#[repr(C)]
pub(super) struct TestRun {
    pub(super) program: u32,
    pub(super) action: u32,
    pub(super) input_size: u32,
    pub(super) output_size: u32,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) repeat: u32,
    /// Nanoseconds for each run, on average.
    pub(super) duration: u32,
    pub(super) context_size: u32,
    pub(super) context_output_size: u32,
    pub(super) context: u64,
    pub(super) context_output: u64,
    pub(super) flags: u32,
    pub(super) cpu: u32,
    pub(super) batch: u32,
    pub(super) padding: u32,
}

impl TestRun {
    pub(super) fn new(program: &Program, frame: &[u8]) -> Self {
        Self {
            program: program.as_fd().as_raw_fd() as u32,
            input_size: frame.len() as u32,
            input: address(frame.as_ptr()),
            repeat: 1,
            ..Default::default()
        }
    }
}

/// More than any frame that the kernel takes for a test run, which is less than a page.
const LARGEST: usize = 4096;

impl<'a> Trial<'a> {
    /// Gets ready to run a program; the same trial can run many frames.
    pub fn of(program: &'a Program) -> Self {
        Self { program, output: vec![0; LARGEST] }
    }

    /// Runs it once.
    ///
    /// # Errors
    /// What the kernel says: EINVAL for a frame shorter than 14 octets or longer than about 3,500.
    pub fn run(&mut self, frame: &[u8]) -> Result<Verdict, Error> {
        let mut run = TestRun::new(self.program, frame);
        run.output = address(self.output.as_mut_ptr());
        run.output_size = self.output.len() as u32;
        test_run(&mut run)?;
        let frame = self.output[..(run.output_size as usize).min(LARGEST)].to_vec();
        Ok(Verdict { action: Action::of(run.action), frame })
    }

    /// Runs it once, for the action only.
    ///
    /// # Errors
    /// As for [`Trial::run`].
    pub fn action(&self, frame: &[u8]) -> Result<Action, Error> {
        let mut run = TestRun::new(self.program, frame);
        test_run(&mut run)?;
        Ok(Action::of(run.action))
    }

    /// How long one run takes, on the average of so many with the same frame. The frame is not
    /// copied anew, so a program that changes it sees its own changes.
    ///
    /// # Errors
    /// As for [`Trial::run`].
    pub fn time(&self, frame: &[u8], repeat: u32) -> Result<Duration, Error> {
        let mut run = TestRun::new(self.program, frame);
        run.repeat = repeat;
        test_run(&mut run)?;
        Ok(Duration::from_nanos(u64::from(run.duration)))
    }
}

/// Runs it, and again if a signal came first.
pub(super) fn test_run(run: &mut TestRun) -> Result<(), Error> {
    loop {
        // SAFETY: this is the structure of the command; the frames and the context that it points
        // to are as long as it says, and outlive the call.
        match unsafe { bpf(Command::ProgramTestRun, run) } {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted && run.repeat == 1 => {}
            Err(error) => return Err(Error::Run(error)),
        }
    }
}
