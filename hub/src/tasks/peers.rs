//! Messages from this hub to the others that no client waits for: presence, and answers to their questions.

use std::sync::Arc;

use crate::audiences::{Errand, Errands};
use crate::backplane::{Backplane, Receipt};
use crate::handover::Handover;
use crate::rooms::Rooms;
use crate::topics::Topic;

/// Tells other pods who comes and goes, as long as the hub runs.
pub(super) async fn gossip(rooms: Arc<Rooms>, backplane: Arc<Backplane>) {
    loop {
        for (room, word) in rooms.gossip().await {
            // Without a backplane there is nobody to tell, and with a new one all is said again.
            backplane.publish(Topic::Room(room), word, Receipt::new(|_| ())).await;
        }
    }
}

/// Answers the questions of other hubs, as long as this one runs.
pub(super) async fn reply(mut errands: Errands, backplane: Arc<Backplane>, handover: Arc<Handover>) {
    while let Some(errand) = errands.recv().await {
        match errand {
            // Without a backplane nobody is reached, and whoever waits is told so in time.
            Errand::Reply(instance, reply) => {
                backplane.publish(Topic::Hub(instance), reply, Receipt::new(|_| ())).await;
            }
            Errand::Show(id, question) => {
                let show = Arc::clone(&handover).show(id, question);
                handover.departures.spawn(show);
            }
            Errand::Give(id, question) => {
                let give = Arc::clone(&handover).give(id, question);
                handover.departures.spawn(give);
            }
        }
    }
}
