//! Why a hash shares badly: the slots of the rings, with who answers them and how many ids meet
//! them.

use super::Evidence;
use crate::balance::findings::Anatomy;
use crate::balance::row::{Slot, number};
use crate::balance::spread::Origin;
use crate::plot::circles::{Circle, Circles, Slot as Drawn};
use crate::plot::figure::{Body, Figure};
use crate::plot::style::look;

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let rings = &evidence.findings.rings;
    let worst = rings.iter().max_by(|one, other| one.most.total_cmp(&other.most))?;
    let nodes = evidence.findings.most;
    let legend = (0..nodes as usize).map(|n| (format!("Server-{}", n + 1), look(n).colour));
    let circles = rings.iter().map(|ring| circle(evidence, ring, worst.most)).collect();
    Some(Figure {
        name: "rings".into(),
        finding: evidence.findings.ring(&worst.method)?,
        subtitle: vec![format!(
            "The slots of each ring, clockwise from the top, with {nodes} servers"
        )],
        notes: vec![
            "Colour: the server that answers a slot, the next one clockwise. Sticks: copies of \
             servers. Rays: ids that meet a slot, by the square root of their number."
                .into(),
        ],
        body: Body::Circles(Circles { legend: legend.collect(), circles }),
    })
}

fn circle(evidence: &Evidence<'_>, ring: &Anatomy, most: f64) -> Circle {
    let slots: Vec<_> =
        evidence.run.slots.iter().filter(|slot| slot.method == ring.method).collect();
    let ids = slots.iter().map(|slot| slot.ids).sum::<u64>() as f64;
    let peak = evidence.findings.spread(&ring.method, Origin::Exact, evidence.findings.most);
    let share = peak.map_or(0.0, |peak| 100.0 * peak.peak_to_average / f64::from(peak.nodes));
    Circle {
        title: ring.method.clone(),
        captions: vec![
            format!("{} of {} slots are met", ring.met, ring.slots),
            format!("{} of {} copies had to give way", ring.collisions, ring.copies),
            format!("widest gap between copies: {} slots", ring.gap),
            format!("the busiest server gets {share:.1} %"),
        ],
        slots: slots.into_iter().map(|slot| drawn(slot, ids, most)).collect(),
    }
}

/// The longest ray is that of the slot that most ids meet, on any of the rings.
fn drawn(slot: &Slot, ids: f64, most: f64) -> Drawn {
    Drawn {
        answers: slot.answers.as_deref().and_then(number),
        stands: slot.node.is_some(),
        ray: (slot.ids as f64 / ids / most).sqrt(),
    }
}
