//! All replicas: takes some in, lets some go, one change at a time.
//!
//! A change is granted as a whole or not at all. New replicas are put into the view together, when
//! each of them has answered a heartbeat; if one does not come up, all of them are stopped again.
//! Who leaves is out of the view before its process is told to stop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attendant::{Attendant, Routine};
use super::leash::Leash;
use super::membership::View;
use super::name::Name;
use super::wish::{Refusal, Wish};

/// All replicas.
#[derive(Debug)]
pub(crate) struct Crew {
    routine: Arc<Routine>,
    /// Held for as long as a change takes. Who only looks does not need it.
    attendants: Mutex<Attendants>,
    /// Those whose replicas are on their way: a stop does not wait until they have come up.
    joining: Mutex<Vec<Arc<Leash>>>,
    closed: AtomicBool,
}

type Attendants = HashMap<Name, Attendant>;

impl Crew {
    /// Nobody yet.
    pub(crate) fn new(routine: Routine) -> Self {
        let routine = Arc::new(routine);
        let (attendants, joining) = Default::default();
        Self { routine, attendants, joining, closed: AtomicBool::new(false) }
    }

    /// The replicas now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.routine.lineup.membership.view()
    }

    /// Puts another view in place, for the front as well.
    fn replace(&self, view: View) {
        self.routine.lineup.membership.replace(view);
        self.routine.lineup.refresh();
    }

    /// Starts `Server-1` to `Server-N`.
    ///
    /// # Errors
    /// When there is no room for so many, one does not come up, or they are [closed](Self::close)
    /// meanwhile.
    pub(crate) fn found(&self, count: usize) -> Result<(), Refusal> {
        let mut attendants = self.attendants();
        self.check_open()?;
        let free = self.view().free();
        if count > free {
            return Err(Refusal::Slots(free));
        }
        let names = (1..=count).map(Name::numbered).collect::<Vec<_>>();
        self.join(&mut attendants, &names)
    }

    /// Grants a wish for more.
    ///
    /// # Errors
    /// When it can't be granted.
    pub(crate) fn add(&self, wish: &Wish) -> Result<(), Refusal> {
        let mut attendants = self.attendants();
        self.check_open()?;
        let names = wish.joining(&self.view())?;
        self.join(&mut attendants, &names)
    }

    /// Grants a wish for fewer.
    ///
    /// # Errors
    /// When it can't be granted.
    pub(crate) fn remove(&self, wish: &Wish) -> Result<(), Refusal> {
        let mut attendants = self.attendants();
        let names = wish.leaving(&self.view())?;
        self.leave(&mut attendants, &names);
        Ok(())
    }

    /// Stops all of them, for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.joining().iter().for_each(|leash| leash.pull());
        let mut attendants = self.attendants();
        let names = attendants.keys().cloned().collect::<Vec<_>>();
        self.leave(&mut attendants, &names);
    }

    fn check_open(&self) -> Result<(), Refusal> {
        if self.closed.load(Ordering::Acquire) { Err(Refusal::Closing) } else { Ok(()) }
    }

    fn attendants(&self) -> MutexGuard<'_, Attendants> {
        self.attendants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn joining(&self) -> MutexGuard<'_, Vec<Arc<Leash>>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, attendants: &mut Attendants, names: &[Name]) -> Result<(), Refusal> {
        let mut joining = Vec::with_capacity(names.len());
        let engaged = self.engage(names, &mut joining);
        self.joining().clear();
        if let Err(refusal) = engaged {
            dismiss(joining);
            return Err(refusal);
        }
        let seats = joining.iter().map(|each| Arc::clone(&each.seat)).collect::<Vec<_>>();
        match self.view().with(&seats) {
            Ok(view) => self.replace(view),
            Err(refused) => {
                dismiss(joining);
                return Err(Refusal::NotStarted(refused.to_string()));
            }
        }
        attendants.extend(joining.into_iter().map(|each| (each.seat.name.clone(), each)));
        Ok(())
    }

    /// Starts replicas of these names, and waits until each has come up or one has not.
    fn engage(&self, names: &[Name], joining: &mut Vec<Attendant>) -> Result<(), Refusal> {
        let (told, firsts) = channel();
        for name in names {
            let attendant = Attendant::engage(&self.routine, name, told.clone());
            joining.push(attendant.map_err(|error| {
                Refusal::NotStarted(format!("no thread to look after {name}: {error}"))
            })?);
        }
        drop(told);
        *self.joining() = joining.iter().map(|each| Arc::clone(&each.leash)).collect();
        // Once more: who closes from now on finds their leashes.
        self.check_open()?;
        let firsts = firsts.iter().collect::<Result<Vec<_>, _>>().map_err(Refusal::NotStarted)?;
        // One who was told to stop says nothing.
        if firsts.len() == names.len() { Ok(()) } else { Err(Refusal::Closing) }
    }

    fn leave(&self, attendants: &mut Attendants, names: &[Name]) {
        self.replace(self.view().without(names));
        dismiss(names.iter().filter_map(|name| attendants.remove(name)).collect());
    }
}

/// Lets them go, all at the same time, and waits until the last one has gone.
fn dismiss(leaving: Vec<Attendant>) {
    leaving.iter().for_each(Attendant::dismiss);
    leaving.into_iter().for_each(Attendant::join);
}
