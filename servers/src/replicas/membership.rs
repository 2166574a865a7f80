//! Which replicas there are, and whose turn it is for a request.
//!
//! A [`View`] never changes but for the addresses in its seats, which are single words. Whoever
//! makes a change prepares another view, however long that takes, and puts it in place by one
//! store.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use super::name::Name;
use super::seat::Seat;
use crate::placement::{Bound, Choice, Method, Placement, Refused, Shape};

/// The replicas at one time.
#[derive(Debug)]
pub(crate) struct View {
    placement: Box<dyn Placement>,
    choice: Choice,
    /// There may be so many.
    most: usize,
    /// By the number that the placement gives them.
    seats: Vec<Option<Arc<Seat>>>,
}

impl View {
    /// Nobody yet, and never more than the shape says, whatever the method has room for.
    pub(crate) fn empty(method: &Method, shape: &Shape) -> Self {
        let placement = (method.new)(shape);
        Self { placement, choice: method.choice, most: shape.most, seats: Vec::new() }
    }

    /// How much more than the mean a replica may carry, where the method bounds that.
    pub(crate) const fn bound(&self) -> Option<Bound> {
        match self.choice {
            Choice::Key => None,
            Choice::Load(bound) => Some(bound),
        }
    }

    /// How many there are, in service or not.
    pub(crate) fn count(&self) -> usize {
        self.seats().count()
    }

    /// How many more there is room for.
    pub(crate) fn free(&self) -> usize {
        self.placement.free().min(self.most.saturating_sub(self.count()))
    }

    /// Those that there are, by number.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.iter().flatten()
    }

    /// Whether there is one of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.seats().any(|seat| seat.name.as_str() == name)
    }

    /// Visits those in service, in the order in which they take over a request of that id, until
    /// `visit` breaks.
    pub(crate) fn successors(&self, id: u64, visit: &mut dyn FnMut(SocketAddr) -> ControlFlow<()>) {
        self.placement.successors(id, &mut |node| {
            let seat = self.seats.get(node.place()).and_then(Option::as_ref);
            seat.and_then(|seat| seat.address()).map_or(ControlFlow::Continue(()), &mut *visit)
        });
    }

    /// These, and others.
    ///
    /// # Errors
    /// When there is no room for them, or one has a name that is taken.
    pub(crate) fn with(&self, joining: &[Arc<Seat>]) -> Result<Self, Refused> {
        let mut placement = self.placement.duplicate();
        let mut seats = self.seats.clone();
        for seat in joining {
            let place = placement.add(seat.name.as_str(), 1)?.place();
            seats.resize(seats.len().max(place + 1), None);
            seats[place] = Some(Arc::clone(seat));
        }
        Ok(Self { placement, seats, ..*self })
    }

    /// These without some.
    pub(crate) fn without(&self, leaving: &[Name]) -> Self {
        let mut placement = self.placement.duplicate();
        for name in leaving {
            placement.remove(name.as_str());
        }
        let stays = |seat: &Arc<Seat>| !leaving.contains(&seat.name);
        let seats = self.seats.iter().map(|seat| seat.clone().filter(stays)).collect();
        Self { placement, seats, ..*self }
    }
}

/// The view that is in place.
#[derive(Debug)]
pub(crate) struct Membership(RwLock<Arc<View>>);

impl Membership {
    pub(crate) fn new(view: View) -> Self {
        Self(RwLock::new(Arc::new(view)))
    }

    /// The view now. It waits for nothing longer than a store.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another view in place.
    pub(crate) fn replace(&self, view: View) {
        let view = Arc::new(view);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::placement::{method, names};
    use crate::replicas::seat::InService;

    const IDS: std::ops::Range<u64> = 100_000..102_000;

    fn seat(number: usize) -> Arc<Seat> {
        Arc::new(Seat::new(Name::numbered(number)))
    }

    /// A view of so many, nobody in service.
    pub(crate) fn view(name: &str, count: usize) -> View {
        let shape = Shape { most: 512 / 9, ..Shape::default() };
        let seats = (1..=count).map(seat).collect::<Vec<_>>();
        View::empty(method(name).unwrap(), &shape).with(&seats).unwrap()
    }

    /// Puts everybody into service, on ports from 1 on.
    pub(crate) fn serve(view: &View) -> Vec<InService<'_>> {
        let numbered = (1_u16..).zip(view.seats());
        numbered.map(|(port, seat)| seat.serve(([127, 0, 0, 1], port).into())).collect()
    }

    fn first(view: &View, id: u64) -> Option<u16> {
        order(view, id).first().copied()
    }

    /// The ports of all in service, in the order in which they take over a request.
    pub(crate) fn order(view: &View, id: u64) -> Vec<u16> {
        let mut ports = Vec::new();
        view.successors(id, &mut |address| {
            ports.push(address.port());
            ControlFlow::Continue(())
        });
        ports
    }

    #[test]
    fn a_replica_out_of_service_is_passed_over_and_nobody_else_moves() {
        for method in names() {
            let view = view(method, 5);
            let mut services = serve(&view);
            let before = IDS.map(|id| order(&view, id)).collect::<Vec<_>>();
            drop(services.remove(2));
            for (id, before) in IDS.zip(before) {
                let expected = before.into_iter().filter(|port| *port != 3).collect::<Vec<_>>();
                assert_eq!(order(&view, id), expected, "{method}, {id}");
            }
        }
    }

    #[test]
    fn with_nobody_in_service_nobody_is_visited() {
        for method in names() {
            assert_eq!(first(&view(method, 3), 123_456), None, "{method}");
            assert_eq!(first(&view(method, 0), 123_456), None, "{method}");
        }
    }

    #[test]
    fn who_leaves_gives_its_requests_away_and_who_has_an_old_view_goes_on() {
        let old = view("ring-modified", 3);
        let _services = serve(&old);
        let new = old.without(&[Name::numbered(2)]);
        assert_eq!((old.count(), new.count()), (3, 2));
        assert!(old.has("Server-2") && !new.has("Server-2"));
        for id in IDS {
            let expected = order(&old, id).into_iter().find(|port| *port != 2);
            assert_eq!(first(&new, id), expected);
        }
        assert!(IDS.into_iter().any(|id| first(&old, id) == Some(2)));
    }

    #[test]
    fn a_number_that_is_free_is_given_out_again() {
        let three = view("ring-modified", 3);
        let again = three.without(&[Name::numbered(1)]).with(&[seat(9)]).unwrap();
        let names = again.seats().map(|seat| seat.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names, ["Server-9", "Server-2", "Server-3"]);
    }

    #[test]
    fn a_reader_is_not_held_up_by_a_view_that_is_being_prepared() {
        let membership = Membership::new(view("ring-modified", 3));
        let preparing = membership.view();
        let next = preparing.without(&[Name::numbered(1)]);
        assert_eq!(membership.view().count(), 3);
        membership.replace(next);
        assert_eq!((membership.view().count(), preparing.count()), (2, 3));
    }
}
