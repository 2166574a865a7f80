//! What the host has to give: descriptors and ports.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::arguments::Plan;
use crate::failure::Failure;
use crate::sources::local_ports;

/// Descriptors besides the connections: the standard streams, the epoll instance, and what reading
/// /proc takes at any one time.
const BESIDES: u64 = 10;

/// Raises the limit on open descriptors as far as the attack needs, and not further.
pub(super) fn admit(plan: &Plan) -> Result<(), Failure> {
    let (connections, ports) = (plan.connections + plan.kinds().count(), local_ports().count());
    if connections > ports {
        return Err(Failure::Unfit(format!(
            "{connections} connections to one target need as many local ports; there are {ports} \
             (widen them with: sysctl net.ipv4.ip_local_port_range=\"1024 65535\")"
        )));
    }
    raise(connections as u64 + BESIDES)
}

fn raise(need: u64) -> Result<(), Failure> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| Failure::Unfit(format!("the limit on descriptors: {error}")))?;
    if need <= soft {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, need, hard.max(need)).map_err(|error| {
        Failure::Unfit(format!(
            "so many connections need {need} descriptors; the hard limit is {hard} \
             (raise it with: prlimit --pid $$ --nofile={need}:{need}, as root; {error})"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::arguments::plan_of;
    use super::*;

    #[test]
    fn what_no_host_has_is_refused_with_the_way_out() {
        let plan = plan_of("tcp://127.0.0.1:7 --mode half-open -c 70000").expect("a plan");
        let failure = admit(&plan).expect_err("there are only 65,535 ports");
        assert_eq!(failure.status(), 4);
        assert!(failure.to_string().contains("70003 connections"), "{failure}");
    }
}
