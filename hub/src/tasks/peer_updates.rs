//! Messages from this hub to the others that no client waits for: presence, and replies to their requests.

use std::sync::Arc;

use crate::audiences::{PeerAction, PeerActions};
use crate::backplane::{Backplane, Receipt};
use crate::handover::Handover;
use crate::rooms::Rooms;
use crate::topics::Topic;

/// Tells other pods who comes and goes, as long as the hub runs.
pub(super) async fn announce_presence(rooms: Arc<Rooms>, backplane: Arc<Backplane>) {
    loop {
        for (room, announcement) in rooms.next_announcements().await {
            // Without a backplane there is nobody to tell, and with a new one all is said again.
            backplane.publish(Topic::Room(room), announcement, Receipt::new(|_| ())).await;
        }
    }
}

/// Acts on the requests of other hubs, as long as this one runs.
pub(super) async fn act(mut actions: PeerActions, backplane: Arc<Backplane>, handover: Arc<Handover>) {
    while let Some(action) = actions.recv().await {
        match action {
            // Without a backplane nobody is reached, and whoever waits is told so in time.
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
