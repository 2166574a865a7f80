//! A server with one fault, to try out whether a load generator notices.
//!
//! ```text
//! cargo run --release -p loadgen --example faulty_server -- --fault loses --speech http
//! listening 127.0.0.1:40123
//! ```

mod faults;

use std::io;
use std::net::{SocketAddr, TcpListener};

use clap::Parser;
use faults::{Fault, Faulty, Speech};

/// Serves until it is killed, and tells its address in the first line.
#[derive(Debug, Parser)]
struct Arguments {
    /// What it does wrong
    #[arg(long, value_enum)]
    fault: Fault,
    /// What it speaks
    #[arg(long, value_enum)]
    speech: Speech,
    /// Now and then is once in that many requests
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> io::Result<()> {
    let Arguments { fault, speech, every, listen } = Arguments::parse();
    let listener = TcpListener::bind(listen)?;
    println!("listening {}", listener.local_addr()?);
    Faulty::new(fault, speech, every).serve(&listener);
    Ok(())
}
