//! Messages from this hub to the others that no client waits for: presence, and replies to their requests.

use std::sync::Arc;

use crate::audiences::{PeerAction, PeerActions};
use crate::backplane::{Backplane, Receipt};
use crate::handover::Handover;
use crate::rooms::Rooms;
use crate::topics::Topic;

/// Announces to other pods which members join and leave, as long as the hub runs.
pub(super) async fn announce_presence(rooms: Arc<Rooms>, backplane: Arc<Backplane>) {
    loop {
        for (room, announcement) in rooms.next_announcements().await {
            // A failure does no harm: while the backplane is away no hub receives announcements, and after a
            // reconnect all members are announced again.
            backplane.publish(Topic::Room(room), announcement, Receipt::new(|_| ())).await;
        }
    }
}

/// Carries out the actions that requests of other hubs call for, as long as this hub runs.
pub(super) async fn act(mut actions: PeerActions, backplane: Arc<Backplane>, handover: Arc<Handover>) {
    while let Some(action) = actions.recv().await {
        match action {
            // A failure does no harm: while the backplane is away no hub is reached, and the one that waits
            // gives up in time.
            PeerAction::SendReply(instance, reply) => {
                backplane.publish(Topic::Hub(instance), reply, Receipt::new(|_| ())).await;
            }
            PeerAction::ShowSubscriptions(id, request_id) => {
                let shown = Arc::clone(&handover).show_subscriptions(id, request_id);
                handover.outgoing.spawn(shown);
            }
            PeerAction::HandOver(id, request_id) => {
                let handed_over = Arc::clone(&handover).hand_over(id, request_id);
                handover.outgoing.spawn(handed_over);
            }
        }
    }
}
