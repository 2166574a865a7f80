//! All replicas: takes some in, lets some go, one change at a time.
//!
//! A change is granted as a whole or not at all. New replicas are put into the view together, when each
//! of them has answered a heartbeat; if one does not come up, all of them are stopped again. Who leaves
//! is out of the view before its process is told to stop.

use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attendant::{Attendant, Routine};
use super::membership::View;
use super::name::Name;
use super::wish::{Refusal, Wish};

/// All replicas.
#[derive(Debug)]
pub(crate) struct Crew {
    routine: Arc<Routine>,
    /// Held for as long as a change takes. Who only looks does not need it.
    hands: Mutex<Hands>,
}

#[derive(Debug, Default)]
struct Hands {
    attendants: HashMap<Name, Attendant>,
    closed: bool,
}

impl Crew {
    /// Nobody yet.
    pub(crate) fn new(routine: Routine) -> Self {
        Self { routine: Arc::new(routine), hands: Mutex::default() }
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
    /// When there is no room for so many, or one does not come up.
    pub(crate) fn found(&self, count: usize) -> Result<(), Refusal> {
        let free = self.view().free();
        if count > free {
            return Err(Refusal::Slots(free));
        }
        let names = (1..=count).map(Name::numbered).collect::<Vec<_>>();
        self.join(&mut self.hands(), &names)
    }

    /// Grants a wish for more.
    ///
    /// # Errors
    /// When it can't be granted.
    pub(crate) fn add(&self, wish: &Wish) -> Result<(), Refusal> {
        let mut hands = self.hands();
        if hands.closed {
            return Err(Refusal::Closing);
        }
        let names = wish.joining(&self.view())?;
        self.join(&mut hands, &names)
    }

    /// Grants a wish for fewer.
    ///
    /// # Errors
    /// When it can't be granted.
    pub(crate) fn remove(&self, wish: &Wish) -> Result<(), Refusal> {
        let mut hands = self.hands();
        let names = wish.leaving(&self.view())?;
        self.leave(&mut hands, &names);
        Ok(())
    }

    /// Stops all of them, for good.
    pub(crate) fn close(&self) {
        let mut hands = self.hands();
        hands.closed = true;
        let names = hands.attendants.keys().cloned().collect::<Vec<_>>();
        self.leave(&mut hands, &names);
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, hands: &mut Hands, names: &[Name]) -> Result<(), Refusal> {
        let mut joining = Vec::with_capacity(names.len());
        if let Err(refusal) = self.engage(names, &mut joining) {
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
        hands.attendants.extend(joining.into_iter().map(|each| (each.seat.name.clone(), each)));
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
        firsts.iter().collect::<Result<Vec<_>, _>>().map_err(Refusal::NotStarted)?;
        Ok(())
    }

    fn leave(&self, hands: &mut Hands, names: &[Name]) {
        self.replace(self.view().without(names));
        dismiss(names.iter().filter_map(|name| hands.attendants.remove(name)).collect());
    }
}

/// Lets them go, all at the same time, and waits until the last one has gone.
fn dismiss(leaving: Vec<Attendant>) {
    leaving.iter().for_each(Attendant::dismiss);
    leaving.into_iter().for_each(Attendant::join);
}
