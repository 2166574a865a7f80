//! A launcher that follows a script: what a server or a load generator can do wrong, done on
//! purpose.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use loadgen::report::Summary;

use super::{Backend, Counters, Launcher, Left, LoadPlan, Server, ServerPlan};

/// What happens in one trial.
#[derive(Clone, Debug)]
pub enum Act {
    /// All goes well, with this summary.
    Answer(Box<Summary>, Option<Counters>),
    /// The server does not start.
    NoStart(String),
    /// The load generator fails.
    NoLoad(String),
    /// The load generator prints this instead of a summary.
    Print(String),
    /// The load generator ends well, but the server has died.
    Died(Box<Summary>, String),
}

/// Plays its acts in order, one a trial.
#[derive(Debug, Default)]
pub struct Script {
    acts: VecDeque<Act>,
    current: Option<Act>,
    /// The servers asked for, in order.
    pub served: Vec<ServerPlan>,
    /// The loads asked for, in order.
    pub loaded: Vec<LoadPlan>,
    /// What the backends of every proxy did.
    pub backends: Vec<Backend>,
    /// How many servers have been stopped.
    pub stopped: Rc<RefCell<usize>>,
}

impl Script {
    /// A script of these acts.
    #[must_use]
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self { acts: acts.into_iter().collect(), ..Self::default() }
    }
}

impl Launcher for Script {
    fn serve(&mut self, plan: &ServerPlan) -> Result<Box<dyn Server>> {
        self.served.push(plan.clone());
        let act = self.acts.pop_front().context("the script is over")?;
        self.current = Some(act.clone());
        let (counters, death) = match act {
            Act::NoStart(why) => return Err(anyhow!(why)),
            Act::Answer(_, counters) => (counters, None),
            Act::Died(_, why) => (None, Some(why)),
            Act::NoLoad(_) | Act::Print(_) => (None, None),
        };
        let backends = self.backends.clone();
        Ok(Box::new(Player { counters, backends, death, stopped: Rc::clone(&self.stopped) }))
    }

    fn load(&mut self, plan: &LoadPlan, _server: &dyn Server) -> Result<String> {
        self.loaded.push(plan.clone());
        match self.current.take().context("no server has been started")? {
            Act::Answer(summary, _) | Act::Died(summary, _) => Ok(serde_json::to_string(&summary)?),
            Act::Print(text) => Ok(text),
            Act::NoLoad(why) | Act::NoStart(why) => Err(anyhow!(why)),
        }
    }
}

struct Player {
    counters: Option<Counters>,
    backends: Vec<Backend>,
    death: Option<String>,
    stopped: Rc<RefCell<usize>>,
}

impl Server for Player {
    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 7).into()
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn stop(self: Box<Self>) -> Result<Left> {
        *self.stopped.borrow_mut() += 1;
        let left = Left { counters: self.counters, backends: self.backends };
        self.death.map_or(Ok(left), |why| Err(anyhow!(why)))
    }
}
